/** What is to be sent, and how: the words that the ways of sending share. */
import type { FilePath } from '../protocol/path.ts';
import type { DigestMaker } from '../store/running-digest.ts';
import type { Existing } from './existing.ts';
import type { UploadNotes } from './upload-notes.ts';

export interface PutPlan {
  /** On the server, from its root. */
  readonly path: FilePath;
  readonly localPath: Buffer | string;
  /** As it was when it was found; what counts is what it is when it is opened. */
  readonly sizeBytes: number;
  readonly followLinks: boolean;
}

export interface PutPolicy {
  readonly target: string;
  readonly existing: Existing;
  /** The digest of a large file is sent ahead of it, for which it is read once more. */
  readonly digestFirst: boolean;
  readonly notes: UploadNotes;
  readonly makeDigest: DigestMaker;
  readonly signal: AbortSignal;
  /** So many bytes more are sent; less than 0 when some have to be sent again. */
  onBytes(count: number): void;
}

/** `same`: the server has this very content already; `kept`: it has another, which is to stay. */
export type PutOutcome = 'stored' | 'same' | 'kept';

export interface PutResult {
  readonly plan: PutPlan;
  readonly outcome: PutOutcome | 'failed';
  /** Bytes that the server had before this run. */
  readonly resumedBytes: number;
  readonly etag?: string | undefined;
  readonly error?: Error | undefined;
  /** The server keeps what it has of it, and another run goes on. */
  readonly isResumable?: boolean;
}
