/**
 * Linux calls that answer from memory or not at all, through `node:ffi`. They let the loop itself serve what is in the
 * kernel's caches, in a tenth of the time that a trip to a thread and back takes, and never wait for a disk:
 *
 * - openat2(2) resolves a whole path below a directory without leaving it and without following any link
 *   (RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS); with RESOLVE_CACHED it gives up where a name is not in memory.
 * - open with O_TMPFILE makes a file without a name, and linkat(2) gives it one that nothing else has.
 * - preadv2(2) with RWF_NOWAIT reads what the page cache has.
 * - statx(2) tells of a name in a directory in one call, where nothing can wait.
 *
 * And renameat2(2) with RENAME_NOREPLACE is the only rename that never replaces anything.
 *
 * Whatever they do not answer, for whatever reason, is left to `FileOperations`: docs/decisions/0701-file-calls.md.
 */
import fs from 'node:fs';
import { openNative } from '@small-servers/shared/native/linux';
import type { FileStats } from './entries.ts';
import { STATX_BASIC_STATS, StatxBuffer } from './statx.ts';

export interface NativeFiles {
  /**
   * Opens a path below a directory: a descriptor, `absent` for a name that is certainly not there, or `unknown`
   * for whatever the memory does not say.
   */
  open(directory: number, names: readonly Buffer[], flags: number): number;
  /** Bytes read, 0 at the end, or `unknown`. */
  read(descriptor: number, target: Uint8Array, offset: number): number;
  /** Where all is in memory. */
  readonly unnamed?: UnnamedFiles | undefined;
  /** Where all is in memory: what a name in a directory stands for, without following a link; or `unknown`. */
  readonly look?: ((directory: number, name: Buffer) => FileStats | typeof absent | typeof unknown) | undefined;
}

/** Files that have no name until they are whole: what becomes of them before that, nobody sees and nothing is left. */
export interface UnnamedFiles {
  /** A new one on the file system of a directory, open for writing: a descriptor, or a negative number. */
  create(directory: number, mode: number): number;
  /** Gives it a name in a directory, and never takes that from another file. Whether it has it. */
  link(descriptor: number, directory: number, name: Buffer): boolean;
}

/** Renames unless something has the new name: 0, or the error's number. */
export type ExclusiveRename = (from: Buffer, to: Buffer) => number;

export const absent = -1;
export const unknown = -2;

const SIGNATURES = {
  // The C library has no function for openat2. Its number is the same on every architecture. Pointers are numbers
  // here: to find that of a buffer anew for each call takes a fifth of the call.
  syscall: { arguments: ['i64', 'i64', 'u64', 'u64', 'u64'], return: 'i64' },
  linkat: { arguments: ['i32', 'buffer', 'i32', 'buffer', 'i32'], return: 'i32' },
  preadv2: { arguments: ['i32', 'buffer', 'i32', 'i64', 'i32'], return: 'i64' },
  statx: { arguments: ['i32', 'buffer', 'i32', 'u32', 'buffer'], return: 'i32' },
  __errno_location: { arguments: [], return: 'pointer' },
} as const;

const SYS_OPENAT2 = 437n;
const O_CLOEXEC = 0o2_000_000;
const O_TMPFILE = 0o20_000_000 | fs.constants.O_DIRECTORY;
const AT_SYMLINK_FOLLOW = 0x400;
const RWF_NOWAIT = 8;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_NO_AUTOMOUNT = 0x800;
const AT_STATX_DONT_SYNC = 0x4000;
/** The name itself, and what is known of it here. */
const LOOK = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC;
const ENOENT = 2;

/** Of <linux/openat2.h>. Without NO_XDEV a mount below the root might be one that waits for a network. */
const resolve = { NO_XDEV: 0x01, NO_MAGICLINKS: 0x02, NO_SYMLINKS: 0x04, BENEATH: 0x08, CACHED: 0x20 } as const;

/** struct open_how: flags, mode and resolve, 8 bytes each. */
const OPEN_HOW_BYTES = 24n;
/** struct iovec: a pointer and a length, 8 bytes each. */
const IOVEC_BYTES = 16;
/** What is held open, by the number of its descriptor. */
const HELD = '/proc/self/fd/';
/** A path of the kernel, with the NUL at its end. */
const PATH_MAX = 4096;

const RENAME = { renameat2: { arguments: ['i32', 'buffer', 'i32', 'buffer', 'u32'], return: 'i32' } } as const;
const AT_FDCWD = -100;
const RENAME_NOREPLACE = 1;

/** renameat2(2) with RENAME_NOREPLACE; undefined where there is none. */
export function openExclusiveRename(host: Parameters<typeof openNative>[0]): ExclusiveRename | undefined {
  const native = openNative(host, { ...RENAME, __errno_location: SIGNATURES.__errno_location });
  if (!native.available) return undefined;
  const { ffi, functions } = native;
  const errno = functions.__errno_location();
  return (from, to) => {
    const failed = functions.renameat2(AT_FDCWD, terminated(from), AT_FDCWD, terminated(to), RENAME_NOREPLACE) !== 0;
    return failed ? ffi.getInt32(errno) : 0;
  };
}

const terminated = (path: Buffer): Buffer => Buffer.concat([path, NUL]);
const NUL = Buffer.alloc(1);

/**
 * Undefined where the platform, its kernel or its sandbox has no such calls.
 *
 * @param probe a directory to try them on
 * @param allInMemory the file system is tmpfs: there is no disk to wait for, and it keeps no names of what is not there
 */
export function openNativeFiles(
  host: Parameters<typeof openNative>[0],
  probe: number,
  allInMemory: boolean,
): NativeFiles | undefined {
  const native = openNative(host, SIGNATURES);
  if (!native.available) return undefined;
  const { ffi, functions } = native;
  const errno = functions.__errno_location();

  const how = new BigUint64Array(3);
  const { NO_XDEV, NO_MAGICLINKS, NO_SYMLINKS, BENEATH, CACHED } = resolve;
  how[2] = BigInt(NO_XDEV | NO_MAGICLINKS | NO_SYMLINKS | BENEATH | (allInMemory ? 0 : CACHED));
  const howPointer = ffi.getRawPointer(how);
  const path = Buffer.alloc(PATH_MAX);
  const pathPointer = ffi.getRawPointer(path);
  const held = Buffer.alloc(HELD.length + 16);
  held.write(HELD, 'latin1');
  const iovec = new BigUint64Array(IOVEC_BYTES / 8);
  const iovecBytes = new Uint8Array(iovec.buffer);

  const openPath = (directory: number, flags: number, mode = 0): number => {
    how[0] = BigInt(flags | O_CLOEXEC);
    how[1] = BigInt(mode);
    const result = Number(functions.syscall(SYS_OPENAT2, BigInt(directory), pathPointer, howPointer, OPEN_HOW_BYTES));
    if (result >= 0) return result;
    return ffi.getInt32(errno) === ENOENT ? absent : unknown;
  };

  path.write('.\0', 'latin1');
  const descriptor = openPath(probe, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  if (descriptor < 0) return undefined;
  fs.closeSync(descriptor);

  const unnamed: UnnamedFiles = {
    create(directory, mode) {
      path.write('.\0', 'latin1');
      return openPath(directory, fs.constants.O_WRONLY | O_TMPFILE, mode);
    },
    link(file, directory, name) {
      if (name.length >= PATH_MAX) return false;
      path[name.copy(path)] = 0;
      // The other way to say which file is meant, AT_EMPTY_PATH, is not everybody's before Linux 6.10.
      const end = held.write(`${file}\0`, HELD.length, 'latin1');
      return functions.linkat(AT_FDCWD, held.subarray(0, HELD.length + end), directory, path, AT_SYMLINK_FOLLOW) === 0;
    },
  };

  const found = new StatxBuffer();
  const look = (directory: number, name: Buffer): FileStats | typeof absent | typeof unknown => {
    if (name.length >= PATH_MAX) return unknown;
    path[name.copy(path)] = 0;
    if (functions.statx(directory, path, LOOK, STATX_BASIC_STATS, found.bytes) !== 0) {
      return ffi.getInt32(errno) === ENOENT ? absent : unknown;
    }
    return found.mayBeMountRoot ? unknown : found.stats();
  };

  return {
    unnamed: allInMemory ? unnamed : undefined,
    look: allInMemory ? look : undefined,
    open(directory, names, flags) {
      let end = 0;
      for (const name of names) {
        if (end + name.length + 1 >= PATH_MAX) return unknown;
        if (end > 0) path[end++] = 0x2f;
        end += name.copy(path, end);
      }
      path[end] = 0;
      return openPath(directory, flags);
    },
    read(file, target, offset) {
      if (target.length === 0) return unknown;
      iovec[0] = ffi.getRawPointer(target);
      iovec[1] = BigInt(target.length);
      const result = Number(functions.preadv2(file, iovecBytes, 1, BigInt(offset), RWF_NOWAIT));
      return result >= 0 ? result : unknown;
    },
  };
}
