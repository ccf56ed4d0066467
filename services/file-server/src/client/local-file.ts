/** A file on this side that is sent: what it is, and whether it is still that. */
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { systemCode } from '@small-servers/shared/errors';
import { localFailure } from './failures.ts';

/** Changes with the content: as long as it is the same, what was sent of a file fits what is still to be sent. */
export interface FileIdentity {
  readonly device: string;
  readonly inode: string;
  readonly sizeBytes: number;
  readonly modifiedNs: string;
  readonly changedNs: string;
}

export interface LocalFile {
  readonly descriptor: number;
  readonly identity: FileIdentity;
}

/**
 * Opens a regular file to read. Nothing else is opened: a FIFO would wait for a writer.
 *
 * @param followLinks whether a link as the last name leads on
 * @throws AppError LOCAL_FILE_FAILED
 */
export function openLocalFile(path: Buffer | string, followLinks: boolean): LocalFile {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | (followLinks ? 0 : constants.O_NOFOLLOW);
  let descriptor: number;
  try {
    descriptor = openSync(path, flags);
  } catch (error) {
    throw systemCode(error) === 'ELOOP' ? localFailure('it became a link') : localFailure('it can not be read', error);
  }
  const stats = fstatSync(descriptor, { bigint: true });
  if (stats.isFile()) return { descriptor, identity: identityOf(stats) };
  closeSync(descriptor);
  throw localFailure(stats.isDirectory() ? 'it is a folder; give -r to send what is in it' : 'it is no regular file');
}

function identityOf(stats: BigIntStats): FileIdentity {
  return {
    device: String(stats.dev),
    inode: String(stats.ino),
    sizeBytes: Number(stats.size),
    modifiedNs: String(stats.mtimeNs),
    changedNs: String(stats.ctimeNs),
  };
}

/** @throws AppError LOCAL_FILE_FAILED if somebody wrote to it since it was opened */
export function checkUnchanged({ descriptor, identity }: LocalFile): void {
  if (!isSame(identityOf(fstatSync(descriptor, { bigint: true })), identity)) throw changedMeanwhile();
}

export function isSame(a: FileIdentity, b: FileIdentity): boolean {
  return (
    a.device === b.device &&
    a.inode === b.inode &&
    a.sizeBytes === b.sizeBytes &&
    a.modifiedNs === b.modifiedNs &&
    a.changedNs === b.changedNs
  );
}

/** All of a small file. @throws AppError LOCAL_FILE_FAILED if it is not as long as it was when it was opened */
export function readWhole(file: LocalFile): Buffer {
  const { descriptor, identity } = file;
  const bytes = Buffer.allocUnsafe(identity.sizeBytes);
  for (let filled = 0; filled < bytes.length; ) {
    const count = readSync(descriptor, bytes, filled, bytes.length - filled, filled);
    if (count === 0) throw changedMeanwhile();
    filled += count;
  }
  checkUnchanged(file);
  return bytes;
}

export function changedMeanwhile(): Error {
  return localFailure('it was written to while it was read; what came of it was not stored');
}
