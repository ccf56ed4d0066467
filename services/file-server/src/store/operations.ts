/**
 * Every file operation of the store, in one seam: the real ones over `node:fs` here, ones that fail, write short or
 * "crash" at a chosen step in the tests. Descriptors are plain numbers and names are bytes, so that nothing is lost in
 * a conversion. All of them throw Node's system errors (`code: 'ENOENT'`, ...).
 *
 * They run in libuv's threads: a disk that takes its time holds up only the one who asked. The exceptions are named
 * `...Now`; they are for what is answered from memory.
 */
import fs from 'node:fs';
import { constants } from 'node:os';
import { type ExclusiveRename, openExclusiveRename } from './native-files.ts';

/** Linux's number, the same on every architecture that Node runs on; Node has no constant for it. */
const O_PATH = 0o10_000_000;

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = fs.constants;

/** Ways to open, as the store uses them. */
export const openFlags = {
  /** A place to go on from, without permission to read it. */
  place: O_PATH | O_DIRECTORY | O_NOFOLLOW,
  /** What is there itself, of whatever kind, without touching it. */
  entry: O_PATH | O_NOFOLLOW,
  /** A directory that can be brought to disk; `fsync` needs more than a place. */
  directory: O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
  /** The root: the one path whose links are followed, because the administrator wrote it. */
  root: O_RDONLY | O_DIRECTORY,
  /** Never waits for the other end of a FIFO, never takes a terminal. */
  read: O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
  /** A new file, or an error. */
  create: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
  /** A partial file that is gone on with; as for `read`, in case that it is none. */
  resume: O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
} as const;

export interface FileOperations {
  /** Without a disk there is nothing to bring to one: `syncData` and `sync` need not be called. */
  readonly hasDisk: boolean;
  open(path: Buffer, flags: number, mode?: number): Promise<number>;
  close(descriptor: number): Promise<void>;
  /** Closes a directory or a small file, which takes no time. */
  closeNow(descriptor: number): void;
  stat(descriptor: number): Promise<fs.BigIntStats>;
  /** For descriptors of local file systems, whose inodes are in memory while they are open. */
  statNow(descriptor: number): fs.BigIntStats;
  /** Of the name itself: a link is not followed. */
  lstat(path: Buffer): Promise<fs.BigIntStats>;
  read(descriptor: number, target: Uint8Array, offset: number): Promise<number>;
  /** For files that are in memory for certain. */
  readNow(descriptor: number, target: Uint8Array, offset: number): number;
  /** For files that are in memory for certain; as `write`. */
  writeNow(descriptor: number, bytes: Uint8Array, offset: number): number;
  /** May write fewer bytes than it was given. */
  write(descriptor: number, bytes: Uint8Array, offset: number): Promise<number>;
  truncate(descriptor: number, sizeBytes: number): Promise<void>;
  changeMode(descriptor: number, mode: number): Promise<void>;
  /** fdatasync: the content, and what is needed to read it back. */
  syncData(descriptor: number): Promise<void>;
  /** fsync: for directories, whose names are their content. */
  sync(descriptor: number): Promise<void>;
  link(from: Buffer, to: Buffer): Promise<void>;
  rename(from: Buffer, to: Buffer): Promise<void>;
  /** Throws EEXIST if something has the new name. */
  renameNew(from: Buffer, to: Buffer): Promise<void>;
  /** `isSpare`: the file has another name, so that nothing is given back. */
  unlink(path: Buffer, isSpare?: boolean): Promise<void>;
  makeDirectory(path: Buffer, mode: number): Promise<void>;
  removeDirectory(path: Buffer): Promise<void>;
  /**
   * The names of a directory in no order, without "." and "..", a few hundred in memory at a time. In latin1, a
   * character a byte: in this form many of them take little memory, and sort as their bytes do.
   */
  names(path: Buffer): AsyncIterable<string>;
  space(path: Buffer): Promise<{ readonly freeBytes: number; readonly fileSystemType: number }>;
}

type Callback<T> = (error: NodeJS.ErrnoException | null, result: T) => void;

function promised<T>(start: (done: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, result) => {
      if (error === null) resolve(result);
      else reject(error);
    });
  });
}

async function* names(path: Buffer): AsyncGenerator<string> {
  // The types know no path of bytes here; the function does.
  const directory = await promised<fs.Dir>((done) => {
    fs.opendir(path as unknown as string, { encoding: 'latin1', bufferSize: 256 }, done);
  });
  for await (const { name } of directory) yield name;
}

let exclusiveRename: ExclusiveRename | undefined;

/** By the one system call that cannot replace anything. It moves no data, so the loop makes it. */
async function renameNew(from: Buffer, to: Buffer): Promise<void> {
  exclusiveRename ??= openExclusiveRename(process) ?? (() => constants.errno.ENOSYS);
  const error = exclusiveRename(from, to);
  if (error === constants.errno.EEXIST) throw taken();
  // What else is wrong the other way finds too, and names it.
  if (error !== 0) await lookThenRename(from, to);
}

/** Where there is no such call: who makes that name after the look loses what it named. */
async function lookThenRename(from: Buffer, to: Buffer): Promise<void> {
  const there = await realOperations.lstat(to).catch(() => undefined);
  if (there !== undefined) throw taken();
  await realOperations.rename(from, to);
}

function taken(): Error {
  return Object.assign(new Error('EEXIST: file already exists'), { code: 'EEXIST', syscall: 'rename' });
}

export const realOperations: FileOperations = {
  hasDisk: true,
  open: (path, flags, mode) => promised((done) => fs.open(path, flags, mode, done)),
  close: (descriptor) => promised((done) => fs.close(descriptor, done as fs.NoParamCallback)),
  closeNow: (descriptor) => fs.closeSync(descriptor),
  stat: (descriptor) => promised((done) => fs.fstat(descriptor, { bigint: true }, done)),
  statNow: (descriptor) => fs.fstatSync(descriptor, { bigint: true }),
  lstat: (path) => promised((done) => fs.lstat(path, { bigint: true }, done)),
  read: (descriptor, target, offset) =>
    promised((done) => fs.read(descriptor, target, 0, target.length, offset, done as Callback<number>)),
  readNow: (descriptor, target, offset) => fs.readSync(descriptor, target, 0, target.length, offset),
  writeNow: (descriptor, bytes, offset) => fs.writeSync(descriptor, bytes, 0, bytes.length, offset),
  write: (descriptor, bytes, offset) =>
    promised((done) => fs.write(descriptor, bytes, 0, bytes.length, offset, done as Callback<number>)),
  truncate: (descriptor, sizeBytes) =>
    promised((done) => fs.ftruncate(descriptor, sizeBytes, done as fs.NoParamCallback)),
  changeMode: (descriptor, mode) => promised((done) => fs.fchmod(descriptor, mode, done as fs.NoParamCallback)),
  syncData: (descriptor) => promised((done) => fs.fdatasync(descriptor, done as fs.NoParamCallback)),
  sync: (descriptor) => promised((done) => fs.fsync(descriptor, done as fs.NoParamCallback)),
  link: (from, to) => promised((done) => fs.link(from, to, done as fs.NoParamCallback)),
  rename: (from, to) => promised((done) => fs.rename(from, to, done as fs.NoParamCallback)),
  renameNew,
  unlink: (path) => promised((done) => fs.unlink(path, done as fs.NoParamCallback)),
  makeDirectory: (path, mode) => promised((done) => fs.mkdir(path, mode, done as fs.NoParamCallback)),
  removeDirectory: (path) => promised((done) => fs.rmdir(path, done as fs.NoParamCallback)),
  names,
  space: async (path) => {
    const figures = await promised<fs.StatsFs>((done) => fs.statfs(path, done));
    return { freeBytes: figures.bavail * figures.bsize, fileSystemType: figures.type };
  },
};

/** For file systems that may keep any call waiting: all of them are made by threads. */
export const remoteOperations: FileOperations = { ...realOperations, renameNew: lookThenRename };
