/** What is to be fetched, and how: the words that the two ways of fetching share. */
import type { AppError } from '@small-servers/shared/errors';
import type { FilePath } from '../protocol/path.ts';
import type { RemoteEntry } from '../protocol/reply-entry.ts';
import type { Connection } from './connection.ts';
import type { TargetFolder } from './target-folder.ts';

export interface FetchPlan {
  /** On the server, from its root. */
  readonly path: FilePath;
  readonly entry: RemoteEntry;
  /** The folder below the target, and the name in it. */
  readonly folderNames: readonly Buffer[];
  readonly name: Buffer;
}

/** `auto`: crc32 always, sha256 where the server knows it; `sha256`: the server is asked for it. */
export type Verify = 'auto' | 'crc32' | 'sha256';

export interface FetchPolicy {
  readonly target: TargetFolder;
  readonly verify: Verify;
  /** Which files are on disk for certain before they get their names: `large` are those over SMALL_FILE_BYTES. */
  readonly fsync: 'each' | 'large' | 'never';
  readonly signal: AbortSignal;
  /** So many bytes more are here; less than 0 when some were thrown away. */
  onBytes(count: number): void;
}

/** What is here of a file that is not here as a whole. */
export interface KeptPart {
  /** As it is shown. */
  readonly name: string;
  readonly bytes: number;
}

export interface FetchResult {
  readonly plan: FetchPlan;
  /** Bytes that were here before this run. */
  readonly resumedBytes: number;
  readonly error?: Error | undefined;
  readonly part?: KeptPart | undefined;
}

export interface Fetch {
  readonly movedBytes: number;
  readonly resumedBytes: number;
  /** What is kept for another run; `undefined` when there is nothing. */
  readonly part: KeptPart | undefined;
  /** Why something is still here that `close` or `discard` should have removed. */
  readonly leftover?: AppError | undefined;
  run(connection: Connection): Promise<void>;
  /** The same without a promise, where that can be done: says when it is over. `false` if it can't. */
  start?(connection: Connection, over: (error?: Error) => void): boolean;
  /** Never throws. */
  close(): void;
  /** Never throws. */
  discard(): void;
}
