/** A folder here and everything in it, in the order of the names; links are told of and not followed. */
import { lstatSync, readdirSync } from 'node:fs';
import { localFailure } from './failures.ts';

export interface LocalEntry {
  readonly names: readonly Buffer[];
  readonly localPath: Buffer;
  readonly kind: 'file' | 'directory' | 'other';
  readonly sizeBytes: number;
}

const SLASH = Buffer.from('/');

/** The entries of one folder. @throws AppError LOCAL_FILE_FAILED if it can't be read */
export function readFolder(path: Buffer, names: readonly Buffer[]): readonly LocalEntry[] {
  let found: Buffer[];
  try {
    found = readdirSync(path, { encoding: 'buffer' });
  } catch (error) {
    throw localFailure('this folder can not be read', error);
  }
  return found.toSorted(Buffer.compare).flatMap((name) => {
    const localPath = Buffer.concat([path, SLASH, name]);
    const stats = lstatSync(localPath, { throwIfNoEntry: false });
    // Gone since the folder was read.
    if (stats === undefined) return [];
    const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : 'other';
    return { names: [...names, name], localPath, kind, sizeBytes: kind === 'file' ? stats.size : 0 };
  });
}
