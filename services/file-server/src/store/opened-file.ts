/** A file that is being read. */
import type { BigIntStats } from 'node:fs';
import { type DigestCache, isUnchanged, isWritten } from './entries.ts';
import { inProtocolWords } from './failures.ts';
import { unknown } from './native-files.ts';
import type { FileOperations } from './operations.ts';
import type { Root } from './root.ts';
import type { Entry, OpenedFile } from './store.ts';

/** Reads of up to this size are tried from memory in the loop; for larger ones a thread copies meanwhile. */
const INLINE_READ_BYTES = 64 * 1024;

/** The system may take its time to give back the room of a larger file that was removed while it was open. */
const INLINE_CLOSE_BYTES = 1024 * 1024;

export interface ReadingHost {
  readonly root: Root;
  readonly operations: FileOperations;
  readonly digests: DigestCache;
  /** The whole file system is in memory: reading never waits. */
  readonly inMemory: boolean;
  /** A file that changed more recently may change again without its times telling. */
  readonly settledMs: number;
  now(): number;
}

export class DiskFile implements OpenedFile {
  readonly entry: Entry;
  readonly isSettled: boolean;
  readonly #host: ReadingHost;
  readonly #descriptor: number;
  /** It was found in memory, on a local file system: its inode can be asked without waiting. */
  readonly #cached: boolean;
  readonly #stats: BigIntStats;
  #open = true;

  constructor(host: ReadingHost, descriptor: number, stats: BigIntStats, cached: boolean) {
    this.#host = host;
    this.#descriptor = descriptor;
    this.#cached = cached;
    this.entry = host.digests.entry(stats);
    this.#stats = stats;
    this.isSettled = host.now() - Number(stats.ctimeNs / 1_000_000n) > host.settledMs;
  }

  async read(target: Uint8Array, offset: number): Promise<number> {
    // A number that was given back may stand for another file by now.
    if (!this.#open) throw new Error('the file is closed');
    const bytes = this.#readNow(target, offset);
    if (bytes >= 0) return bytes;
    return inProtocolWords(() => this.#host.operations.read(this.#descriptor, target, offset));
  }

  readWholeNow(target: Uint8Array): boolean {
    const { operations } = this.#host;
    if (this.#readNow(target, 0) !== target.length) return false;
    return !isWritten(this.#stats, operations.statNow(this.#descriptor));
  }

  /** As `read`: `unknown` where that would wait, or where nobody knows. */
  #readNow(target: Uint8Array, offset: number): number {
    if (!this.#open || !this.#cached || target.length > INLINE_READ_BYTES) return unknown;
    const { root, operations, inMemory } = this.#host;
    return inMemory
      ? operations.readNow(this.#descriptor, target, offset)
      : root.readCached(this.#descriptor, target, offset);
  }

  async check(): Promise<Entry> {
    const now = await this.#statsNow();
    return isUnchanged(this.#stats, now) ? this.entry : this.#host.digests.entry(now);
  }

  async isWrittenTo(): Promise<boolean> {
    return isWritten(this.#stats, await this.#statsNow());
  }

  async #statsNow(): Promise<BigIntStats> {
    if (!this.#open) throw new Error('the file is closed');
    const { operations } = this.#host;
    return this.#cached
      ? operations.statNow(this.#descriptor)
      : inProtocolWords(() => operations.stat(this.#descriptor));
  }

  remember(sha256: string): void {
    if (this.isSettled) this.#host.digests.set(this.entry.etag, sha256);
  }

  close(): Promise<void> | undefined {
    if (!this.#open) return undefined;
    this.#open = false;
    const { operations } = this.#host;
    if (this.entry.sizeBytes > INLINE_CLOSE_BYTES) return operations.close(this.#descriptor);
    operations.closeNow(this.#descriptor);
    return undefined;
  }
}
