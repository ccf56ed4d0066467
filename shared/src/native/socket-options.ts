/**
 * Socket options that Node has no call for, above all the buffer sizes of TCP. They are set on a bound socket before
 * it listens: accepted connections inherit them, and only then does the receive buffer decide the TCP window scale
 * that is agreed in the handshake (tcp(7)).
 *
 * Where the system gives no way, the report says so with a named reason, and the caller logs it.
 */
import { BoundSocket, type BoundSocketOptions } from 'node:net';
import type { Transport } from '../system/listeners.ts';
import { type Libc, type LibcResult, linux, loadLibc, type NativeGap, nativeGaps, sizes } from './linux.ts';

/** Why an option could not be read or set: no native calls, no descriptor to call them with, or the call failed. */
export type SocketOptionGap = NativeGap | 'no-descriptor' | 'call-failed';

/** What was asked for. Left out: the system's own choice, which for TCP adapts itself to the connection. */
export interface BufferRequest {
  readonly receiveBufferBytes?: number | undefined;
  readonly sendBufferBytes?: number | undefined;
}

export interface BufferSize {
  readonly requestedBytes: number | undefined;
  /** What the system reports. Linux reports twice what it was given, the second half for its own book-keeping. */
  readonly effectiveBytes: number;
  /** The kernel setting that cut the request down; `undefined` when it was granted in full. */
  readonly limitedBy: string | undefined;
}

export type BufferReport =
  | { readonly available: true; readonly receive: BufferSize; readonly send: BufferSize }
  | {
      readonly available: false;
      readonly gap: SocketOptionGap;
      /** One sentence for a person. */
      readonly message: string;
      /** The request that stays without effect. */
      readonly request: BufferRequest;
    };

/** The kernel keeps sizes in an `int` and doubles them. */
const MAX_BUFFER_BYTES = 2 ** 30;

const BUFFERS = {
  receive: { option: linux.SO_RCVBUF, limit: 'net.core.rmem_max' },
  send: { option: linux.SO_SNDBUF, limit: 'net.core.wmem_max' },
} as const;

class CallFailed extends Error {}

/**
 * Sets the requested buffer sizes of a socket and reports what the system made of them.
 *
 * @param fd descriptor of the socket, which stays the caller's; -1 where the system has none
 * @throws RangeError when a size is not a whole number from 1 to 2^30
 */
export function setBufferSizes(fd: number, request: BufferRequest, loaded: LibcResult = loadLibc()): BufferReport {
  for (const bytes of [request.receiveBufferBytes, request.sendBufferBytes]) {
    if (bytes !== undefined && !(Number.isInteger(bytes) && bytes >= 1 && bytes <= MAX_BUFFER_BYTES)) {
      throw new RangeError(`a socket buffer of ${bytes} bytes is out of range: 1 to ${MAX_BUFFER_BYTES} is allowed`);
    }
  }
  const gap = (reason: SocketOptionGap, message: string): BufferReport => ({
    available: false,
    gap: reason,
    message,
    request,
  });
  if (!loaded.available) return gap(loaded.gap, nativeGaps[loaded.gap]);
  if (fd < 0) return gap('no-descriptor', 'this system gives no descriptor of the socket');
  const { libc } = loaded;
  const one = (kind: keyof typeof BUFFERS, bytes: number | undefined): BufferSize => {
    const { option, limit } = BUFFERS[kind];
    if (bytes !== undefined) setInt(libc, fd, linux.SOL_SOCKET, option, bytes);
    return judgeBufferSize(bytes, getInt(libc, fd, linux.SOL_SOCKET, option), limit);
  };
  try {
    return {
      available: true,
      receive: one('receive', request.receiveBufferBytes),
      send: one('send', request.sendBufferBytes),
    };
  } catch (error) {
    if (!(error instanceof CallFailed)) throw error;
    return gap('call-failed', error.message);
  }
}

/**
 * Compares a request with what Linux reports afterwards: a request within the limit comes back doubled, one above it
 * comes back as twice the limit, and one below the kernel's minimum as that minimum.
 */
export function judgeBufferSize(requestedBytes: number | undefined, effectiveBytes: number, limit: string): BufferSize {
  const limited = requestedBytes !== undefined && effectiveBytes < 2 * requestedBytes;
  return { requestedBytes, effectiveBytes, limitedBy: limited ? limit : undefined };
}

/** Where to bind: `host` is an IP address, since binding looks up no names. */
export type BindOptions = BoundSocketOptions & { readonly host: string; readonly port: number };

/** A TCP socket that is bound but does not listen yet: hand `socket` to `server.listen`, which then owns it. */
export interface BoundTcp {
  readonly socket: BoundSocket;
  readonly buffers: BufferReport;
}

/**
 * Binds a TCP socket with the requested buffer sizes, for `server.listen({ handle: socket, backlog })`.
 *
 * In a worker of `node:cluster` the socket is the worker's own and not shared through the primary: several workers
 * need `reusePort`.
 *
 * @throws the system error of bind(2), with `code`, `syscall`, `address` and `port`
 * @throws RangeError when a size is not a whole number from 1 to 2^30
 */
export function bindTcp(options: BindOptions, request: BufferRequest): BoundTcp {
  const socket = new BoundSocket(options);
  try {
    return { socket, buffers: setBufferSizes(socket.fd(), request) };
  } catch (error) {
    socket.close();
    throw error;
  }
}

type Unit = 'bytes' | 'switch' | 'seconds' | 'milliseconds' | 'count';

export interface SocketOption {
  readonly name: string;
  readonly unit: Unit;
  readonly meaning: string;
  readonly transports: readonly Transport[];
  readonly read: (libc: Libc, fd: number) => number;
}

const { SOL_SOCKET, IPPROTO_TCP } = linux;
const BOTH = ['tcp', 'udp'] as const;
const TCP_ONLY = ['tcp'] as const;

type Reader = SocketOption['read'];
const int =
  (level: number, option: number): Reader =>
  (libc, fd) =>
    getInt(libc, fd, level, option);
const timevalMs =
  (level: number, option: number): Reader =>
  (libc, fd) =>
    getTimevalMs(libc, fd, level, option);

type OptionRow = readonly [name: string, unit: Unit, transports: readonly Transport[], read: Reader, meaning: string];

const OPTION_ROWS: readonly OptionRow[] = [
  ['SO_RCVBUF', 'bytes', BOTH, int(SOL_SOCKET, linux.SO_RCVBUF), 'receive buffer'],
  ['SO_SNDBUF', 'bytes', BOTH, int(SOL_SOCKET, linux.SO_SNDBUF), 'send buffer'],
  ['O_NONBLOCK', 'switch', BOTH, getNonBlocking, 'calls return at once instead of waiting'],
  [
    'SO_RCVTIMEO',
    'milliseconds',
    BOTH,
    timevalMs(SOL_SOCKET, linux.SO_RCVTIMEO),
    'longest blocking receive, 0 for ever',
  ],
  ['SO_SNDTIMEO', 'milliseconds', BOTH, timevalMs(SOL_SOCKET, linux.SO_SNDTIMEO), 'longest blocking send, 0 for ever'],
  [
    'SO_REUSEADDR',
    'switch',
    BOTH,
    int(SOL_SOCKET, linux.SO_REUSEADDR),
    'bind while old connections linger in TIME_WAIT',
  ],
  ['SO_REUSEPORT', 'switch', BOTH, int(SOL_SOCKET, linux.SO_REUSEPORT), 'several sockets share one address and port'],
  ['TCP_NODELAY', 'switch', TCP_ONLY, int(IPPROTO_TCP, linux.TCP_NODELAY), 'send small segments at once (no Nagle)'],
  ['SO_KEEPALIVE', 'switch', TCP_ONLY, int(SOL_SOCKET, linux.SO_KEEPALIVE), 'probe a silent peer'],
  ['TCP_KEEPIDLE', 'seconds', TCP_ONLY, int(IPPROTO_TCP, linux.TCP_KEEPIDLE), 'silence before the first probe'],
  ['TCP_KEEPINTVL', 'seconds', TCP_ONLY, int(IPPROTO_TCP, linux.TCP_KEEPINTVL), 'time between probes'],
  ['TCP_KEEPCNT', 'count', TCP_ONLY, int(IPPROTO_TCP, linux.TCP_KEEPCNT), 'unanswered probes before giving up'],
];

/** The options of the socket interface that people ask about, in the order they are shown. */
export const socketOptions: readonly SocketOption[] = OPTION_ROWS.map(([name, unit, transports, read, meaning]) => ({
  name,
  unit,
  transports,
  read,
  meaning,
}));

export interface OptionReading {
  readonly option: SocketOption;
  readonly value: number;
}

/**
 * The value of every option of a socket.
 *
 * @throws Error when getsockopt(2) fails, which on an open socket of this transport it does not
 */
export function readSocketOptions(fd: number, transport: Transport, libc: Libc): readonly OptionReading[] {
  return socketOptions
    .filter(({ transports }) => transports.includes(transport))
    .map((option) => ({ option, value: option.read(libc, fd) }));
}

/** Runs `use` with the descriptor of a socket fresh from socket(2), as no library has touched it, and closes it. */
export function withFreshSocket<T>(libc: Libc, transport: Transport, use: (fd: number) => T): T {
  const type = transport === 'tcp' ? linux.SOCK_STREAM : linux.SOCK_DGRAM;
  const fd = libc.socket(linux.AF_INET, type | linux.SOCK_CLOEXEC, 0);
  if (fd < 0) throw new CallFailed(`socket: ${libc.errorName()}`);
  try {
    return use(fd);
  } finally {
    libc.close(fd);
  }
}

/** An `int` in memory. Both architectures let through are little-endian. */
function intBytes(value: number): Buffer {
  const bytes = Buffer.alloc(sizes.int);
  bytes.writeInt32LE(value);
  return bytes;
}

function setInt(libc: Libc, fd: number, level: number, option: number, value: number): void {
  const bytes = intBytes(value);
  if (libc.setsockopt(fd, level, option, bytes, bytes.length) !== 0) {
    throw new CallFailed(`setsockopt: ${libc.errorName()}`);
  }
}

function getOption(libc: Libc, fd: number, level: number, option: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  const length = intBytes(size);
  if (libc.getsockopt(fd, level, option, bytes, length) !== 0) throw new CallFailed(`getsockopt: ${libc.errorName()}`);
  return bytes;
}

/** Whether a socket's addresses are IPv4 or IPv6; IPv4 where nobody can tell. */
export function socketFamily(fd: number, loaded: LibcResult = loadLibc()): 4 | 6 {
  if (!loaded.available) return 4;
  return getInt(loaded.libc, fd, linux.SOL_SOCKET, linux.SO_DOMAIN) === linux.AF_INET6 ? 6 : 4;
}

function getInt(libc: Libc, fd: number, level: number, option: number): number {
  return getOption(libc, fd, level, option, sizes.int).readInt32LE();
}

function getTimevalMs(libc: Libc, fd: number, level: number, option: number): number {
  const timeval = getOption(libc, fd, level, option, sizes.timeval);
  return Number(timeval.readBigInt64LE(0)) * 1_000 + Number(timeval.readBigInt64LE(8)) / 1_000;
}

function getNonBlocking(libc: Libc, fd: number): number {
  const flags = libc.fcntl(fd, linux.F_GETFL);
  if (flags < 0) throw new CallFailed(`fcntl: ${libc.errorName()}`);
  return (flags & linux.O_NONBLOCK) === 0 ? 0 : 1;
}
