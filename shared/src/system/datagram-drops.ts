/**
 * Datagrams that the system threw away because a socket's receive buffer was full. No call of the socket interface
 * tells them; on Linux each socket has a count in /proc/net/udp and udp6. Elsewhere the answer is "not known".
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { endianness } from 'node:os';
import { parseSocketTable, socketInode } from './listeners.ts';

const TABLES = ['/proc/net/udp', '/proc/net/udp6'] as const;

/** Columns of a line after splitting at blanks, counted from 0; `drops` is the last one. */
const INODE_COLUMN = 9;
const DROPS_COLUMN = 12;

/** The drop count of the socket with this inode in the text of a table; `undefined` when it is not in there. */
export function parseDrops(text: string, inode: number): number | undefined {
  for (const line of text.split('\n')) {
    const columns = line.trim().split(/\s+/);
    if (columns[INODE_COLUMN] === String(inode)) return Number(columns[DROPS_COLUMN]);
  }
  return undefined;
}

export interface DropCounter {
  /** Datagrams thrown away since the socket was made; `undefined` where nobody can tell. */
  read(): Promise<number | undefined>;
}

/** Counts the drops of the UDP socket that this process has bound to `port`. */
export async function openDropCounter(port: number): Promise<DropCounter> {
  const own = await ownSockets();
  for (const path of TABLES) {
    const text = await readFile(path, 'utf8').catch(() => '');
    const socket = parseSocketTable(text, 'udp', endianness()).find(
      (entry) => entry.port === port && own.has(entry.inode),
    );
    if (socket === undefined) continue;
    return { read: async () => parseDrops(await readFile(path, 'utf8').catch(() => ''), socket.inode) };
  }
  return { read: async () => undefined };
}

async function ownSockets(): Promise<ReadonlySet<number>> {
  const descriptors = await readdir('/proc/self/fd').catch(() => []);
  const links = await Promise.all(descriptors.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  return new Set(links.flatMap((link) => socketInode(link) ?? []));
}
