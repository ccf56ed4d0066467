/** A name that is taken on the server: by the same content, or by another. */
import type { FilePath } from '../protocol/path.ts';
import type { Connection } from './connection.ts';
import { askDigest } from './digest.ts';
import { Refusal, refused } from './failures.ts';
import { askEntry } from './fetch.ts';

/** Whether the server has exactly this content under this name. @throws Refusal, and what ends the connection */
export async function isThereAlready(
  connection: Connection,
  path: FilePath,
  sizeBytes: number,
  digest: () => string | Promise<string>,
): Promise<boolean> {
  const entry = await askEntry(connection, path);
  if (entry.kind === 'directory')
    throw refused('EXISTS', 'there is a folder of this name; end it with / to put into it');
  if (entry.kind !== 'file' || entry.sizeBytes !== sizeBytes) return false;
  const theirs = entry.sha256 ?? (await askDigest(connection, path, 'sha256', sizeBytes));
  return theirs === (await digest());
}

export function isTaken(error: unknown): boolean {
  return error instanceof Refusal && error.refusal === 'EXISTS';
}

/** In place of what the server said, which knows nothing of the content. */
export function otherContent(): Refusal {
  return refused('EXISTS', 'another content has this name there; --existing replace puts this one in its place');
}
