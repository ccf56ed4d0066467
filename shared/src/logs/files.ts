/** The log files of a folder, held open: renaming, packing or deleting them meanwhile changes nothing for us. */
import {
  closeSync,
  constants,
  createReadStream,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  type Stats,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip, gunzipSync, constants as zlib } from 'node:zlib';
import { systemCode } from '../errors.ts';
import { type Chunk, chunksOf, chunksOfStream, type LineAssembler } from './chunks.ts';
import { type LogName, parseLogName } from './names.ts';
import { firstTimeMs } from './scan.ts';

export interface LogFile extends LogName {
  readonly name: string;
  readonly path: string;
  readonly fd: number;
  /** What stays when a file is renamed, and differs from that of a file that got the inode of a deleted one. */
  readonly identity: string;
  /** Bytes at the time of opening. */
  readonly size: number;
  readonly modifiedMs: number;
  /** Time of its first record; the time of its last change when it has none. */
  readonly beginsMs: number;
  /** Its first bytes, at most `HEAD_BYTES`: what it is known by when it is copied or emptied. */
  readonly head: Buffer;
  /** False when its first line is no record: it may be the end of a line that the file before it began. */
  readonly beginsWithRecord: boolean;
}

const { O_NONBLOCK, O_RDONLY } = constants;

const PEEKED_BYTES = 64 * 1024;

/** A log begins with a record and its time: so much of it tells one content of a file from the next. */
export const HEAD_BYTES = 256;

/** What so few packed bytes may unpack to; more than that is no log of ours. */
const MAX_UNPACKED_BYTES = 256 * PEEKED_BYTES;

/** Rotation renames files while we open them; a folder that never holds still is taken as it is. */
const MAX_ATTEMPTS = 5;

/**
 * Opens the logs in a folder, oldest first, the live file of a service last. `isWanted` chooses
 * services. A folder that is not there has none; throws the system's error when it cannot be read.
 */
export function openLogs(folder: string, isWanted: (service: string) => boolean): LogFile[] {
  for (let attempt = 1; ; attempt += 1) {
    const names = listLogs(folder, isWanted);
    const files = names.map((name) => openLog(folder, name)).filter((file) => file !== undefined);
    const opened = files.map(({ name, identity }) => `${name} ${identity}`).join('\n');
    if (opened === listIdentities(folder, isWanted) || attempt === MAX_ATTEMPTS) return files.toSorted(byAge);
    closeLogs(files);
  }
}

/** Names and identities of the logs in a folder: as long as they are the same, no file came, went or was renamed. */
export function listIdentities(folder: string, isWanted: (service: string) => boolean): string {
  return listLogs(folder, isWanted)
    .map((name) => `${name} ${identityAt(join(folder, name))}`)
    .join('\n');
}

/** The services that have logs in a folder. */
export function servicesIn(folder: string): readonly string[] {
  const services = listLogs(folder, () => true).map((name) => parseLogName(name)?.service);
  return [...new Set(services)].filter((service) => service !== undefined);
}

export function closeLogs(files: readonly LogFile[]): void {
  for (const { fd } of files) closeSync(fd);
}

/** Names of the logs, without packed copies whose original is still there: logrotate is packing it. */
function listLogs(folder: string, isWanted: (service: string) => boolean): string[] {
  const names = existsSync(folder) ? readdirSync(folder).toSorted() : [];
  return names.filter((name) => {
    const parsed = parseLogName(name);
    if (parsed === undefined || !isWanted(parsed.service)) return false;
    return !parsed.compressed || !names.includes(name.replace(/\.gz$/, ''));
  });
}

function openLog(folder: string, name: string): LogFile | undefined {
  const path = join(folder, name);
  const parsed = parseLogName(name);
  let fd: number;
  try {
    // Without O_NONBLOCK a named pipe would hold us here.
    fd = openSync(path, O_RDONLY | O_NONBLOCK);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const stats = fstatSync(fd);
  if (parsed === undefined || !stats.isFile()) {
    closeSync(fd);
    return undefined;
  }
  const head = readHead(fd, parsed.compressed);
  return {
    ...parsed,
    name,
    path,
    fd,
    identity: identityOf(stats),
    size: stats.size,
    modifiedMs: stats.mtimeMs,
    beginsMs: firstTimeMs({ buffer: head, start: 0, end: head.length, cut: true }) ?? stats.mtimeMs,
    head: Buffer.from(head.subarray(0, HEAD_BYTES)),
    beginsWithRecord: head[0] === 0x7b,
  };
}

/** `undefined` when nothing is there any more. */
export function identityAt(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats && identityOf(stats);
}

function identityOf({ dev, ino, birthtimeMs }: Stats): string {
  return `${dev}:${ino}:${birthtimeMs}`;
}

function readHead(fd: number, compressed: boolean): Buffer {
  const buffer = Buffer.allocUnsafe(PEEKED_BYTES);
  const head = buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, 0));
  return compressed ? unpackHead(head) : head;
}

function unpackHead(head: Buffer): Buffer {
  try {
    // A flush instead of a finish: the end of the file is not there and not missed.
    return gunzipSync(head, { finishFlush: zlib.Z_SYNC_FLUSH, maxOutputLength: MAX_UNPACKED_BYTES });
  } catch {
    return Buffer.alloc(0);
  }
}

function byAge(a: LogFile, b: LogFile): number {
  return Number(!a.rotated) - Number(!b.rotated) || a.beginsMs - b.beginsMs || a.modifiedMs - b.modifiedMs;
}

/** The file up to the end of its last whole line. */
export function endAtLineEnd(file: LogFile): LogFile {
  if (file.compressed) return file;
  const buffer = Buffer.allocUnsafe(PEEKED_BYTES);
  for (let end = file.size; end > 0; ) {
    const start = Math.max(0, end - buffer.length);
    const block = buffer.subarray(0, readSync(file.fd, buffer, 0, end - start, start));
    const last = block.lastIndexOf(0x0a);
    if (last >= 0) return { ...file, size: start + last + 1 };
    end = start;
  }
  return { ...file, size: 0 };
}

/** The lines of a file, but for a last one that nothing has ended. A damaged packed file gives what can be unpacked, then throws. `start` is where a line begins in one that is not packed. */
export function chunksOfLog(file: LogFile, lines: LineAssembler, start = 0): AsyncGenerator<Chunk> {
  if (!file.compressed) return chunksOf(file.fd, file.size, lines, start);
  // The descriptor is closed by its owner, and read by position, so that it can be read again.
  const packed = createReadStream('', { fd: file.fd, start: 0, autoClose: false });
  const unpacked = createGunzip();
  // A failure ends both streams and is thrown to the one who iterates.
  pipeline(packed, unpacked, () => {});
  return chunksOfStream(unpacked, lines);
}
