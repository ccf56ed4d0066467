/** The end of a log file, for saying why a service did not come up. */
import { open } from 'node:fs/promises';

const MAX_TAIL_BYTES = 16 * 1024;

/** Where a file ends now; 0 when there is none. Lines after it belong to what happens next. */
export async function sizeBytes(path: string): Promise<number> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return 0;
  await using _ = file;
  return (await file.stat()).size;
}

/** The last lines written after `fromByte`, oldest first. */
export async function lastLines(path: string, fromByte: number, count: number): Promise<readonly string[]> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return [];
  await using _ = file;
  const { size } = await file.stat();
  const start = Math.max(fromByte > size ? 0 : fromByte, size - MAX_TAIL_BYTES);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
  const lines = buffer
    .toString('utf8', 0, bytesRead)
    .split('\n')
    .filter((line) => line !== '');
  return lines.slice(-count);
}
