/**
 * Small files written with the calls of Linux that take a held folder, through `node:ffi`: a name is looked up in the
 * folder itself, where Node has only paths, whose way through /proc/self/fd costs as much as the file does. All that
 * goes wrong, for whatever reason, leaves nothing behind and is left to the portable way, which has words for it.
 */
import { openNative } from '@small-servers/shared/native/linux';
import { temporaryName } from './part-name.ts';

export interface NewFile {
  /** Replaced if it is there. */
  readonly name: Buffer;
  readonly bytes: Buffer;
  /** Milliseconds since 1970. */
  readonly modifiedMs: number;
}

/** Puts a file into an open folder; `false` if it is not there. */
export type NativeWriter = (folder: number, file: NewFile) => boolean;

const SIGNATURES = {
  // Pointers to memory that is used again and again are numbers: to find one anew takes a tenth of a call.
  openat: { arguments: ['i32', 'u64', 'i32', 'u32'], return: 'i32' },
  write: { arguments: ['i32', 'buffer', 'u64'], return: 'i64' },
  futimens: { arguments: ['i32', 'u64'], return: 'i32' },
  close: { arguments: ['i32'], return: 'i32' },
  renameat: { arguments: ['i32', 'u64', 'i32', 'u64'], return: 'i32' },
  unlinkat: { arguments: ['i32', 'u64', 'i32'], return: 'i32' },
} as const;

/** O_WRONLY, O_CREAT, O_EXCL and O_CLOEXEC of <fcntl.h>. What is made with O_EXCL is never reached through a link. */
const NEW_FILE = 0o1 | 0o100 | 0o200 | 0o2_000_000;
const MODE = 0o666;

/** NAME_MAX. */
const MAX_NAME_BYTES = 255;

/**
 * Undefined where there are no such calls.
 *
 * @param nextPart gives a name in ASCII for a file while it is written, of at most 255 bytes
 */
export function openNativeWriter(
  host: Parameters<typeof openNative>[0],
  nextPart: () => string = temporaryName,
): NativeWriter | undefined {
  const native = openNative(host, SIGNATURES);
  if (!native.available) return undefined;
  const { ffi, functions } = native;
  const { openat, write, futimens, close, renameat, unlinkat } = functions;
  const part = Buffer.alloc(MAX_NAME_BYTES + 1);
  const partAt = ffi.getRawPointer(part);
  // One is enough for any number of files, which are written one after the other: each gives it back.
  const choosePart = (): void => {
    part.write(`${nextPart()}\0`, 'latin1');
  };
  choosePart();
  const name = Buffer.alloc(MAX_NAME_BYTES + 1);
  const nameAt = ffi.getRawPointer(name);
  // struct timespec[2]: of the access and of the change, seconds and nanoseconds, 8 bytes each.
  const times = new BigInt64Array(4);
  const timesAt = ffi.getRawPointer(times);

  const fill = (descriptor: number, { bytes, modifiedMs }: NewFile): boolean => {
    const seconds = Math.floor(modifiedMs / 1000);
    times[0] = times[2] = BigInt(seconds);
    times[1] = times[3] = BigInt((modifiedMs - seconds * 1000) * 1_000_000);
    const isWritten = bytes.length === 0 || Number(write(descriptor, bytes, BigInt(bytes.length))) === bytes.length;
    return isWritten && futimens(descriptor, timesAt) === 0;
  };

  return (folder, file) => {
    const { length } = file.name;
    if (length > MAX_NAME_BYTES) return false;
    file.name.copy(name);
    name[length] = 0;
    const descriptor = openat(folder, partAt, NEW_FILE, MODE);
    if (descriptor < 0) {
      // Somebody may have a file of this name, which stays as it is.
      choosePart();
      return false;
    }
    const isWhole = fill(descriptor, file);
    // A file system over a network says only here that a write failed.
    const isClosed = close(descriptor) === 0;
    if (isWhole && isClosed && renameat(folder, partAt, folder, nameAt) === 0) return true;
    unlinkat(folder, partAt, 0);
    return false;
  };
}
