/**
 * A connected UDP socket whose datagrams carry the time at which the kernel had them (socket(7), SIOCGSTAMPNS), and
 * which reads the clock right before it sends. Without it a time stamp is taken when JavaScript gets to it, 13 to
 * 15 us later on an idle machine and milliseconds later on a busy one.
 *
 * The socket is made and connected by native calls and then handed to dgram, which reads from it. Linux only; where
 * it can't be had, `openStampedSocket` says why and the caller takes plain dgram.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { getSystemErrorName } from 'node:util';
import type { IpAddress } from '../inet/address.ts';
import { linux, type NativeFunctions, type NativeGap, type NativeResult, openNative } from './linux.ts';

const SIGNATURES = {
  socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
  connect: { arguments: ['i32', 'buffer', 'u32'], return: 'i32' },
  send: { arguments: ['i32', 'buffer', 'u64', 'i32'], return: 'i64' },
  ioctl: { arguments: ['i32', 'u64', 'buffer'], return: 'i32' },
  clock_gettime: { arguments: ['i32', 'buffer'], return: 'i32' },
  close: { arguments: ['i32'], return: 'i32' },
  __errno_location: { arguments: [], return: 'pointer' },
} as const;

/** <sys/socket.h>, <time.h>, <asm/sockios.h>. */
const SOCK_NONBLOCK = 0o4_000;
const MSG_NOSIGNAL = 0x4000;
const CLOCK_REALTIME = 0;
const SIOCGSTAMPNS = 0x8907n;

/** `struct timespec` of a 64-bit system: seconds, nanoseconds. */
const TIMESPEC_BYTES = 16;

const SOCKADDR_IN_BYTES = 16;
const SOCKADDR_IN6_BYTES = 28;

type Native = NativeFunctions<typeof SIGNATURES>;

export interface StampedSocket {
  /** Sends and returns the wall clock from right before, nanoseconds since 1970. Throws the system's error. */
  send(bytes: Uint8Array): bigint;
  /** `kernelUnixNs`: when the kernel had the datagram; `undefined` when it has no stamp for it. */
  onMessage(handler: (bytes: Buffer, from: RemoteInfo, kernelUnixNs: bigint | undefined) => void): void;
  onError(handler: (error: NodeJS.ErrnoException) => void): void;
  close(): void;
}

export type StampedResult =
  | { readonly available: true; readonly socket: StampedSocket }
  | { readonly available: false; readonly gap: NativeGap };

let loaded: NativeResult<typeof SIGNATURES> | undefined;

/** The functions of this process, found at the first call and kept. */
function loadNative(): NativeResult<typeof SIGNATURES> {
  if (loaded === undefined) {
    loaded = openNative(process, SIGNATURES);
    if (loaded.available) warmUp(loaded.functions);
  }
  return loaded;
}

/** 3 ms of a start; ten times as many gain nothing. */
const WARM_UP_CALLS = 1_000;

/**
 * What lies between the clock and the send is half an error, and code that runs for the first time takes 9 us for it:
 * so the way is gone until it is compiled, with a descriptor that nobody has (EBADF, nothing is sent).
 */
function warmUp(functions: Native['functions']): void {
  const nothing = Buffer.alloc(TIMESPEC_BYTES);
  for (let call = 0; call < WARM_UP_CALLS; call++) readClockAndSend(functions, -1, nothing, nothing);
}

/** Returns what send(2) does; the clock from right before it is in `clock`. */
function readClockAndSend(functions: Native['functions'], fd: number, bytes: Uint8Array, clock: Buffer): bigint {
  functions.clock_gettime(CLOCK_REALTIME, clock);
  return functions.send(fd, bytes, BigInt(bytes.length), MSG_NOSIGNAL);
}

/**
 * Opens a socket on a fresh port that talks with one address only.
 *
 * @throws the system error of socket(2) or connect(2), with `code` and `syscall`
 */
export async function openStampedSocket(
  address: IpAddress,
  port: number,
  native: NativeResult<typeof SIGNATURES> = loadNative(),
): Promise<StampedResult> {
  if (!native.available) return native;
  const { functions } = native;
  const family = address.family === 4 ? linux.AF_INET : linux.AF_INET6;
  const fd = functions.socket(family, linux.SOCK_DGRAM | linux.SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) throw systemError(native, 'socket');
  const to = encodeSocketAddress(address, port);
  if (functions.connect(fd, to, to.length) !== 0) {
    const error = systemError(native, 'connect');
    functions.close(fd);
    throw error;
  }
  // The first call switches stamping on and fails with ENOENT: nothing has come yet.
  functions.ioctl(fd, SIOCGSTAMPNS, Buffer.alloc(TIMESPEC_BYTES));
  try {
    const socket = await adopt(fd, address.family);
    return { available: true, socket: stamped(native, fd, socket) };
  } catch (error) {
    functions.close(fd);
    throw error;
  }
}

/** From here on the descriptor is dgram's, which closes it. */
async function adopt(fd: number, family: IpAddress['family']): Promise<Socket> {
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6');
  const listening = once(socket, 'listening');
  socket.bind({ fd, exclusive: true });
  await listening;
  return socket;
}

function stamped(native: Native, fd: number, socket: Socket): StampedSocket {
  const { functions } = native;
  const sentAt = Buffer.alloc(TIMESPEC_BYTES);
  const receivedAt = Buffer.alloc(TIMESPEC_BYTES);
  return {
    send: (bytes) => {
      if (readClockAndSend(functions, fd, bytes, sentAt) < 0n) throw systemError(native, 'send');
      return unixNsIn(sentAt);
    },
    onMessage: (handler) => {
      socket.on('message', (bytes, from) => {
        // dgram calls back right after each recvmsg(2), so the stamp is that of this datagram.
        const known = functions.ioctl(fd, SIOCGSTAMPNS, receivedAt) === 0;
        handler(bytes, from, known ? unixNsIn(receivedAt) : undefined);
      });
    },
    onError: (handler) => void socket.on('error', handler),
    close: () => void socket.close(),
  };
}

/** Both architectures let through are little-endian. */
function unixNsIn(timespec: Buffer): bigint {
  return timespec.readBigInt64LE(0) * 1_000_000_000n + timespec.readBigInt64LE(8);
}

/** `struct sockaddr_in` or `sockaddr_in6`. */
export function encodeSocketAddress({ family, bytes, zone }: IpAddress, port: number): Buffer {
  const encoded = Buffer.alloc(family === 4 ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES);
  encoded.writeUInt16LE(family === 4 ? linux.AF_INET : linux.AF_INET6, 0);
  encoded.writeUInt16BE(port, 2);
  encoded.set(bytes, family === 4 ? 4 : 8);
  if (zone !== undefined) encoded.writeUInt32LE(scopeOf(zone), 24);
  return encoded;
}

/** The interface's number, by number or name; 0, which connect(2) refuses for such an address, when there is none. */
function scopeOf(zone: string): number {
  if (/^\d+$/.test(zone)) return Number(zone);
  const [scope = 0] = (networkInterfaces()[zone] ?? []).flatMap(({ scopeid }) => scopeid ?? []).filter(Boolean);
  return scope;
}

function systemError({ ffi, functions }: Native, syscall: string): NodeJS.ErrnoException {
  const errno = ffi.getInt32(functions.__errno_location());
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${syscall}: ${code}`), { code, errno: -errno, syscall });
}
