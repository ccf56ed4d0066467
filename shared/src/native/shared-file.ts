/** Files that several processes look at: mapped into memory, locked, put in the place of another descriptor. */
import { type NativeFunctions, type NativeGap, openNative } from './linux.ts';

const SIGNATURES = {
  mmap: { arguments: ['u64', 'u64', 'i32', 'i32', 'i32', 'i64'], return: 'pointer' },
  flock: { arguments: ['i32', 'i32'], return: 'i32' },
  dup2: { arguments: ['i32', 'i32'], return: 'i32' },
} as const;

/** <sys/mman.h> and <sys/file.h> of asm-generic. */
const PROT_READ_WRITE = 0x1 | 0x2;
const MAP_SHARED = 0x1;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
const LOCK_EX = 2;
const LOCK_NB = 4;

let cached: NativeFunctions<typeof SIGNATURES> | { readonly available: false; readonly gap: NativeGap } | undefined;

function native(): NativeFunctions<typeof SIGNATURES> | undefined {
  cached ??= openNative(process, SIGNATURES);
  return cached.available ? cached : undefined;
}

/**
 * A file's bytes as memory, until the process ends: what is stored there is in the file at once, and stays there
 * however the process ends. The file must be that long, and its space must be there: to touch what the system has
 * no room for ends the process.
 *
 * @returns `undefined` when the file can't be mapped
 */
export function mapFile(fd: number, lengthBytes: number): Buffer | undefined {
  const found = native();
  if (found === undefined) return undefined;
  const address = found.functions.mmap(0n, BigInt(lengthBytes), PROT_READ_WRITE, MAP_SHARED, fd, 0n);
  return address === MAP_FAILED ? undefined : found.ffi.toBuffer(address, lengthBytes, false);
}

/** Locks an open file (flock(2)) without waiting. The lock ends with the process, or when the file is closed. */
export function tryLock(fd: number): boolean {
  return native()?.functions.flock(fd, LOCK_EX | LOCK_NB) === 0;
}

/** From now on `target` is what `fd` is; false where that can't be done. */
export function redirect(fd: number, target: number): boolean {
  return native()?.functions.dup2(fd, target) === target;
}
