/**
 * The admin socket: HTTP on a Unix socket that only its owner can open (mode 0600).
 *
 *     GET /healthz   200 while the process runs
 *     GET /readyz    200 when it serves, 503 while it drains; the body says who and where
 */
import { once } from 'node:events';
import { chmod, lstat, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { systemCode } from '../errors.ts';
import type { Log } from './log.ts';
import { makePrivateFolder } from './private-folder.ts';
import type { Listener } from './service.ts';

/** Body of `/readyz`. */
export interface Readiness {
  readonly service: string;
  readonly pid: number;
  readonly state: 'ready' | 'draining';
  readonly uptimeSeconds: number;
  readonly listeners: readonly Listener[];
}

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

/**
 * Serves until `close`. A socket left behind by a crash is replaced; one that a living process answers
 * on is left alone. The daemon runs on without its admin socket, and says so, when it can't be had.
 */
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
    response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
    response.end(`${JSON.stringify(body)}\n`);
  });
  server.maxConnections = MAX_ADMIN_CONNECTIONS;
  try {
    await listen(server, path);
  } catch (error) {
    const { message } = error as Error;
    log.warn({ event: 'admin-unavailable', path, code: systemCode(error) }, `no admin socket: ${message}`);
    return { close: async () => {} };
  }
  const { ino } = await lstat(path);
  return {
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      // Node has removed the path by now unless somebody put another socket there.
      const left = await lstat(path).catch(() => undefined);
      if (left?.ino === ino) await rm(path, { force: true });
    },
  };
}

function answer(route: (() => Reply) | undefined, method: string | undefined): Reply {
  if (route === undefined) return { status: 404, body: { error: 'no such page; there are /healthz and /readyz' } };
  if (method !== 'GET') return { status: 405, body: { error: `${method} is not allowed here; use GET` } };
  return route();
}

async function listen(server: Server, path: string): Promise<void> {
  await makePrivateFolder(dirname(path));
  if (await isAnswered(path)) throw new Error(`${path} belongs to another running daemon`);
  // Only ever a socket: a path given by mistake must not cost anybody a file.
  if ((await lstat(path).catch(() => undefined))?.isSocket()) await rm(path, { force: true });
  server.listen(path);
  await once(server, 'listening');
  await chmod(path, 0o600);
}

async function isAnswered(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
