/** All uploads of the store: those that a session holds, and those that are kept for a RESUME. */
import { randomFillSync } from 'node:crypto';
import { FileError } from '../protocol/codes.ts';
import type { Turn } from '../turn.ts';
import type { Changes } from './changes.ts';
import { hasCode } from './failures.ts';
import { PathLocks } from './locks.ts';
import type { FileOperations } from './operations.ts';
import type { Partials } from './partials.ts';
import type { DigestMaker } from './running-digest.ts';
import type { Entry, Put, UploadRequest } from './store.ts';
import { type Committing, DiskUpload, PIECE_BYTES, type UploadHost } from './upload.ts';
import { Reservation, type Usage } from './usage.ts';

export interface UploadsOptions {
  readonly maxFileBytes: number;
  readonly keepPartialMs: number;
  readonly maxKeptPartials: number;
  readonly holderIdleMs: number;
}

export interface UploadsParts {
  readonly operations: FileOperations;
  readonly partials: Partials;
  readonly changes: Changes;
  readonly usage: Usage;
  readonly digest: DigestMaker;
  readonly turn: Turn;
  now(): number;
  freeBytes(): Promise<number>;
  /** Makes sure of the usage, and tries again to find room. @throws QUOTA */
  withRoom(reserve: () => void): Promise<void>;
}

/**
 * It keeps the room that it takes, not what it will still need: a peer that announces the whole disk, sends a byte and
 * goes away would keep everybody out for days.
 */
interface KeptUpload {
  readonly reservation: Reservation;
}

/** A store that runs for long looks for uploads that are too old so many times in the time they are kept for. */
const SWEEPS_PER_KEEP = 10;
const LONGEST_SWEEP_INTERVAL_MS = 3_600_000;

/** Of resumes, removals and sweeps there is one at a time: they are rare, and all look at the same directory. */
const ONE_AT_A_TIME = ['kept uploads'];

/** A holder that was asked to put its upload down has so long to bring to disk what it has, a few MiB. */
const PUT_DOWN_MS = 5_000;

/** Of those who look whether the disk has room there is one at a time, until what it takes is counted. */
const DISK_ROOM = ['room on the disk'];

export class Uploads implements UploadHost {
  readonly operations: FileOperations;
  readonly partials: Partials;
  readonly turn: Turn;
  readonly maxFileBytes: number;
  readonly #options: UploadsOptions;
  readonly #parts: UploadsParts;
  readonly #locks = new PathLocks();
  readonly #held = new Map<string, DiskUpload>();
  /** The oldest first. */
  readonly #kept = new Map<string, KeptUpload>();
  #sweeper: NodeJS.Timeout | undefined;
  #keepMs: number;

  constructor(options: UploadsOptions, parts: UploadsParts) {
    this.#options = options;
    this.#keepMs = options.keepPartialMs;
    this.#parts = parts;
    this.operations = parts.operations;
    this.partials = parts.partials;
    this.turn = parts.turn;
    this.maxFileBytes = options.maxFileBytes;
  }

  get keptCount(): number {
    return this.#kept.size;
  }

  now(): number {
    return this.#parts.now();
  }

  publish(committing: Committing): Promise<Entry> {
    return this.#parts.changes.publish(committing);
  }

  /** Clears up after earlier processes, and goes on doing so. Resolves to how many uploads were removed. */
  async start(): Promise<number> {
    const removed = await this.sweep();
    this.keepFor(this.#keepMs);
    return removed;
  }

  /** @param ms without a byte; 0: as long as there are not too many */
  keepFor(ms: number): void {
    this.#keepMs = ms;
    clearInterval(this.#sweeper);
    const intervalMs = ms === 0 ? LONGEST_SWEEP_INTERVAL_MS : Math.min(LONGEST_SWEEP_INTERVAL_MS, ms / SWEEPS_PER_KEEP);
    this.#sweeper = setInterval(() => {
      // What could not be removed now may be the next time.
      this.sweep().catch(() => {});
    }, intervalMs);
    this.#sweeper.unref();
  }

  async create(request: UploadRequest): Promise<DiskUpload> {
    const { path, precondition, sizeBytes } = request;
    const { maxFileBytes } = this;
    if (path.names.length === 0) throw new FileError('ISDIR', 'that is a directory');
    if (sizeBytes !== undefined && maxFileBytes > 0 && sizeBytes > maxFileBytes) {
      throw new FileError('TOOBIG', `a file has at most ${maxFileBytes} bytes here`);
    }
    await this.#parts.changes.requireTarget(path, precondition);
    if (sizeBytes === undefined || sizeBytes <= PIECE_BYTES) return this.#begin(request);
    const upload = await this.#locks.hold(DISK_ROOM, async () => {
      await this.#requireDisk(sizeBytes);
      return this.#begin(request);
    });
    await upload.prepare();
    return upload;
  }

  /** As `FileStore.putNow`. */
  putNow(request: UploadRequest, content: Buffer): Put | undefined {
    const { usage, changes } = this.#parts;
    if (this.maxFileBytes > 0 && content.length > this.maxFileBytes) return undefined;
    if (!usage.hasRoom(content.length)) return undefined;
    const entry = changes.createNow(request, content);
    return entry === undefined ? undefined : { id: newId(), entry };
  }

  async #begin(request: UploadRequest): Promise<DiskUpload> {
    const reservation = new Reservation(this.#parts.usage);
    await this.#parts.withRoom(() => reservation.grow(request.sizeBytes ?? 0));
    const id = newId();
    const upload = new DiskUpload(this, { id, request, reservation, digest: this.#parts.digest() });
    this.#held.set(id, upload);
    return upload;
  }

  /** Says now that the disk is too small, rather than after gigabytes. @throws NOSPACE */
  async #requireDisk(sizeBytes: number): Promise<void> {
    const freeBytes = await this.#parts.freeBytes();
    let promisedBytes = 0;
    for (const upload of this.#held.values()) promisedBytes += upload.outstandingBytes;
    if (sizeBytes <= freeBytes - promisedBytes) return;
    throw new FileError('NOSPACE', `the disk has no room for ${sizeBytes} bytes`);
  }

  async resume(id: string): Promise<DiskUpload> {
    await this.#release(id);
    return this.#locks.hold(ONE_AT_A_TIME, async () => {
      this.#requireReleased(id);
      try {
        const { record, descriptor } = await this.partials.claim(id);
        const { request, durableBytes } = record;
        const reservation = this.#kept.get(id)?.reservation ?? new Reservation(this.#parts.usage);
        this.#kept.delete(id);
        reservation.restore(durableBytes);
        const digest = this.#parts.digest(record.digest);
        const upload = new DiskUpload(this, { id, request, reservation, digest, descriptor, durableBytes });
        await this.#holdAgain(upload);
        return upload;
      } catch (error) {
        if (hasCode(error, 'NOTFOUND')) this.#forget(id);
        throw error;
      }
    });
  }

  /** Promises it the room for its rest again. Without it, it stays kept. @throws QUOTA, NOSPACE */
  async #holdAgain(upload: DiskUpload): Promise<void> {
    const { id, reservation, outstandingBytes } = upload;
    try {
      await this.#locks.hold(DISK_ROOM, async () => {
        if (outstandingBytes > PIECE_BYTES) await this.#requireDisk(outstandingBytes);
        await this.#parts.withRoom(() => reservation.grow(upload.durableBytes + outstandingBytes));
        this.#held.set(id, upload);
      });
    } catch (error) {
      await upload.suspend();
      throw error;
    }
  }

  async remove(id: string): Promise<void> {
    await this.#release(id);
    await this.#locks.hold(ONE_AT_A_TIME, async () => {
      this.#requireReleased(id);
      await this.partials.remove(id);
      this.#forget(id);
    });
  }

  /** Takes an upload from a holder that does not move: that puts it down first. @throws BUSY if it does not */
  async #release(id: string): Promise<void> {
    const held = this.#held.get(id);
    if (held === undefined) return;
    if (held.ending === undefined) {
      if (held.isMoving(this.#options.holderIdleMs)) throw stillSent();
      held.evict();
    }
    if (await held.isOverWithin(PUT_DOWN_MS)) return;
    throw new FileError('BUSY', 'the connection that sent this upload has not put it down yet');
  }

  /** Of several who waited for that, one has it by now. */
  #requireReleased(id: string): void {
    if (this.#held.has(id)) throw stillSent();
  }

  #forget(id: string): void {
    this.#kept.get(id)?.reservation.release();
    this.#kept.delete(id);
  }

  ended(upload: DiskUpload, kept: boolean): void {
    this.#held.delete(upload.id);
    if (!kept) {
      upload.reservation.release();
      return;
    }
    const { id, reservation, writtenBytes } = upload;
    reservation.restore(writtenBytes);
    this.#kept.set(id, { reservation });
    if (this.#kept.size <= this.#options.maxKeptPartials) return;
    const [oldest] = this.#kept.keys();
    // Whoever resumes it meanwhile is first, or too late; either will do.
    if (oldest !== undefined) this.remove(oldest).catch(() => {});
  }

  /** Removes what nobody can resume any more. Resolves to how many that were. */
  sweep(): Promise<number> {
    return this.#locks.hold(ONE_AT_A_TIME, async () => {
      const before = [...this.#kept.keys()];
      const oldestMs = this.#keepMs === 0 ? Number.NEGATIVE_INFINITY : this.now() - this.#keepMs;
      const { kept, removed } = await this.partials.sweep(oldestMs, (id) => this.#held.has(id));
      const there = new Set(kept.map(({ id }) => id));
      for (const id of before) if (!there.has(id)) this.#forget(id);
      for (const { id, durableBytes } of kept) {
        if (this.#kept.has(id) || this.#held.has(id)) continue;
        const reservation = new Reservation(this.#parts.usage);
        reservation.restore(durableBytes);
        this.#kept.set(id, { reservation });
      }
      return removed;
    });
  }

  /** Keeps what is still under way. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    await Promise.allSettled([...this.#held.values()].map((upload) => upload.ending ?? upload.suspend()));
  }
}

function stillSent(): FileError {
  return new FileError('BUSY', 'another connection still sends this upload');
}

const ID_BYTES = 16;
const random = Buffer.alloc(64 * ID_BYTES);
let used = random.length;

/** The system is asked for randomness once for many: that costs more than all else that a small upload does here. */
function newId(): string {
  if (used === random.length) {
    randomFillSync(random);
    used = 0;
  }
  used += ID_BYTES;
  return random.toString('hex', used - ID_BYTES, used);
}
