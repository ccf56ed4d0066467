/**
 * Lines that outlive their process. What a log has collected and not yet written stands in a file in memory
 * (/dev/shm), mapped into the process: to put a line there is a copy and no system call, and when the process is
 * ended without a word (SIGKILL, abort, a fault) the file is as it was. The next process that opens the same log
 * adds what it finds there.
 *
 * The file: 8 bytes that say what it is, two 32-bit numbers (where what is unwritten begins and ends), the inode of
 * the log as 64 bits, zeros up to byte 64, then the lines. Its owner holds a lock on it, which ends with the process.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { mapFile, tryLock } from '../native/shared-file.ts';
import { type LineStore, STORE_BYTES } from './line-store.ts';
import { isAlive } from './process-alive.ts';

/** A file system in memory, where space that was written once is there for good; a full disk can't reach it. */
const MEMORY_FOLDER = '/dev/shm';

const MAGIC = Buffer.from('ss-log1\n');
const HEADER_BYTES = 64;
const RANGE_AT = 8;
const INODE_AT = 16;

/** Begins the name of a file that has no lock yet. */
const UNFINISHED = '.';

/** How long a lock of an ended process is waited for, and how often it is tried. */
const PATIENCE_MS = 1_000;
const WAIT_MS = 2;

/** Nothing ever wakes it: waiting on it is sleeping. */
const sleepCell = new Int32Array(new SharedArrayBuffer(4));

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants;

export interface KeptLines extends LineStore {
  /** Which file the lines are being written to. */
  writingTo(inode: bigint): void;
  /** Everything is written: nothing is left behind. */
  remove(): void;
}

/** What a process that was ended left behind. */
export interface LeftBehind {
  readonly lines: Buffer;
  /** The log that it was writing to, by inode. */
  readonly inode: bigint;
}

/** The folder of this user, or `undefined` when there is none that is his alone. */
function ownFolder(): string | undefined {
  const uid = process.getuid?.();
  if (uid === undefined) return undefined;
  const folder = join(MEMORY_FOLDER, `small-servers-${uid}`);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch {
    // There already, which is looked at below, or no such file system.
  }
  const stats = statSync(folder, { throwIfNoEntry: false });
  return stats?.isDirectory() && stats.uid === uid && (stats.mode & 0o077) === 0 ? folder : undefined;
}

const pidIn = (name: string): number => Number(name.slice(name.lastIndexOf('.') + 1));

const stemOf = (logPath: string): string => `${createHash('sha256').update(logPath).digest('hex').slice(0, 16)}.`;

/** Whether an open file is the one that has this name: another process may have removed it meanwhile. */
function isAt(path: string, fd: number): boolean {
  return statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino;
}

/**
 * Memory for the lines of a log; `undefined` where the system has none that outlives the process. What others left
 * behind is taken first: one of them may have had our number.
 */
export function keepLines(logPath: string): KeptLines | undefined {
  const folder = ownFolder();
  if (folder === undefined) return undefined;
  const name = `${stemOf(logPath)}${process.pid}`;
  const [path, unfinished] = [join(folder, name), join(folder, `${UNFINISHED}${name}`)];
  let fd: number | undefined;
  try {
    fd = openSync(unfinished, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, 0o600);
    if (!tryLock(fd)) throw new Error('not locked');
    // Written, not only made longer: this is what takes the space.
    const content = Buffer.alloc(HEADER_BYTES + STORE_BYTES);
    MAGIC.copy(content);
    if (writeSync(fd, content, 0, content.length, 0) < content.length) throw new Error('no room');
    const mapped = mapFile(fd, content.length);
    if (mapped === undefined) throw new Error('not mapped');
    linkSync(unfinished, path);
    return store(path, mapped);
  } catch {
    if (fd !== undefined) closeSync(fd);
    return undefined;
  } finally {
    rmSync(unfinished, { force: true });
  }
}

/** The descriptor stays open with the lock on it. */
function store(path: string, mapped: Buffer): KeptLines {
  const range = new Int32Array(mapped.buffer, mapped.byteOffset + RANGE_AT, 2);
  return {
    bytes: mapped.subarray(HEADER_BYTES),
    hold: (start, end) => {
      // In this order: in between, what is written and forgotten has an end before its beginning, which is nothing.
      Atomics.store(range, 1, end);
      Atomics.store(range, 0, start);
    },
    writingTo: (inode) => void mapped.writeBigUInt64LE(inode, INODE_AT),
    remove: () => rmSync(path, { force: true }),
  };
}

/**
 * Gives `add` what ended processes left of a log, in the order of their beginning, and forgets it when `add` returns.
 * Processes that run are passed over.
 */
export function addLeftBehind(logPath: string, add: (left: LeftBehind) => void): void {
  const folder = ownFolder();
  if (folder === undefined) return;
  const stem = stemOf(logPath);
  const names = readdirSync(folder);
  for (const name of names.filter((name) => name.startsWith(UNFINISHED))) {
    if (!isAlive(pidIn(name))) rmSync(join(folder, name), { force: true });
  }
  const finished = names.filter((name) => !name.startsWith(UNFINISHED));
  const files = finished.map((name) => {
    const path = join(folder, name);
    const beganMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    return { path, isOurs: name.startsWith(stem), beganMs };
  });
  // Of other logs, those in which nothing is left are cleared away: nobody may ever open their logs again.
  for (const { path, isOurs } of files.toSorted((a, b) => a.beganMs - b.beganMs))
    addFrom(path, isOurs ? add : undefined);
}

function addFrom(path: string, add: ((left: LeftBehind) => void) | undefined): void {
  let fd: number;
  try {
    fd = openSync(path, O_RDWR | O_NOFOLLOW);
  } catch {
    // Another process was quicker.
    return;
  }
  try {
    if (!isLeft(path, fd) || !isAt(path, fd)) return;
    const left = parse(readFileSync(fd));
    if (left !== undefined && add === undefined) return;
    if (left !== undefined) add?.(left);
    unlinkSync(path);
  } finally {
    closeSync(fd);
  }
}

/** Whether the file's process has ended. Its lock goes with its memory, which the system may free a moment later. */
function isLeft(path: string, fd: number): boolean {
  for (let waitedMs = 0; !tryLock(fd); waitedMs += WAIT_MS) {
    if (waitedMs >= PATIENCE_MS || isAlive(pidIn(path))) return false;
    Atomics.wait(sleepCell, 0, 0, WAIT_MS);
  }
  return true;
}

/** `undefined` when its process ended before it put anything in. */
function parse(content: Buffer): LeftBehind | undefined {
  if (content.length < HEADER_BYTES || !content.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const [start, end] = [content.readInt32LE(RANGE_AT), content.readInt32LE(RANGE_AT + 4)];
  if (start >= end) return undefined;
  return { lines: content.subarray(HEADER_BYTES).subarray(start, end), inode: content.readBigUInt64LE(INODE_AT) };
}
