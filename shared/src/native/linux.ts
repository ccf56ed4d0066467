/**
 * The C library of Linux, called through `node:ffi`. This is the one place that opens it: signatures, constants and
 * struct layouts live here, so that one file says what is assumed about the platform. Everything that uses it has a
 * fallback, because `node:ffi` is experimental and can be switched off, and because no other system is like this one.
 *
 * The constants are those of asm-generic, which x86-64 and arm64 share. They differ on mips, sparc, alpha and parisc,
 * where a wrong number would set another option, so only the two are let through.
 */
import type { DynamicLibrary, DynamicLibraryResult, FunctionDefinitions } from 'node:ffi';
import { getSystemErrorName } from 'node:util';

/** Protocol families, socket types and the options that are read or set, from <sys/socket.h>, <netinet/*.h> and <fcntl.h>. */
export const linux = {
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_CLOEXEC: 0o2_000_000,
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  SO_SNDBUF: 7,
  SO_RCVBUF: 8,
  SO_KEEPALIVE: 9,
  SO_REUSEPORT: 15,
  SO_DOMAIN: 39,
  SO_RCVTIMEO: 20,
  SO_SNDTIMEO: 21,
  SO_ATTACH_REUSEPORT_CBPF: 51,
  IPPROTO_TCP: 6,
  TCP_NODELAY: 1,
  TCP_KEEPIDLE: 4,
  TCP_KEEPINTVL: 5,
  TCP_KEEPCNT: 6,
  IPPROTO_IP: 0,
  IP_PKTINFO: 8,
  IPPROTO_IPV6: 41,
  IPV6_V6ONLY: 26,
  IPV6_RECVPKTINFO: 49,
  IPV6_PKTINFO: 50,
  MSG_DONTWAIT: 0x40,
  F_GETFL: 3,
  O_NONBLOCK: 0o4_000,
} as const;

/** `int`, and `struct timeval` of a 64-bit system: seconds then microseconds, 8 bytes each. */
export const sizes = { int: 4, timeval: 16 } as const;

const SIGNATURES = {
  socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
  close: { arguments: ['i32'], return: 'i32' },
  fcntl: { arguments: ['i32', 'i32'], return: 'i32' },
  getsockopt: { arguments: ['i32', 'i32', 'i32', 'buffer', 'buffer'], return: 'i32' },
  setsockopt: { arguments: ['i32', 'i32', 'i32', 'buffer', 'u32'], return: 'i32' },
  bind: { arguments: ['i32', 'buffer', 'u32'], return: 'i32' },
  getsockname: { arguments: ['i32', 'buffer', 'buffer'], return: 'i32' },
  recvmmsg: { arguments: ['i32', 'pointer', 'u32', 'i32', 'pointer'], return: 'i32' },
  sendmmsg: { arguments: ['i32', 'pointer', 'u32', 'i32'], return: 'i32' },
  __errno_location: { arguments: [], return: 'pointer' },
} as const satisfies FunctionDefinitions;

type Functions = DynamicLibraryResult<typeof SIGNATURES>['functions'];

/** The functions above, and the name of the error (`EBADF`) that the last failed call left behind. */
export interface Libc extends Omit<Functions, '__errno_location'> {
  /** Only right after a call that failed, before anything else is called. */
  errorName(): string;
  /** Where a buffer's bytes are: valid for as long as something refers to the buffer. */
  addressOf(buffer: NodeJS.ArrayBufferView): bigint;
}

/** Why the C library cannot be called, as one word for logs. */
export type NativeGap = 'not-linux' | 'unknown-architecture' | 'ffi-off' | 'ffi-denied' | 'libc-not-loaded';

/** Each gap in a sentence for a person, with what can be done about it. */
export const nativeGaps: Readonly<Record<NativeGap, string>> = {
  'not-linux': 'native socket calls are made on Linux only',
  'unknown-architecture': 'native socket calls are made on x64 and arm64 only',
  'ffi-off': 'this Node has no node:ffi, or it was started with --no-experimental-ffi',
  'ffi-denied': 'the permission model denies native calls; --allow-ffi grants them',
  'libc-not-loaded': 'the C library lacks a function that is needed',
};

export type LibcResult =
  | { readonly available: true; readonly libc: Libc }
  | { readonly available: false; readonly gap: NativeGap };

/** The parts of `process` that decide whether the C library can be called; tests put others in their place. */
export type NativeHost = Pick<NodeJS.Process, 'platform' | 'arch' | 'getBuiltinModule'> & {
  emitWarning: NodeJS.Process['emitWarning'];
};

const ARCHITECTURES: readonly string[] = ['x64', 'arm64'];

/** Functions of the running process, called through `node:ffi`. */
export interface NativeFunctions<T extends FunctionDefinitions> {
  readonly available: true;
  readonly ffi: typeof import('node:ffi');
  /** For callbacks: each is registered with it, and lives as long as it is registered. */
  readonly lib: DynamicLibrary;
  readonly functions: DynamicLibraryResult<T>['functions'];
}

export type NativeResult<T extends FunctionDefinitions> =
  | NativeFunctions<T>
  | { readonly available: false; readonly gap: NativeGap };

/**
 * Finds functions in the running process, into which the C library and libuv are linked whatever their files are
 * called. Never throws: what is missing is named.
 */
export function openNative<const T extends FunctionDefinitions>(host: NativeHost, definitions: T): NativeResult<T> {
  if (host.platform !== 'linux') return { available: false, gap: 'not-linux' };
  if (!ARCHITECTURES.includes(host.arch)) return { available: false, gap: 'unknown-architecture' };
  const ffi = loadFfi(host);
  if (ffi === undefined) return { available: false, gap: 'ffi-off' };
  try {
    // A path of null means the running process.
    return { available: true, ffi, ...ffi.dlopen(null, definitions) };
  } catch (error) {
    const denied = (error as NodeJS.ErrnoException).code === 'ERR_ACCESS_DENIED';
    return { available: false, gap: denied ? 'ffi-denied' : 'libc-not-loaded' };
  }
}

/** Opens the C library, without any cache. Never throws: what is missing is named. */
export function openLibc(host: NativeHost): LibcResult {
  const native = openNative(host, SIGNATURES);
  if (!native.available) return native;
  const { ffi } = native;
  const { __errno_location: errnoLocation, ...functions } = native.functions;
  const errorName = (): string => getSystemErrorName(-ffi.getInt32(errnoLocation()));
  return { available: true, libc: { ...functions, errorName, addressOf: ffi.getRawPointer } };
}

/**
 * Loads `node:ffi` without its warning. On every start of every daemon Node would print to stderr that FFI is
 * experimental; that the feature is experimental is our business (a fallback stands behind each use, and the runtime
 * is pinned to one version), not the operator's. Only what is emitted during this one synchronous load is dropped:
 * every other warning, also of other experimental features, is shown as ever.
 */
function loadFfi(host: NativeHost): typeof import('node:ffi') | undefined {
  const { emitWarning } = host;
  host.emitWarning = () => {};
  try {
    return host.getBuiltinModule('node:ffi');
  } finally {
    host.emitWarning = emitWarning;
  }
}

let cached: LibcResult | undefined;

/** The C library of this process, opened at the first call (about 2 ms) and kept. */
export function loadLibc(): LibcResult {
  cached ??= openLibc(process);
  return cached;
}
