/** A file that fits into memory: nothing of it is on disk before all of it is here and its digest is right. */
import { closeSync, fsyncSync, futimesSync, renameSync, writeSync } from 'node:fs';
import { AppError } from '@small-servers/shared/errors';
import type { Connection } from './connection.ts';
import { crypto } from './crypto.ts';
import { askDigest } from './digest.ts';
import { displayName } from './display-name.ts';
import { corrupted, localFailure } from './failures.ts';
import type { Fetch, FetchPlan, FetchPolicy } from './fetch-plan.ts';
import { openTemporary, removePart } from './part-file.ts';
import { getRange, type RangeOver, type RangeReceiver, startRange } from './range.ts';

/** Up to here a file is written in one go. */
export const SMALL_FILE_BYTES = 256 * 1024;

/** Used again by the next file that arrives on any connection. */
const buffers: Buffer[] = [];
const NOTHING = Buffer.alloc(0);

export class SmallFetch implements Fetch, RangeReceiver {
  readonly resumedBytes = 0;
  readonly part = undefined;
  readonly #plan: FetchPlan;
  readonly #policy: FetchPolicy;
  #buffer: Buffer | undefined;
  #length = 0;
  #wantedSha256: string | undefined;
  #leftover: AppError | undefined;

  constructor(plan: FetchPlan, policy: FetchPolicy) {
    this.#plan = plan;
    this.#policy = policy;
    this.#wantedSha256 = policy.verify === 'crc32' ? undefined : plan.entry.sha256;
  }

  get movedBytes(): number {
    return 0;
  }

  get leftover(): AppError | undefined {
    return this.#leftover;
  }

  /** The digest of the file is wanted, and nobody said it yet. */
  get #mustAsk(): boolean {
    return this.#policy.verify === 'sha256' && this.#wantedSha256 === undefined;
  }

  async run(connection: Connection): Promise<void> {
    const { path, entry } = this.#plan;
    if (this.#mustAsk) {
      // Replies keep their order: this one is here before the file is.
      askDigest(connection, path, 'sha256', entry.sizeBytes).then(
        (digest) => {
          this.#wantedSha256 = digest;
        },
        () => {},
      );
    }
    try {
      await getRange(connection, { path, entry, offset: 0 }, this);
    } finally {
      this.#release();
    }
  }

  start(connection: Connection, over: RangeOver): boolean {
    if (this.#mustAsk) return false;
    const { path, entry } = this.#plan;
    startRange(connection, { path, entry, offset: 0 }, this, (error) => {
      this.#release();
      over(error);
    });
    return true;
  }

  write(bytes: Buffer): undefined {
    this.#buffer ??= buffers.pop() ?? Buffer.allocUnsafeSlow(SMALL_FILE_BYTES);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    this.#policy.onBytes(bytes.length);
  }

  complete(known: string | undefined): void {
    this.#checkAndPut((this.#buffer ?? NOTHING).subarray(0, this.#length), known);
  }

  takeAll(bytes: Buffer, known: string | undefined): void {
    this.#length = bytes.length;
    this.#policy.onBytes(bytes.length);
    this.#checkAndPut(bytes, known);
  }

  #checkAndPut(bytes: Buffer, known: string | undefined): void {
    const wanted = this.#wantedSha256 ?? (this.#policy.verify === 'crc32' ? undefined : known);
    if (wanted !== undefined) {
      const actual = crypto().hash('sha256', bytes, 'hex');
      if (actual !== wanted) throw corrupted(`its sha256 is ${actual}, and the server says it should be ${wanted}`);
    }
    try {
      this.#put(bytes);
    } catch (error) {
      throw error instanceof AppError ? error : localFailure(displayName(this.#plan.name), error);
    }
  }

  close(): void {}

  discard(): void {
    this.#policy.onBytes(-this.#length);
    this.#length = 0;
  }

  #put(bytes: Buffer): void {
    const { entry, folderNames, name } = this.#plan;
    const { target, fsync } = this.#policy;
    const folder = target.directory(folderNames);
    const { modifiedMs } = entry;
    if (fsync !== 'each' && target.put(folder, { name, bytes, modifiedMs })) return;
    const place = target.at(folder, name);
    const { name: part, descriptor } = openTemporary(folder);
    try {
      try {
        for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at, bytes.length - at, at);
        futimesSync(descriptor, modifiedMs / 1000, modifiedMs / 1000);
        if (fsync === 'each') fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      renameSync(folder.at(part), place);
    } catch (error) {
      this.#leftover = removePart(folder, part);
      throw error;
    }
  }

  #release(): void {
    if (this.#buffer !== undefined) buffers.push(this.#buffer);
    this.#buffer = undefined;
    this.#length = 0;
  }
}
