/**
 * The names of an admin socket. Each process listens on a name of its own, `run/echo-tcp.4711.sock`;
 * the name that people know, `run/echo-tcp.sock`, is a hard link to the one in charge.
 *
 * Why two: while a service is replaced, the old process and the new one both run, and both must be
 * reachable. A link is moved by rename(2), so the known name never points nowhere; and libuv, which
 * removes a socket's path when it closes, removes only the process's own name.
 *
 * In charge is who runs under the fleet's supervisor: the like of it that a person starts by hand from the
 * same checkout has the known name only while the fleet's own process does not want it.
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
  /** Gives both names back; the known one to another process that still answers, if there is one. */
  release(): Promise<void>;
}

/**
 * Listens on the process's own name and takes the known one: at once if nobody living has it, and
 * otherwise when its process drains or ends.
 */
export async function bindAdminSocket(
  server: Server,
  path: string,
  log: Log,
  supervised = false,
): Promise<AdminSocket> {
  await makePrivateFolder(dirname(path));
  await removeLeftovers(path);
  const own = processSocketPath(path, process.pid);
  // Bound within the call, so that at no moment another user could open it.
  const before = process.umask(0o177);
  server.listen(own);
  process.umask(before);
  await once(server, 'listening');

  let timer: NodeJS.Timeout | undefined;
  const holder = await claim(path, own, supervised);
  if (holder !== undefined) {
    const message = `${path} belongs to process ${holder}; until that ends, this one answers on ${own}`;
    log.info({ event: 'admin-waiting', path: own, holder }, message);
    const again = async (): Promise<void> => {
      // A failure here leaves the process reachable by its own name; the next look may succeed.
      const still = await claim(path, own, supervised).catch(() => 0);
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
      if (known?.ino !== ino) return;
      const heir = await findHeir(path, own);
      if (heir === undefined) await rm(path, { force: true });
      else await takeName(path, heir);
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

/**
 * Takes the known name, or gives the pid of the process that keeps it (0: it does not say). It is not kept by a
 * process that drains, nor, from a supervised one, by one that is not.
 */
async function claim(path: string, own: string, supervised: boolean): Promise<number | undefined> {
  const there = await lstat(path).catch(() => undefined);
  if (there !== undefined && !there.isSocket()) {
    throw new AppError(
      'PERMISSION_DENIED',
      `${path} exists and is no socket; move it or choose another --admin-socket`,
    );
  }
  if (there !== undefined && (await isListenedOn(path))) {
    const holder = await askReadiness(path);
    // A predecessor that ended may have left it to us.
    if (holder?.pid === process.pid) return undefined;
    const outranked = supervised && holder !== undefined && holder.supervised !== true;
    if (holder?.state !== 'draining' && !outranked) return holder?.pid ?? 0;
  }
  await takeName(path, own);
  return undefined;
}

/** Makes the known name a link to a process's own. */
async function takeName(path: string, own: string): Promise<void> {
  const next = `${own}.next`;
  await rm(next, { force: true });
  await link(own, next);
  await rename(next, path);
}

/** Another process's own name on which somebody answers. */
async function findHeir(path: string, own: string): Promise<string | undefined> {
  for (const { file } of await ownNames(path)) {
    if (file !== own && file.endsWith('.sock') && (await isListenedOn(file))) return file;
  }
  return undefined;
}

/** The names of single processes beside the known one, also those that ended. */
async function ownNames(path: string): Promise<readonly { readonly file: string; readonly pid: number }[]> {
  const stem = basename(path).replace(/\.sock$/, '');
  const names = (await readdir(dirname(path))).filter((name) => name.startsWith(`${stem}.`));
  return names.flatMap((name) => {
    const pid = /^\.(\d+)\.sock(\.next)?$/.exec(name.slice(stem.length))?.[1];
    return pid === undefined ? [] : { file: join(dirname(path), name), pid: Number(pid) };
  });
}

/** Sockets of processes that ended without removing them. */
async function removeLeftovers(path: string): Promise<void> {
  for (const { file, pid } of await ownNames(path)) {
    if (pid === process.pid || !isAlive(pid)) await rm(file, { force: true });
  }
}
