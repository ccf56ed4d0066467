/** Standard input as a file: its length is not known, so it goes in chunks, and what was read can't be read again. */
import type { Readable } from 'node:stream';
import { AppError } from '@small-servers/shared/errors';
import type { FilePath } from '../protocol/path.ts';
import type { DigestMaker } from '../store/running-digest.ts';
import type { Connection } from './connection.ts';
import type { Existing } from './existing.ts';
import { corrupted, localFailure } from './failures.ts';
import { PayloadRequest } from './payload-request.ts';

const LF = Buffer.from('\n');
const LAST_CHUNK = Buffer.from('0\n');

/** @returns what was sent and stored. @throws Refusal, AppError FILE_CORRUPTED, and what ends the connection */
export async function putStream(
  connection: Connection,
  path: FilePath,
  input: Readable,
  { existing, makeDigest, onBytes }: { existing: Existing; makeDigest: DigestMaker; onBytes(count: number): void },
): Promise<{ bytes: number; etag: string }> {
  const request = new PayloadRequest();
  const digest = makeDigest();
  let bytes = 0;
  connection.startStream(`PUT ${path.text} chunked if=${existing === 'replace' ? 'any' : 'none'}`, request);
  await request.sent;
  // Who waits for input hears of nothing else: not of Ctrl-C, not of a refusal, not of a server that is gone.
  request.stored.catch((error: Error) => input.destroy(error));
  for await (const chunk of chunksOf(input)) {
    digest.update(chunk);
    bytes += chunk.length;
    await connection.write(Buffer.concat([Buffer.from(`${chunk.length}\n`), chunk, LF]));
    onBytes(chunk.length);
  }
  await connection.write(LAST_CHUNK);
  request.workBytes = bytes;
  connection.endStream();
  const { sizeBytes, sha256, etag } = await request.stored;
  const ours = digest.finish();
  if (sizeBytes !== bytes || (sha256 !== undefined && sha256 !== ours)) {
    await connection.ask(`DEL ${path.text} if=${etag}`).catch(() => {});
    throw corrupted(`the server stored ${sizeBytes} bytes with the sha256 ${sha256}, not ${bytes} with ${ours}`);
  }
  return { bytes, etag };
}

/** @throws AppError that it was destroyed with, or LOCAL_FILE_FAILED */
async function* chunksOf(input: Readable): AsyncGenerator<Buffer> {
  try {
    yield* input;
  } catch (error) {
    throw error instanceof AppError ? error : localFailure('standard input', error);
  }
}

/** What was sent is lost with the connection: nobody can send it again. */
export function cutStream(error: Error): Error {
  if (!(error instanceof AppError) || ['FILE_REFUSED', 'LOCAL_FILE_FAILED'].includes(error.code)) return error;
  return new AppError(error.code, `${error.message}; what standard input gave can not be sent again`, { cause: error });
}
