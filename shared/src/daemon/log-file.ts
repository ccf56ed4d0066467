/**
 * A log file, written by appending: several processes may do so at a time, and each write is whole lines. It may be
 * renamed at any time, by logrotate or by hand: the next write finds that out and begins a new file.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { AppError, systemCode } from '../errors.ts';
import type { LeftBehind } from './kept-lines.ts';
import { missingLines } from './missing-lines.ts';

const { O_APPEND, O_CREAT, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/** What other processes may have added behind lines that were being written when their process ended. */
const OTHERS_BYTES = 64 * 1024;

/** Without O_NONBLOCK a named pipe would hold us here. */
const openToAppend = (path: string): number => openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o644);

export class LogFile {
  readonly path: string;
  /** Called for each new file that takes the place of the one before. */
  onReopened: (file: LogFile) => void = () => {};
  #fd: number;
  #device = 0n;
  #inode = 0n;

  /** @throws AppError LOG_UNWRITABLE */
  constructor(path: string) {
    this.path = path;
    this.#fd = openFirst(path);
    this.#adopt(this.#fd);
  }

  get fd(): number {
    return this.#fd;
  }

  get inode(): bigint {
    return this.#inode;
  }

  /** How many bytes were taken; throws what the system says. */
  write(bytes: Uint8Array): number {
    this.reopenIfMoved();
    return writeSync(this.#fd, bytes);
  }

  /** Goes on in a new file when the name belongs to another one now, or to none. */
  reopenIfMoved(): void {
    const there = statSync(this.path, { bigint: true, throwIfNoEntry: false });
    if (there?.ino === this.#inode && there.dev === this.#device) return;
    try {
      const fd = openToAppend(this.path);
      closeSync(this.#fd);
      this.#adopt(fd);
      this.onReopened(this);
    } catch {
      // No descriptor left, or a folder that was closed to us: the renamed file is better than none, for now.
    }
  }

  /** Adds what a process that was ended had not written to the file it was writing to; how many records that are. */
  complete({ lines, inode }: LeftBehind): number {
    const path = this.#find(inode) ?? this.path;
    const missing = missingLines(lines, readTail(path, lines.length + OTHERS_BYTES));
    const fd = openToAppend(path);
    try {
      for (let left = missing; left.length > 0; left = left.subarray(writeSync(fd, left)));
    } finally {
      closeSync(fd);
    }
    return missing
      .toString('latin1')
      .split('\n')
      .filter((line) => line !== '').length;
  }

  #adopt(fd: number): void {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    this.#fd = fd;
    this.#device = dev;
    this.#inode = ino;
  }

  /** The file of that inode, which may have been renamed; not one that was packed. */
  #find(inode: bigint): string | undefined {
    const folder = dirname(this.path);
    const names = readdirSync(folder).filter((name) => name.startsWith(basename(this.path)));
    const paths = names.map((name) => join(folder, name));
    return paths.find((path) => statSync(path, { bigint: true, throwIfNoEntry: false })?.ino === inode);
  }
}

function openFirst(path: string): number {
  try {
    const fd = openToAppend(path);
    if (fstatSync(fd).isFile()) return fd;
    closeSync(fd);
  } catch (error) {
    throw new AppError('LOG_UNWRITABLE', `--log-file ${path} can't be written: ${reasonOf(error, path)}`, {
      cause: error,
    });
  }
  throw new AppError('LOG_UNWRITABLE', `--log-file ${path} is no regular file; choose another path, or off for stdout`);
}

const reasons: Readonly<Record<string, (path: string) => string>> = {
  ENOENT: (path) => `there is no folder ${dirname(path)}; make it, or choose another path`,
  ENOTDIR: (path) => `${dirname(path)} is no folder; choose another path`,
  EACCES: (path) => `no permission for user ${process.getuid?.()}; it needs to write to ${path} and its folder`,
  EISDIR: () => 'it is a folder; name a file in it',
  EROFS: () => 'its file system is read-only; choose another path',
  ENOSPC: () => 'the disk is full',
};

function reasonOf(error: unknown, path: string): string {
  return reasons[systemCode(error) ?? '']?.(path) ?? (error as Error).message;
}

function readTail(path: string, maxBytes: number): Buffer {
  const fd = openSync(path, O_RDONLY);
  try {
    const { size } = fstatSync(fd);
    const tail = Buffer.alloc(Math.min(size, maxBytes));
    return tail.subarray(0, readSync(fd, tail, 0, tail.length, size - tail.length));
  } finally {
    closeSync(fd);
  }
}
