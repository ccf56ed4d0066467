/** A file that fits into memory: its line, its digest and its content leave together, ahead of any reply. */
import { hash } from 'node:crypto';
import { closeSync } from 'node:fs';
import type { Connection } from './connection.ts';
import { corrupted } from './failures.ts';
import { openLocalFile, readWhole } from './local-file.ts';
import { PayloadRequest } from './payload-request.ts';
import type { PutOutcome, PutPlan, PutPolicy } from './put-plan.ts';
import { isTaken, isThereAlready, otherContent } from './there-already.ts';

/** Up to here a file is sent in one go. */
export const SMALL_UPLOAD_BYTES = 256 * 1024;

/** @throws AppError LOCAL_FILE_FAILED, Refusal, and what ends the connection */
export async function putSmall(
  connection: Connection,
  { path, localPath, followLinks }: PutPlan,
  { existing, onBytes }: PutPolicy,
): Promise<{ outcome: PutOutcome; etag?: string }> {
  const file = openLocalFile(localPath, followLinks);
  let bytes: Buffer;
  try {
    bytes = readWhole(file);
  } finally {
    closeSync(file.descriptor);
  }
  const sha256 = hash('sha256', bytes, 'hex');
  const request = new PayloadRequest();
  const wanted = existing === 'replace' ? 'any' : 'none';
  connection.send(`PUT ${path.text} ${bytes.length} if=${wanted} sha256=${sha256}`, request, bytes);
  try {
    const { sizeBytes, etag } = await request.stored;
    if (sizeBytes !== bytes.length) throw corrupted(`the server stored ${sizeBytes} bytes of ${bytes.length}`);
    onBytes(bytes.length);
    return { outcome: 'stored', etag };
  } catch (error) {
    if (!isTaken(error)) throw error;
    if (existing === 'keep') return { outcome: 'kept' };
    if (await isThereAlready(connection, path, bytes.length, () => sha256)) return { outcome: 'same' };
    throw otherContent();
  }
}
