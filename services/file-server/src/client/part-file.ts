/** Files that are not here as a whole: made, found again and removed under the names that nothing else has. */
import { closeSync, constants, fstatSync, lstatSync, openSync, unlinkSync } from 'node:fs';
import { type AppError, systemCode } from '@small-servers/shared/errors';
import { displayName } from './display-name.ts';
import { localFailure } from './failures.ts';
import { temporaryName } from './part-name.ts';
import type { LocalFolder } from './target-folder.ts';

const NEW_FILE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const OLD_FILE = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Two of these names are hardly ever the same; a file system that says so again and again is broken. */
const MAX_TEMPORARY_NAMES = 10;

/** Opens the part of an earlier run, or makes a new one. Not a link, and a file that has no other name. */
export function openPart(path: Buffer): number {
  try {
    return openSync(path, NEW_FILE, 0o666);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
  const descriptor = openSync(path, OLD_FILE);
  const found = fstatSync(descriptor);
  if (found.isFile() && found.nlink === 1) return descriptor;
  closeSync(descriptor);
  throw new Error('there is something else of this name');
}

/** Makes a file for a moment. What is there already, whoever made it, stays as it is. */
export function openTemporary(folder: LocalFolder): { readonly name: Buffer; readonly descriptor: number } {
  for (let left = MAX_TEMPORARY_NAMES; ; left--) {
    const name = Buffer.from(temporaryName());
    try {
      return { name, descriptor: openSync(folder.at(name), NEW_FILE, 0o666) };
    } catch (error) {
      if (systemCode(error) !== 'EEXIST' || left === 1) throw error;
    }
  }
}

/** @throws Error if the path does not lead to the open file, or no longer */
export function checkIsAt(path: Buffer, descriptor: number): void {
  const held = fstatSync(descriptor, { bigint: true });
  const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (found?.ino === held.ino && found.dev === held.dev) return;
  throw new Error(found === undefined ? 'somebody removed it' : 'somebody put something else in its place');
}

/** @returns why it is still there */
export function removePart(folder: LocalFolder, name: Buffer): AppError | undefined {
  try {
    unlinkSync(folder.at(name));
    return undefined;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    return localFailure(`${displayName(name)} can not be removed`, error);
  }
}
