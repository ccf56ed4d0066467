/**
 * What is kept of an upload beside its partial file, so that another process can go on with it: one JSON object.
 *
 *   {"version":1,"id":"…","path":"docs/a.txt","sizeBytes":1073741824,"precondition":{"kind":"none"},"sha256":"…",
 *    "durableBytes":67108864,"digest":{"words":"…","totalBytes":67108864,"tail":""}}
 */
import { decodePath } from '../protocol/path.ts';
import { type DigestState, isDigestState } from './running-digest.ts';
import type { Precondition, UploadRequest } from './store.ts';

export interface UploadRecord {
  readonly id: string;
  readonly request: UploadRequest;
  /** Bytes that are on disk for certain. The file may be longer; what is behind them is written again. */
  readonly durableBytes: number;
  /** Of exactly these bytes. */
  readonly digest: DigestState;
}

const VERSION = 1;

export function encodeRecord({ id, request, durableBytes, digest }: UploadRecord): Buffer {
  const { path, sizeBytes, precondition, sha256 } = request;
  const record = { version: VERSION, id, path: path.text, sizeBytes, precondition, sha256, durableBytes, digest };
  return Buffer.from(`${JSON.stringify(record)}\n`);
}

/** The record, or undefined for what is none: of another version, or cut off by a crash. */
export function decodeRecord(bytes: Uint8Array): UploadRecord | undefined {
  try {
    return fieldsOf(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch {
    return undefined;
  }
}

function fieldsOf(value: Record<string, unknown>): UploadRecord | undefined {
  const { version, id, path, sizeBytes, precondition, sha256, durableBytes, digest } = value;
  const sound =
    version === VERSION &&
    typeof id === 'string' &&
    typeof path === 'string' &&
    (sizeBytes === undefined || isCount(sizeBytes)) &&
    isPrecondition(precondition) &&
    (sha256 === undefined || (typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256))) &&
    isCount(durableBytes) &&
    isDigestState(digest) &&
    digest.totalBytes === durableBytes;
  if (!sound) return undefined;
  return { id, request: { path: decodePath(path), sizeBytes, precondition, sha256 }, durableBytes, digest };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isPrecondition(value: unknown): value is Precondition {
  const { kind, etag } = (value ?? {}) as { kind?: unknown; etag?: unknown };
  return kind === 'none' || kind === 'any' || (kind === 'etag' && typeof etag === 'string');
}
