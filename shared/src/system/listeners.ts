/**
 * Who listens on a port of this host. On Linux that is a join of two views of /proc: the socket tables of the network
 * namespace name every bound socket by inode, and the descriptors of each process say which of them holds that inode.
 * Other systems keep this behind tools of their own, so there the answer is "not known" (`undefined`).
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { endianness } from 'node:os';
import { formatAddress, fromBytes, type IpAddress, parseAddress, unmapped } from '../inet/address.ts';

export type Transport = 'tcp' | 'udp';

/** One bound socket that waits for peers: a TCP listener, or a UDP socket that is not connected. */
export interface SocketEntry {
  readonly transport: Transport;
  readonly address: IpAddress;
  readonly port: number;
  /** The user who made the socket. */
  readonly uid: number;
  readonly inode: number;
}

export type Holder = { readonly pid: number; readonly command: string };

/** `holders` is empty where the process belongs to another user and this one may not look. */
export type Listener = SocketEntry & { readonly holders: readonly Holder[] };

/** The state column that marks a socket waiting for peers: TCP_LISTEN, and for UDP the closed state of "not connected". */
const WAITING_STATE = { tcp: '0A', udp: '07' } as const;

const TABLES = [
  { file: 'tcp', transport: 'tcp' },
  { file: 'tcp6', transport: 'tcp' },
  { file: 'udp', transport: 'udp' },
  { file: 'udp6', transport: 'udp' },
] as const;

/** Longer command lines are cut: they end up in a one-line error message. */
const MAX_COMMAND_LENGTH = 200;

/**
 * Reads the text of /proc/net/{tcp,tcp6,udp,udp6}: the sockets in it that wait for peers. Lines of another shape are
 * passed over, since the kernel may add columns but never changes these.
 *
 * ```
 *   sl  local_address rem_address   st tx_queue:rx_queue tr:tm->when retrnsmt   uid  timeout inode ...
 *    0: 0100007F:1B5F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 ...
 * ```
 *
 * The address is printed as 32-bit words in the byte order of the host, the port as a plain hexadecimal number.
 */
export function parseSocketTable(text: string, transport: Transport, byteOrder: 'LE' | 'BE'): SocketEntry[] {
  const entries: SocketEntry[] = [];
  for (const line of text.split('\n')) {
    const columns = line.trim().split(/\s+/);
    const [, local = '', , state] = columns;
    const [words = '', port = ''] = local.split(':');
    if (state !== WAITING_STATE[transport] || !/^(?:[0-9A-F]{8}|[0-9A-F]{32})$/.test(words)) continue;
    const address = fromBytes(bytesOfWords(words, byteOrder));
    if (!address.ok) continue;
    const [uid, inode] = [Number(columns[7]), Number(columns[9])];
    entries.push({ transport, address: address.value, port: Number.parseInt(port, 16), uid, inode });
  }
  return entries;
}

function bytesOfWords(words: string, byteOrder: 'LE' | 'BE'): Uint8Array {
  const bytes = Buffer.from(words, 'hex');
  return byteOrder === 'LE' ? bytes.swap32() : bytes;
}

/** The inode in the target of a descriptor link, `socket:[4711]`; `undefined` for files and pipes. */
export function socketInode(link: string): number | undefined {
  const match = /^socket:\[(\d+)\]$/.exec(link);
  return match === null ? undefined : Number(match[1]);
}

/** A process's arguments (/proc/PID/cmdline: each ended by NUL) as one printable line of bounded length. */
export function commandOf(cmdline: string): string {
  const words = cmdline.replace(/\0+$/, '').replaceAll('\0', ' ');
  // A process chooses its own arguments; none of them may forge a line of a log or move a cursor.
  const printable = words.replace(/\p{C}/gu, '?');
  return printable.length > MAX_COMMAND_LENGTH ? `${printable.slice(0, MAX_COMMAND_LENGTH - 3)}...` : printable;
}

/**
 * Whether a socket bound to `held` keeps another from binding `wanted` on the same port: same address, or one of them
 * is a wildcard that covers the other. `::` covers IPv4 as well unless it was made IPv6-only, which /proc does not
 * tell; an address in use is explained better by one candidate too many than by none.
 */
export function addressesClash(held: IpAddress, wanted: IpAddress): boolean {
  const [left, right] = [unmapped(held), unmapped(wanted)];
  if (covers(left, right) || covers(right, left)) return true;
  return left.family === right.family && left.bytes.every((byte, index) => byte === right.bytes[index]);
}

const covers = (wildcard: IpAddress, other: IpAddress): boolean =>
  wildcard.bytes.every((byte) => byte === 0) && (wildcard.family === 6 || other.family === 4);

/**
 * Every TCP and UDP socket of this network namespace that waits for peers, with the processes that hold it, ordered
 * by transport, port and address. `undefined` where the system has no /proc/net.
 */
export async function listListeners(): Promise<readonly Listener[] | undefined> {
  const entries = await readSocketTables();
  if (entries === undefined) return undefined;
  const holders = await holdersOf(new Set(entries.map(({ inode }) => inode)));
  return entries
    .map((entry) => ({ ...entry, holders: holders.get(entry.inode) ?? [] }))
    .sort(
      (left, right) =>
        left.transport.localeCompare(right.transport) ||
        left.port - right.port ||
        formatAddress(left.address).localeCompare(formatAddress(right.address)),
    );
}

/**
 * The process that keeps `address` (an IP address in text; a host name finds nothing) and `port` (1 to 65535) from
 * being bound. `undefined` where none is found: nobody listens, the process is another user's, or the system is not
 * Linux. Never throws: it only ever explains an error that was there before.
 */
export async function portHolder(wanted: {
  readonly transport: Transport;
  readonly address: string;
  readonly port: number;
}): Promise<Holder | undefined> {
  const address = parseAddress(wanted.address);
  const entries = await readSocketTables();
  if (!address.ok || entries === undefined) return undefined;
  const clashing = entries.filter(
    (entry) =>
      entry.transport === wanted.transport &&
      entry.port === wanted.port &&
      addressesClash(entry.address, address.value),
  );
  if (clashing.length === 0) return undefined;
  const holders = await holdersOf(new Set(clashing.map(({ inode }) => inode)));
  return clashing.flatMap(({ inode }) => holders.get(inode) ?? [])[0];
}

async function readSocketTables(): Promise<SocketEntry[] | undefined> {
  const tables = await Promise.all(
    TABLES.map(async ({ file, transport }) => {
      const text = await orUndefined(readFile(`/proc/net/${file}`, 'utf8'));
      return text === undefined ? undefined : parseSocketTable(text, transport, endianness());
    }),
  );
  // A kernel without IPv6 has no tcp6 and udp6; only where all are missing is there no /proc at all.
  return tables.every((table) => table === undefined) ? undefined : tables.flatMap((table) => table ?? []);
}

/** The processes that hold each of these sockets, lowest pid first: a forked worker comes after its parent. */
async function holdersOf(inodes: ReadonlySet<number>): Promise<ReadonlyMap<number, readonly Holder[]>> {
  const holders = new Map<number, Holder[]>();
  const entries = (await orUndefined(readdir('/proc'))) ?? [];
  const pids = entries.filter((name) => /^\d+$/.test(name)).map(Number);
  for (const pid of pids.sort((left, right) => left - right)) {
    const held = [...(await socketsOf(pid))].filter((inode) => inodes.has(inode));
    if (held.length === 0) continue;
    const command = commandOf((await orUndefined(readFile(`/proc/${pid}/cmdline`, 'utf8'))) ?? '');
    for (const inode of held) holders.set(inode, [...(holders.get(inode) ?? []), { pid, command }]);
  }
  return holders;
}

async function socketsOf(pid: number): Promise<ReadonlySet<number>> {
  const descriptors = (await orUndefined(readdir(`/proc/${pid}/fd`))) ?? [];
  const links = await Promise.all(descriptors.map((fd) => orUndefined(readlink(`/proc/${pid}/fd/${fd}`))));
  return new Set(links.flatMap((link) => (link === undefined ? [] : (socketInode(link) ?? []))));
}

/** Processes end and descriptors close while they are looked at, and other users' are hidden: both read as absent. */
async function orUndefined<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch {
    return undefined;
  }
}
