/** Whether a file is, as a whole, what the server has: for files of several pieces, and where sha256 is wanted. */
import type { Connection } from './connection.ts';
import { askDigest, type RunningDigest } from './digest.ts';
import { corrupted } from './failures.ts';
import type { FetchPlan } from './fetch-plan.ts';

export interface WholeCheck {
  /** The closing crc32 of one GET covers what that GET brought, so a file of several is checked as a whole. */
  readonly inPieces: boolean;
  /** What the server said of its own accord. */
  readonly sha256: string | undefined;
}

/** @throws AppError FILE_CORRUPTED; Refusal, and what ends the connection, of a SUM */
export async function checkWhole(
  connection: Connection,
  { path, entry }: FetchPlan,
  digest: RunningDigest,
  { inPieces, sha256 }: WholeCheck,
): Promise<void> {
  const actual = digest.sha256;
  const algorithm = actual === undefined ? 'crc32' : 'sha256';
  if (actual === undefined && !inPieces) return;
  const known = algorithm === 'sha256' ? sha256 : undefined;
  const wanted = known ?? (await askDigest(connection, path, algorithm, entry.sizeBytes));
  const found = actual ?? digest.crc32;
  if (found !== wanted) {
    throw corrupted(`its ${algorithm} is ${found}, and the server says it should be ${wanted}`);
  }
}
