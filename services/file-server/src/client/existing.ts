/** What to do about a file that is already where one is to be put. */
import type { Stats } from 'node:fs';
import type { RemoteEntry } from '../protocol/reply-entry.ts';

/** `replace` leaves a file of the same size and time alone; `keep` any; `fail` calls any an error. */
export type Existing = 'replace' | 'keep' | 'fail';

export type Verdict =
  | { readonly kind: 'fetch' }
  | { readonly kind: 'keep' }
  | { readonly kind: 'refuse'; readonly why: string };

/** The time is set on what was fetched, to the precision of a double of seconds. */
const SAME_TIME_MS = 1;

/** @param found what lstat says of the place; `undefined` when nothing is there */
export function judgeExisting(
  found: Pick<Stats, 'isFile' | 'isSymbolicLink' | 'isDirectory' | 'size' | 'mtimeMs'> | undefined,
  entry: Pick<RemoteEntry, 'sizeBytes' | 'modifiedMs'>,
  existing: Existing,
): Verdict {
  if (found === undefined) return { kind: 'fetch' };
  if (found.isDirectory()) return { kind: 'refuse', why: 'there is a folder of this name' };
  // A rename would put a file in the place of a device.
  if (!found.isFile() && !found.isSymbolicLink()) {
    return { kind: 'refuse', why: 'what is there is no file; to write into it, give - and let the shell redirect' };
  }
  if (existing === 'keep') return { kind: 'keep' };
  const isSame = found.isFile() && found.size === entry.sizeBytes && isSameTime(found.mtimeMs, entry.modifiedMs);
  if (isSame) return { kind: 'keep' };
  return existing === 'fail' ? { kind: 'refuse', why: 'it is already here (--existing fail)' } : { kind: 'fetch' };
}

function isSameTime(aMs: number, bMs: number): boolean {
  return Math.abs(aMs - bMs) < SAME_TIME_MS;
}
