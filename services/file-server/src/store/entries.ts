/** What is told of a file, and the digests that are known of it. */
import { hash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { Entry, EntryKind } from './store.ts';

/** Of what `stat` says, what is made use of. */
export type FileStats = Pick<BigIntStats, 'dev' | 'ino' | 'mode' | 'size' | 'mtimeNs' | 'ctimeNs'>;

const identity = new BigUint64Array(5);
const identityBytes = new Uint8Array(identity.buffer);

/**
 * 16 hex digits from what the file system changes with the content: device and inode (another file of that name),
 * size, and the times of the last change of content and inode. Who writes to a file can set the former time back, but
 * not the latter.
 */
export function etagOf(stats: FileStats): string {
  identity[0] = stats.dev;
  identity[1] = stats.ino;
  identity[2] = stats.size;
  identity[3] = stats.mtimeNs;
  identity[4] = stats.ctimeNs;
  return hash('sha256', identityBytes).slice(0, 16);
}

/** Whether two looks at one inode give the same etag, without making it. */
export function isUnchanged(before: FileStats, after: FileStats): boolean {
  return before.ctimeNs === after.ctimeNs && before.mtimeNs === after.mtimeNs && before.size === after.size;
}

/** Whether the content may be another. A new link, name or mode changes the etag, but not that. */
export function isWritten(before: FileStats, after: FileStats): boolean {
  return before.mtimeNs !== after.mtimeNs || before.size !== after.size;
}

const S_IFMT = 0o170_000n;
const S_IFREG = 0o100_000n;
const S_IFDIR = 0o040_000n;

export function kindOf(stats: FileStats): EntryKind {
  const format = stats.mode & S_IFMT;
  if (format === S_IFREG) return 'file';
  return format === S_IFDIR ? 'directory' : 'other';
}

/** What a Date can hold: some file systems take times of years that no calendar has, and ISO 8601 no text for. */
const MAX_DATE_MS = 8_640_000_000_000_000;

/** Sizes of sparse files can be above what the protocol has numbers for: 2^53-1. */
export function protocolSize(bytes: bigint): number {
  return Math.min(Number(bytes), Number.MAX_SAFE_INTEGER);
}

function protocolTimeMs(nanoseconds: bigint): number {
  return Math.max(-MAX_DATE_MS, Math.min(Number(nanoseconds / 1_000_000n), MAX_DATE_MS));
}

/** With what is known of its content. */
export function entryOf(stats: FileStats, sha256: string | undefined): Entry {
  const kind = kindOf(stats);
  return {
    kind,
    sizeBytes: kind === 'file' ? protocolSize(stats.size) : 0,
    modifiedMs: protocolTimeMs(stats.mtimeNs),
    etag: etagOf(stats),
    sha256,
  };
}

/** Digests by etag, the least recently used forgotten first; up to an eighth more than asked for are kept. */
export class DigestCache {
  readonly #maxEntries: number;
  readonly #digests = new Map<string, string>();

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  get(etag: string): string | undefined {
    const digest = this.#digests.get(etag);
    if (digest === undefined) return undefined;
    this.#digests.delete(etag);
    this.#digests.set(etag, digest);
    return digest;
  }

  set(etag: string, sha256: string): void {
    this.#digests.delete(etag);
    this.#digests.set(etag, sha256);
    let tooMany = this.#digests.size - this.#maxEntries;
    // Many at a time: what was deleted before is passed over one by one on the way to the oldest.
    if (tooMany <= this.#maxEntries / 8) return;
    for (const oldest of this.#digests.keys()) {
      if (tooMany-- === 0) return;
      this.#digests.delete(oldest);
    }
  }

  entry(stats: FileStats): Entry {
    const entry = entryOf(stats, undefined);
    return entry.kind === 'file' ? { ...entry, sha256: this.get(entry.etag) } : entry;
  }
}
