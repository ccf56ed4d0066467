/**
 * One upload: bytes arrive, are hashed and written to a partial file that grows in the store's own directory, and
 * appear under their name in one step when all of them are there and right.
 *
 *   create (0600, O_EXCL) -> write at explicit offsets -> fdatasync -> length and digest -> link or rename
 *   -> fsync of the directory
 *
 * Small pieces are gathered, and one piece is written while the next is gathered. An upload that fits into one piece
 * makes no file before it is committed or suspended. From time to time what is written is brought to disk and
 * recorded, so that no more than that is lost with the process.
 */
import { FileError } from '../protocol/codes.ts';
import type { Turn } from '../turn.ts';
import { asFileError, hasCode, inProtocolWords } from './failures.ts';
import type { FileOperations } from './operations.ts';
import { nothingKept, type Partials, writeAll } from './partials.ts';
import type { RunningDigest } from './running-digest.ts';
import type { Entry, Upload, UploadRequest } from './store.ts';
import type { Reservation } from './usage.ts';

/** What comes in smaller parts is gathered up to this. */
export const PIECE_BYTES = 512 * 1024;
/** Parts of at least this size are written as they are. */
const DIRECT_BYTES = 256 * 1024;

/** What a crash loses at most of an upload is what arrived in one of these. */
const CHECKPOINT_BYTES = 64 * 1024 * 1024;
const CHECKPOINT_MS = 2000;

/** The system may take its time to give back the room of a larger file that nobody names any more. */
const INLINE_CLOSE_BYTES = 1024 * 1024;

/** What an upload needs of its store. */
export interface UploadHost {
  readonly operations: FileOperations;
  readonly partials: Partials;
  readonly turn: Turn;
  /** 0: none. */
  readonly maxFileBytes: number;
  now(): number;
  /** Makes a whole partial file appear under its name; the last step of a commit. */
  publish(upload: Committing): Promise<Entry>;
  /** The upload is over, or kept for a RESUME. */
  ended(upload: DiskUpload, kept: boolean): void;
}

export interface Committing {
  readonly id: string;
  readonly request: UploadRequest;
  readonly descriptor: number;
  readonly sizeBytes: number;
  readonly sha256: string;
}

export interface UploadStart {
  readonly id: string;
  readonly request: UploadRequest;
  readonly reservation: Reservation;
  readonly digest: RunningDigest;
  /** For one that goes on: its file, and how much of it is certain. */
  readonly descriptor?: number;
  readonly durableBytes?: number;
}

export class DiskUpload implements Upload {
  readonly id: string;
  readonly request: UploadRequest;
  readonly reservation: Reservation;
  readonly #host: UploadHost;
  readonly #digest: RunningDigest;
  readonly #eviction = new AbortController();
  #descriptor: number | undefined;
  /** Arrived, gathered or not. */
  #receivedBytes: number;
  /** Handed to the file, and hashed. */
  #writtenBytes: number;
  #durableBytes: number;
  #recorded: boolean;
  #piece: Buffer | undefined;
  #gatheredBytes = 0;
  #spare: Buffer | undefined;
  /** The piece that is being written. Its failure is met by whoever waits for it next. */
  #writing: Promise<void> = Promise.resolve();
  #checkpointing: Promise<void> = Promise.resolve();
  #checkpointMs: number;
  #checkpointBytes: number;
  #over = false;
  /** The commit, suspend or abort that is under way. */
  ending: Promise<unknown> | undefined;
  /** Who wants to know when it is over. */
  readonly #waiting = new Set<() => void>();
  /** The last call, settled either way. */
  #call: Promise<void> = Promise.resolve();
  #calls = 0;
  #progressMs: number;

  constructor(host: UploadHost, { id, request, reservation, digest, descriptor, durableBytes = 0 }: UploadStart) {
    this.#host = host;
    this.id = id;
    this.request = request;
    this.reservation = reservation;
    this.#digest = digest;
    this.#descriptor = descriptor;
    this.#receivedBytes = durableBytes;
    this.#writtenBytes = durableBytes;
    this.#durableBytes = durableBytes;
    this.#recorded = descriptor !== undefined;
    this.#progressMs = host.now();
    this.#checkpointMs = this.#progressMs;
    this.#checkpointBytes = durableBytes;
  }

  /** Of what was announced: what is not in the file yet. */
  get outstandingBytes(): number {
    return Math.max(0, (this.request.sizeBytes ?? 0) - this.#writtenBytes);
  }

  get durableBytes(): number {
    return this.#durableBytes;
  }

  /** What its file takes. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** Bytes came lately, or the disk has not taken them yet. */
  isMoving(idleMs: number): boolean {
    return this.#calls > 0 || this.#host.now() - this.#progressMs < idleMs;
  }

  get evicted(): AbortSignal {
    return this.#eviction.signal;
  }

  /** For a file that will not fit into one piece: so that what stands in its way is said before bytes arrive. */
  async prepare(): Promise<void> {
    try {
      await this.#file();
      await this.#record();
    } catch (error) {
      await this.#fail(error);
      throw error;
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#exclusive(async () => {
      try {
        await this.#write(bytes);
      } catch (error) {
        await this.#fail(error);
        throw error;
      }
    });
  }

  commit(): Promise<Entry> {
    return this.#last(async () => {
      let entry: Entry;
      try {
        entry = await this.#commit();
      } catch (error) {
        await this.#fail(error);
        throw error;
      }
      await this.#end(false);
      return entry;
    });
  }

  async suspend(): Promise<void> {
    if (this.#over) return;
    return this.#last(() => this.#suspend());
  }

  async abort(): Promise<void> {
    if (this.#over) return;
    return this.#last(() => this.#giveUp());
  }

  /** Asks a holder that is silent to hand over what it still has, and to put the upload down. */
  evict(): void {
    this.#eviction.abort();
  }

  /** Whether nobody holds it any more, after `ms` at most. */
  async isOverWithin(ms: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    const timer = setTimeout(resolve, ms);
    if (this.#over) resolve();
    await promise;
    clearTimeout(timer);
    this.#waiting.delete(resolve);
    return this.#over;
  }

  #last<T>(work: () => Promise<T>): Promise<T> {
    const ending = this.#exclusive(work);
    this.ending = ending;
    return ending;
  }

  /** One after the other, also for a holder that lost its peer in the middle of a write. */
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#call;
    const call = inProtocolWords(async () => {
      await before;
      if (this.#over && this.evicted.aborted) throw new FileError('BUSY', 'another connection has resumed this upload');
      if (this.#over) throw nothingKept();
      return work();
    });
    this.#calls++;
    const settled = () => {
      this.#calls--;
    };
    this.#call = call.then(settled, settled);
    return call;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#receive(bytes.length);
    if (this.#gatheredBytes === 0 && bytes.length >= DIRECT_BYTES) {
      await this.#writing;
      await this.#append(bytes);
      return;
    }
    let taken = 0;
    while (taken < bytes.length) {
      this.#piece ??= this.#newPiece();
      const end = Math.min(bytes.length, taken + this.#piece.length - this.#gatheredBytes);
      this.#piece.set(bytes.subarray(taken, end), this.#gatheredBytes);
      this.#gatheredBytes += end - taken;
      taken = end;
      if (this.#gatheredBytes === this.#piece.length && !this.#isWhole()) await this.#turnOver();
    }
  }

  /** A piece that holds the whole upload waits for the commit. */
  #isWhole(): boolean {
    return this.#writtenBytes === 0 && this.#gatheredBytes === this.request.sizeBytes;
  }

  #newPiece(): Buffer {
    const { sizeBytes } = this.request;
    const expected = sizeBytes === undefined ? PIECE_BYTES : sizeBytes - this.#writtenBytes;
    return Buffer.allocUnsafe(Math.max(1, Math.min(PIECE_BYTES, expected)));
  }

  #receive(bytes: number): void {
    const total = this.#receivedBytes + bytes;
    const { sizeBytes } = this.request;
    if (sizeBytes !== undefined && total > sizeBytes) {
      throw new FileError('TOOBIG', `more came than the ${sizeBytes} bytes that were announced`);
    }
    if (sizeBytes === undefined) {
      const { maxFileBytes } = this.#host;
      if (maxFileBytes > 0 && total > maxFileBytes) {
        throw new FileError('TOOBIG', `a file has at most ${maxFileBytes} bytes here`);
      }
      if (total > this.reservation.bytes) this.reservation.grow(total);
    }
    this.#receivedBytes = total;
    this.#progressMs = this.#host.now();
  }

  /** Starts to write the piece that is full, and gathers in the other. */
  async #turnOver(): Promise<void> {
    const piece = this.#piece;
    if (piece === undefined || this.#gatheredBytes === 0) return;
    await this.#writing;
    this.#piece = this.#spare;
    this.#spare = piece;
    this.#writing = this.#append(piece.subarray(0, this.#gatheredBytes));
    this.#gatheredBytes = 0;
    // Met by the next `await this.#writing`; this only says so to the runtime.
    this.#writing.catch(() => {});
  }

  /** Everything that arrived is in the file. */
  async #flush(): Promise<void> {
    await this.#turnOver();
    await this.#writing;
    await this.#checkpointing;
  }

  async #append(bytes: Uint8Array): Promise<void> {
    const descriptor = this.#descriptor ?? (await this.#file());
    const offset = this.#writtenBytes;
    // A small one is not worth a wait. Asked right before the work: of many who wait, each uses up some of the turn.
    if (bytes.length >= DIRECT_BYTES) while (this.#host.turn.isOver) await this.#host.turn.next();
    const written = writeAll(this.#host.operations, descriptor, bytes, offset);
    // Hashed here while a thread writes.
    this.#digest.update(bytes);
    await written;
    this.#writtenBytes = offset + bytes.length;
    this.#progressMs = this.#host.now();
    await this.#checkpointIfDue();
  }

  async #file(): Promise<number> {
    this.#descriptor ??= await this.#host.partials.create(this.id);
    return this.#descriptor;
  }

  async #checkpointIfDue(): Promise<void> {
    const now = this.#host.now();
    const due =
      this.#writtenBytes - this.#checkpointBytes >= CHECKPOINT_BYTES || now - this.#checkpointMs >= CHECKPOINT_MS;
    if (!due) return;
    // One at a time: a disk that is slower than the sender slows the sender down.
    await this.#checkpointing;
    this.#checkpointMs = now;
    this.#checkpointBytes = this.#writtenBytes;
    this.#checkpointing = this.#record().catch((error: unknown) => {
      // The record before still holds, and the next one may find a descriptor.
      if (!hasCode(error, 'EMFILE', 'ENFILE')) throw error;
    });
    // Met by the next who waits for it.
    this.#checkpointing.catch(() => {});
  }

  /** Brings what is written so far to disk, then says so in the record. `isLast`: nothing more is to be written. */
  async #record(isLast = false): Promise<void> {
    const durableBytes = this.#writtenBytes;
    const digest = this.#digest.save();
    const descriptor = await this.#file();
    await this.#host.operations.syncData(descriptor);
    this.#recorded = true;
    if (isLast) {
      // Where descriptors are short, the record takes this one.
      this.#descriptor = undefined;
      this.#host.operations.closeNow(descriptor);
    }
    await this.#host.partials.record({ id: this.id, request: this.request, durableBytes, digest });
    this.#durableBytes = durableBytes;
  }

  async #commit(): Promise<Entry> {
    const { sizeBytes, sha256: expected } = this.request;
    if (sizeBytes !== undefined && this.#receivedBytes !== sizeBytes) {
      throw new FileError('CHECKSUM', `${this.#receivedBytes} of ${sizeBytes} bytes came`);
    }
    await this.#flush();
    const descriptor = await this.#file();
    const sha256 = this.#digest.finish();
    if (expected !== undefined && sha256 !== expected) {
      throw new FileError('CHECKSUM', `what came has the sha256 ${sha256}`);
    }
    return this.#host.publish({
      id: this.id,
      request: this.request,
      descriptor,
      sizeBytes: this.#writtenBytes,
      sha256,
    });
  }

  async #suspend(): Promise<void> {
    if (this.#receivedBytes === 0) {
      await this.#giveUp();
      return;
    }
    try {
      await this.#flush();
      await this.#record(true);
      await this.#host.partials.keep(this.id);
    } catch (error) {
      await this.#fail(error);
      throw error;
    }
    await this.#end(true);
  }

  /** What is on disk and recorded is not to be lost by a fault that passes. Keeping it takes no descriptor and no room. */
  async #fail(error: unknown): Promise<void> {
    if (this.#over) return;
    await Promise.allSettled([this.#writing, this.#checkpointing]);
    if (this.#durableBytes === 0 || !passes(error)) {
      await this.#giveUp();
      return;
    }
    try {
      await this.#host.partials.keep(this.id);
    } catch {
      // It has its name already: there is nothing to go on with.
      await this.#giveUp();
      return;
    }
    await this.#end(true);
  }

  /** Nothing is left behind, as far as the system lets us. */
  async #giveUp(): Promise<void> {
    if (this.#over) return;
    await Promise.allSettled([this.#writing, this.#checkpointing]);
    try {
      if (this.#descriptor !== undefined || this.#recorded) await this.#host.partials.discard(this.id);
    } catch {
      // The reason to give up is the one to tell. The next sweep removes what is left.
    } finally {
      await this.#end(false);
    }
  }

  async #end(kept: boolean): Promise<void> {
    this.#over = true;
    this.#piece = undefined;
    this.#spare = undefined;
    this.#host.ended(this, kept);
    for (const tell of this.#waiting) tell();
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor === undefined) return;
    if (kept || this.#writtenBytes <= INLINE_CLOSE_BYTES) this.#host.operations.closeNow(descriptor);
    else await this.#host.operations.close(descriptor).catch(() => {});
    if (!kept && this.#recorded) await this.#host.partials.removeRecord(this.id).catch(() => {});
  }
}

/** Whether the same upload may succeed later, as it is. A full disk is to have its room back, and a fault of ours may pass. */
function passes(error: unknown): boolean {
  const fault = asFileError(error);
  return !(fault instanceof FileError) || (fault.retry === 'later' && fault.code !== 'NOSPACE');
}
