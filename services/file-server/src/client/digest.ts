/** Digests: asked of the server, and computed here. */
import type { Hash } from 'node:crypto';
import { read } from 'node:fs';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import type { FilePath } from '../protocol/path.ts';
import type { DigestAlgorithm } from '../store/store.ts';
import type { Connection } from './connection.ts';
import { crypto } from './crypto.ts';
import { interrupted, localFailure, violation } from './failures.ts';
import { wirePath } from './listing.ts';
import { formatCrc32 } from './range.ts';

const readAt = promisify(read);
const CHUNK_BYTES = 1024 * 1024;

const forms: Readonly<Record<DigestAlgorithm, RegExp>> = { crc32: /^[0-9a-f]{8}$/, sha256: /^[0-9a-f]{64}$/ };

/** SUM. @throws Refusal, and what ends the connection */
export async function askDigest(
  connection: Connection,
  path: FilePath,
  algorithm: DigestAlgorithm,
  sizeBytes: number,
): Promise<string> {
  const { fields } = await connection.ask(`SUM ${wirePath(path)} alg=${algorithm}`, sizeBytes);
  const digest = fields.get(algorithm);
  if (digest === undefined || !forms[algorithm].test(digest)) {
    const error = violation(connection.target, `a sum that is no ${algorithm}`);
    connection.destroy(error);
    throw error;
  }
  return digest;
}

/** The digests of a file that grows at its end. */
export class RunningDigest {
  #crc = 0;
  readonly #sha256: Hash | undefined;

  constructor({ sha256 }: { sha256: boolean }) {
    this.#sha256 = sha256 ? crypto().createHash('sha256') : undefined;
  }

  /** @param crc of all so far with these bytes, where somebody has it already: it costs as much as to receive them */
  update(bytes: Uint8Array, crc = crc32(bytes, this.#crc)): void {
    this.#crc = crc;
    this.#sha256?.update(bytes);
  }

  get crc32(): string {
    return formatCrc32(this.#crc);
  }

  /** Of what came so far; `undefined` if it was not asked for. It may be read again and again. */
  get sha256(): string | undefined {
    return this.#sha256?.copy().digest('hex');
  }
}

/** Feeds the first `lengthBytes` of an open file to a digest. @throws AppError TRANSFER_INTERRUPTED */
export async function digestStart(
  descriptor: number,
  lengthBytes: number,
  digest: RunningDigest,
  signal: AbortSignal,
): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, lengthBytes));
  for (let offset = 0; offset < lengthBytes; ) {
    if (signal.aborted) throw interrupted();
    const wanted = Math.min(buffer.length, lengthBytes - offset);
    const { bytesRead } = await readAt(descriptor, buffer, 0, wanted, offset);
    if (bytesRead === 0) throw localFailure('it became shorter while it was read');
    digest.update(buffer.subarray(0, bytesRead));
    offset += bytesRead;
  }
}
