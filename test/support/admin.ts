/** Asking a daemon's admin socket as curl would. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';

export interface AdminReply {
  readonly status: number | undefined;
  readonly contentType: string | undefined;
  readonly text: string;
}

export async function askAdminPage(
  socketPath: string,
  path: string,
  { method = 'GET', body = '' }: { readonly method?: string; readonly body?: string } = {},
): Promise<AdminReply> {
  const asking = request({ socketPath, path, method }).end(body);
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  return { status: response.statusCode, contentType: response.headers['content-type'], text: await text(response) };
}
