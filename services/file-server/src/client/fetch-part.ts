/**
 * A large file: its bytes go to a part (part-name.ts) as they arrive, at their own offsets, and a later attempt goes on
 * behind them, in this run or in another. It gets its name when all of it is here, right and on disk.
 */
import { close, fstatSync, fsync, futimesSync, renameSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { AppError } from '@small-servers/shared/errors';
import type { Connection } from './connection.ts';
import { digestStart, RunningDigest } from './digest.ts';
import { displayName } from './display-name.ts';
import { about } from './failed-files.ts';
import { corrupted, localFailure } from './failures.ts';
import type { Fetch, FetchPlan, FetchPolicy, KeptPart } from './fetch-plan.ts';
import { checkIsAt, openPart, removePart } from './part-file.ts';
import { partName } from './part-name.ts';
import { getRange, type RangeReceiver } from './range.ts';
import { checkWhole } from './whole-check.ts';

const flush = promisify(fsync);
const closeFile = promisify(close);

export class PartFetch implements Fetch, RangeReceiver {
  readonly #plan: FetchPlan;
  readonly #policy: FetchPolicy;
  readonly #part: Buffer;
  #digest: RunningDigest;
  #descriptor: number | undefined;
  #offset = 0;
  #resumedBytes = 0;
  /** It took more than one GET. */
  #inPieces = false;
  #wantedSha256: string | undefined;
  #leftover: AppError | undefined;

  constructor(plan: FetchPlan, policy: FetchPolicy) {
    this.#plan = plan;
    this.#policy = policy;
    this.#part = partName(plan.name, plan.entry.etag);
    this.#wantedSha256 = plan.entry.sha256;
    this.#digest = this.#newDigest();
  }

  get movedBytes(): number {
    return this.#offset - this.#resumedBytes;
  }

  /** How much was here before this run. */
  get resumedBytes(): number {
    return this.#resumedBytes;
  }

  get part(): KeptPart | undefined {
    return this.#offset === 0 ? undefined : { name: displayName(this.#part), bytes: this.#offset };
  }

  get leftover(): AppError | undefined {
    return this.#leftover;
  }

  async run(connection: Connection): Promise<void> {
    const { path, entry } = this.#plan;
    const { sizeBytes } = entry;
    await this.#open();
    this.#inPieces ||= this.#offset > 0;
    if (this.#offset < sizeBytes) await getRange(connection, { path, entry, offset: this.#offset }, this);
    if (this.#offset !== sizeBytes) throw corrupted(`it is ${this.#offset} bytes, not ${sizeBytes}`);
    await checkWhole(connection, this.#plan, this.#digest, { inPieces: this.#inPieces, sha256: this.#wantedSha256 });
    try {
      await this.#finish();
    } catch (error) {
      throw error instanceof AppError ? error : localFailure(displayName(this.#plan.name), error);
    }
  }

  write(bytes: Buffer, crc: number | undefined): undefined {
    const descriptor = this.#descriptor as number;
    const { length } = bytes;
    try {
      for (let at = 0; at < length; ) at += writeSync(descriptor, bytes, at, length - at, this.#offset + at);
    } catch (error) {
      throw localFailure(displayName(this.#part), error);
    }
    this.#digest.update(bytes, crc);
    this.#offset += length;
    this.#policy.onBytes(length);
  }

  complete(sha256: string | undefined): void {
    this.#wantedSha256 ??= sha256;
  }

  /** Lets go of the file and keeps what it holds. */
  close(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor === undefined) return;
    letGo(descriptor);
    if (this.#offset === 0) this.#unlink();
  }

  /** Throws away what arrived: it is of another content, or wrong. */
  discard(): void {
    this.#forget();
    this.#unlink();
  }

  /** As if nothing had arrived. */
  #forget(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor !== undefined) letGo(descriptor);
    this.#policy.onBytes(-this.#offset);
    this.#offset = 0;
    this.#resumedBytes = 0;
    this.#inPieces = false;
    this.#digest = this.#newDigest();
  }

  #newDigest(): RunningDigest {
    const { verify } = this.#policy;
    return new RunningDigest({
      sha256: verify === 'sha256' || (verify === 'auto' && this.#plan.entry.sha256 !== undefined),
    });
  }

  async #open(): Promise<void> {
    if (this.#descriptor !== undefined) return;
    const { folderNames, name, entry } = this.#plan;
    const { target, signal } = this.#policy;
    const folder = target.directory(folderNames);
    // Judged now, before hours of transfer and not after them.
    target.at(folder, name);
    let descriptor: number;
    try {
      descriptor = openPart(folder.at(this.#part));
    } catch (error) {
      throw localFailure(displayName(this.#part), error);
    }
    const { size } = fstatSync(descriptor);
    try {
      if (size > entry.sizeBytes) throw localFailure('it is longer than the whole file; remove it to start again');
      await digestStart(descriptor, size, this.#digest, signal);
    } catch (error) {
      // It stays as it is: all that went wrong is that it was not read to its end.
      this.#digest = this.#newDigest();
      letGo(descriptor);
      throw about(displayName(this.#part), error as Error);
    }
    this.#descriptor = descriptor;
    this.#offset = size;
    this.#resumedBytes = size;
    this.#policy.onBytes(size);
  }

  async #finish(): Promise<void> {
    const { folderNames, name, entry } = this.#plan;
    const { target, fsync: durability } = this.#policy;
    const descriptor = this.#descriptor as number;
    futimesSync(descriptor, entry.modifiedMs / 1000, entry.modifiedMs / 1000);
    if (durability !== 'never') await flush(descriptor);
    const folder = target.directory(folderNames);
    const part = folder.at(this.#part);
    try {
      checkIsAt(part, descriptor);
    } catch (error) {
      // Nothing is kept, and what has the name now is none of ours.
      this.#forget();
      throw localFailure(displayName(this.#part), error);
    }
    renameSync(part, target.at(folder, name));
    this.#descriptor = undefined;
    await closeFile(descriptor);
  }

  #unlink(): void {
    this.#leftover = removePart(this.#policy.target.directory(this.#plan.folderNames), this.#part);
  }
}

/** Nothing that is kept depends on how this ends. */
function letGo(descriptor: number): void {
  closeFile(descriptor).catch(() => {});
}
