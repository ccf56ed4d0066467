/**
 * The admin pages over HTTP on a Unix socket that only its owner can open (mode 0600). What the pages are
 * stands in admin-pages.ts.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { systemCode } from '../errors.ts';
import { type AdminSubject, answerRequest, MAX_BODY_BYTES } from './admin-pages.ts';
import { bindAdminSocket } from './admin-socket.ts';
import type { Log } from './log.ts';

export interface AdminOptions {
  readonly path: string;
  readonly log: Log;
  readonly subject: AdminSubject;
  /** Under the fleet's supervisor: the known name is then taken from a process that is not. */
  readonly supervised?: boolean;
}

/** Enough for a scraper, a status command and a person; more would only be a leak somewhere. */
const MAX_ADMIN_CONNECTIONS = 16;

export interface Admin {
  close(): Promise<void>;
}

/** Serves until `close`. A daemon whose admin socket can't be had runs on without it, and says so. */
export async function openAdmin({ path, log, subject, supervised }: AdminOptions): Promise<Admin> {
  const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, async (request, response) => {
    try {
      const { method = '', url = '' } = request;
      const reply = await answerRequest(subject, method, url, () => readBody(request));
      const allow = reply.allow === undefined ? {} : { allow: reply.allow };
      response.writeHead(reply.status, { 'content-type': reply.contentType, connection: 'close', ...allow });
      response.end(reply.text);
    } catch (error) {
      // A page that fails, or a client that left in the middle of its request, is no end of the service.
      const { stack, message } = error as Error;
      if (request.complete) log.error({ event: 'internal-error', stack }, `${request.url}: ${message}`);
      response.writeHead(500).end();
    }
  });
  server.maxConnections = MAX_ADMIN_CONNECTIONS;
  try {
    const socket = await bindAdminSocket(server, path, log, supervised);
    return {
      close: async () => {
        await socket.release();
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
      },
    };
  } catch (error) {
    server.close();
    const { message } = error as Error;
    log.warn({ event: 'admin-unavailable', path, code: systemCode(error) }, `no admin socket: ${message}`);
    return { close: async () => {} };
  }
}

/** The body as text; `undefined` when it is longer than any request of ours. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // What is too much is read all the same: to stop would cut the connection before the answer.
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return bytes > MAX_BODY_BYTES ? undefined : Buffer.concat(chunks).toString();
}
