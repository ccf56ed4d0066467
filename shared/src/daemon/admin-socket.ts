/**
 * The names of an admin socket. Each process listens on a name of its own, `run/echo-tcp.4711.sock`;
 * the name that people know, `run/echo-tcp.sock`, is a hard link to the one in charge.
 *
 * Why two: while a service is replaced, the old process and the new one both run, and both must be
 * reachable. A link is moved by rename(2), so the known name never points nowhere; and libuv, which
 * removes a socket's path when it closes, removes only the process's own name.
 */
import { once } from 'node:events';
import { link, lstat, readdir, rename, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { AppError, systemCode } from '../errors.ts';
import { askReadiness } from './admin-client.ts';
import type { Log } from './log.ts';
import { makePrivateFolder } from './private-folder.ts';
import { isAlive } from './process-alive.ts';

/** How often the known name is asked for while another process has it. */
const CLAIM_INTERVAL_MS = 250;

/** `run/echo-tcp.sock` of process 4711 is `run/echo-tcp.4711.sock`. */
export function processSocketPath(path: string, pid: number): string {
  return `${path.replace(/\.sock$/, '')}.${pid}.sock`;
}

export interface AdminSocket {
  /** Gives both names back. */
  release(): Promise<void>;
}

/**
 * Listens on the process's own name and takes the known one: at once if nobody living has it, and
 * otherwise when its process drains or ends.
 */
export async function bindAdminSocket(server: Server, path: string, log: Log): Promise<AdminSocket> {
  await makePrivateFolder(dirname(path));
  await removeLeftovers(path);
  const own = processSocketPath(path, process.pid);
  // Bound within the call, so that at no moment another user could open it.
  const before = process.umask(0o177);
  server.listen(own);
  process.umask(before);
  await once(server, 'listening');

  let timer: NodeJS.Timeout | undefined;
  const holder = await claim(path, own);
  if (holder !== undefined) {
    const message = `${path} belongs to process ${holder}; until that ends, this one answers on ${own}`;
    log.info({ event: 'admin-waiting', path: own, holder }, message);
    const again = async (): Promise<void> => {
      // A failure here leaves the process reachable by its own name; the next look may succeed.
      const still = await claim(path, own).catch(() => 0);
      if (still !== undefined && timer !== undefined) timer = setTimeout(again, CLAIM_INTERVAL_MS).unref();
    };
    timer = setTimeout(again, CLAIM_INTERVAL_MS).unref();
  }
  const { ino } = await lstat(own);
  return {
    release: async () => {
      clearTimeout(timer);
      timer = undefined;
      const known = await lstat(path).catch(() => undefined);
      if (known?.ino === ino) await rm(path, { force: true });
    },
  };
}

/** What connect(2) says of a socket that nobody listens on. Anything else means a process, if a busy one. */
const deadSocketCodes = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTSOCK']);

async function isListenedOn(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    return !deadSocketCodes.has(systemCode(error) ?? '');
  } finally {
    socket.destroy();
  }
}

/** Takes the known name, or gives the pid of the process that has it (0: it does not say) and does not drain. */
async function claim(path: string, own: string): Promise<number | undefined> {
  const there = await lstat(path).catch(() => undefined);
  if (there !== undefined && !there.isSocket()) {
    throw new AppError(
      'PERMISSION_DENIED',
      `${path} exists and is no socket; move it or choose another --admin-socket`,
    );
  }
  if (there !== undefined && (await isListenedOn(path))) {
    const holder = await askReadiness(path);
    if (holder?.state !== 'draining') return holder?.pid ?? 0;
  }
  const next = `${own}.next`;
  await rm(next, { force: true });
  await link(own, next);
  await rename(next, path);
  return undefined;
}

/** Sockets of processes that ended without removing them. */
async function removeLeftovers(path: string): Promise<void> {
  const stem = basename(path).replace(/\.sock$/, '');
  for (const name of await readdir(dirname(path))) {
    const pid = name.startsWith(`${stem}.`) ? /^\.(\d+)\.sock(\.next)?$/.exec(name.slice(stem.length))?.[1] : undefined;
    if (pid === undefined) continue;
    if (Number(pid) === process.pid || !isAlive(Number(pid))) await rm(join(dirname(path), name), { force: true });
  }
}
