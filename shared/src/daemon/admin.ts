/**
 * The admin pages: HTTP on a Unix socket that only its owner can open (mode 0600).
 *
 *     GET /healthz   200 while the process runs
 *     GET /readyz    200 when it serves, 503 while it drains; the body says who and where
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { systemCode } from '../errors.ts';
import type { Readiness } from './admin-client.ts';
import { bindAdminSocket } from './admin-socket.ts';
import type { Log } from './log.ts';

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

type Routes = Readonly<Record<string, () => Reply>>;

export interface AdminOptions {
  readonly path: string;
  readonly log: Log;
  readonly readiness: () => Readiness;
}

/** Enough for a scraper, a status command and a person; more would only be a leak somewhere. */
const MAX_ADMIN_CONNECTIONS = 16;

export interface Admin {
  close(): Promise<void>;
}

/** Serves until `close`. A daemon whose admin socket can't be had runs on without it, and says so. */
export async function openAdmin({ path, log, readiness }: AdminOptions): Promise<Admin> {
  const routes: Routes = {
    '/healthz': () => ({ status: 200, body: { state: 'alive' } }),
    '/readyz': () => {
      const body = readiness();
      return { status: body.state === 'ready' ? 200 : 503, body };
    },
  };
  const server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) => {
    const route = Object.hasOwn(routes, request.url ?? '') ? routes[request.url ?? ''] : undefined;
    const { status, body } = answer(route, request.method);
    const allow = status === 405 ? { allow: 'GET' } : {};
    response.writeHead(status, { 'content-type': 'application/json', connection: 'close', ...allow });
    response.end(`${JSON.stringify(body)}\n`);
  });
  server.maxConnections = MAX_ADMIN_CONNECTIONS;
  try {
    const socket = await bindAdminSocket(server, path, log);
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

function answer(route: (() => Reply) | undefined, method: string | undefined): Reply {
  if (route === undefined) return { status: 404, body: { error: 'no such page; there are /healthz and /readyz' } };
  if (method !== 'GET') return { status: 405, body: { error: `${method} is not allowed here; use GET` } };
  return route();
}
