/**
 * A payload on its way to the store: reads are gathered into blocks, and one block is written while the next fills.
 * So the disk sees few large writes, and a peer that is faster than the disk is held back.
 */
import { type BlockPool, type Lent, lend } from './block-pool.ts';
import type { Upload } from './store/store.ts';

/** The largest read that a connection gives (shared/src/server/reading.ts): a block with less room is written. */
const LARGEST_READ_BYTES = 256 * 1024;

/** What waited for so long goes to the store, whether the block is full or not; the store notes it by then. */
const LONGEST_WAIT_MS = 2_000;

export interface IntakeEvents {
  /** After `write` returned false: there is room again. */
  onRoom(): void;
  /** The store takes no more; not called once `flush` was. */
  onError(error: unknown): void;
}

export class Intake {
  readonly #upload: Upload;
  readonly #pool: BlockPool;
  readonly #events: IntakeEvents;
  /** Of the payload; Infinity where it was not told. */
  #leftBytes: number;
  #block: Lent | undefined;
  #filled = 0;
  /** When `look` first saw what waits. */
  #waitsSinceMs: number | undefined;
  #writing: Promise<void> | undefined;
  #full = false;
  #flushing = false;
  #error: unknown;
  receivedBytes = 0;

  constructor(upload: Upload, expectedBytes: number, pool: BlockPool, events: IntakeEvents) {
    this.#upload = upload;
    this.#leftBytes = expectedBytes;
    this.#pool = pool;
    this.#events = events;
  }

  /** Takes all of the bytes, by copy. Returns false when no more is welcome until `onRoom`. */
  write(bytes: Uint8Array): boolean {
    this.receivedBytes += bytes.length;
    if (this.#block === undefined) this.#block = lend(this.#pool, Math.max(bytes.length, this.#leftBytes));
    if (this.#block.bytes.length - this.#filled < bytes.length) this.#grow(bytes.length);
    this.#block.bytes.set(bytes, this.#filled);
    this.#filled += bytes.length;
    this.#leftBytes -= bytes.length;
    if (this.#block.bytes.length - this.#filled >= Math.min(LARGEST_READ_BYTES, this.#leftBytes)) return true;
    if (this.#writing === undefined) this.#writeBlock();
    else this.#full = true;
    return !this.#full;
  }

  /** Resolves when the store has everything. @throws what the store threw */
  async flush(): Promise<void> {
    this.#flushing = true;
    await this.#writing;
    if (this.#filled > 0 && this.#error === undefined) {
      this.#writeBlock();
      await this.#writing;
    }
    this.#drop();
    if (this.#error !== undefined) throw this.#error;
  }

  /** Writes what a slow sender leaves waiting, so that it is not lost with the process. To be called now and then. */
  look(nowMs: number): void {
    if (this.#filled === 0 || this.#writing !== undefined) return;
    this.#waitsSinceMs ??= nowMs;
    if (nowMs - this.#waitsSinceMs >= LONGEST_WAIT_MS) this.#writeBlock();
  }

  /** Of what is here and not written nothing is wanted any more. */
  #drop(): void {
    this.#block?.release();
    this.#block = undefined;
    this.#filled = 0;
  }

  /** A small block, or a read larger than any that a connection gives. */
  #grow(bytes: number): void {
    const larger = Buffer.allocUnsafe(this.#filled + bytes);
    this.#block?.bytes.copy(larger, 0, 0, this.#filled);
    this.#block?.release();
    this.#block = { bytes: larger, release: () => {} };
  }

  #writeBlock(): void {
    const block = this.#block;
    if (block === undefined) return;
    const bytes = block.bytes.subarray(0, this.#filled);
    this.#block = undefined;
    this.#filled = 0;
    this.#waitsSinceMs = undefined;
    this.#writing = this.#upload.write(bytes).then(
      () => this.#written(block),
      (error: unknown) => {
        this.#written(block, error);
      },
    );
  }

  #written(block: Lent, error?: unknown): void {
    block.release();
    this.#writing = undefined;
    this.#error ??= error;
    if (this.#flushing) return;
    if (error !== undefined) {
      this.#drop();
      this.#events.onError(error);
    } else if (this.#full) {
      this.#full = false;
      this.#writeBlock();
      this.#events.onRoom();
    }
  }
}
