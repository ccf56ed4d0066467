import type { FrameVisitor } from './decoder.ts';
import { FramingError } from './errors.ts';
import { HeldBytes } from './held-bytes.ts';

/** Up to here a loop is quicker than a call into the runtime, whose search is many times quicker per byte. */
const NEAR_BYTES = 32;
const CR = 0x0d;

export interface DelimiterScannerOptions {
  /** The byte string that ends a frame, one byte or more. */
  delimiter: Buffer;
  /** Whether one CR before the delimiter belongs to the delimiter. */
  stripCr: boolean;
  /** The longest frame, in bytes without its delimiter. */
  maxFrameBytes: number;
  /** Whether a frame that was held takes its memory with it. */
  givesMemory: boolean;
  /** Called once for each frame that is too long; throws if such frames may not be passed over. */
  passOver(): void;
}

/**
 * Finds delimited frames one after the other, across the borders of chunks: what `delimiter`, `lines` and
 * `counted-payload` have in common. Every byte is searched once: what is held has been searched already.
 */
export class DelimiterScanner {
  /** How many frames were visited so far. */
  visitedFrames = 0;
  readonly #delimiter: Buffer;
  readonly #delimiterBytes: number;
  /** The delimiter if it is a single byte, else -1. */
  readonly #single: number;
  readonly #stripCr: boolean;
  readonly #maxFrameBytes: number;
  readonly #passOver: () => void;
  readonly #held: HeldBytes;
  /** The most that can be held before it is certain that the frame is too long. */
  readonly #mostHeldBytes: number;
  /** Inside an oversized frame: only as many bytes are held as may be the start of a delimiter. */
  #passing = false;

  constructor(options: DelimiterScannerOptions) {
    this.#delimiter = options.delimiter;
    this.#delimiterBytes = options.delimiter.length;
    this.#single = options.delimiter.length === 1 ? (options.delimiter[0] as number) : -1;
    this.#stripCr = options.stripCr;
    this.#maxFrameBytes = options.maxFrameBytes;
    this.#passOver = options.passOver;
    this.#mostHeldBytes = options.maxFrameBytes + options.delimiter.length - 1 + (options.stripCr ? 1 : 0);
    this.#held = new HeldBytes(this.#mostHeldBytes + options.delimiter.length, options.givesMemory);
  }

  get bufferedBytes(): number {
    return this.#held.length;
  }

  /** Whether the stream is inside a frame. */
  get insideFrame(): boolean {
    return this.#held.length > 0 || this.#passing;
  }

  /** Says that a new chunk begins: frames visited in the one before are not read any more. */
  recycle(): void {
    this.#held.recycle();
  }

  /**
   * Visits the next frame that ends in `chunk[from, length)`, which is at least one byte, and returns where to go on.
   * If none ends there, the rest of the chunk is held and its length returned. A frame that is passed over is not
   * visited. What a visitor throws passes through.
   *
   * @throws FramingError FRAME_TOO_LONG (from `passOver`).
   */
  next(chunk: Buffer, from: number, visit: FrameVisitor): number {
    if (this.insideFrame) return this.#complete(chunk, from, visit);
    const at = this.#find(chunk, from);
    if (at < 0) {
      this.#hold(chunk, from);
      return chunk.length;
    }
    const end = this.#contentEnd(chunk, from, at);
    if (end - from <= this.#maxFrameBytes) {
      this.visitedFrames += 1;
      visit(chunk, from, end);
    } else {
      this.#passOver();
    }
    return at + this.#delimiterBytes;
  }

  /** Visits the unfinished frame as it stands, if there is one: for a form whose last frame needs no delimiter. */
  visitUnfinished(visit: FrameVisitor): void {
    if (this.#held.length > 0 && !this.#passing) this.#leave(this.#held.length, visit);
  }

  /** The error of a stream that ends here, inside a frame. */
  truncated(): FramingError {
    const where = this.#passing ? 'of an oversized frame' : `after ${this.#held.length} bytes of it`;
    return new FramingError('FRAME_TRUNCATED', `the stream ended before the delimiter, ${where}`);
  }

  /** Lets go of the memory and of the unfinished frame. */
  release(): void {
    this.#held.release();
    this.#passing = false;
  }

  /** Completes the frame begun in earlier chunks, if it ends here; returns where to go on. */
  #complete(chunk: Buffer, from: number, visit: FrameVisitor): number {
    const held = this.#held;
    const before = held.length;
    const across = this.#findAcross(chunk, from);
    if (across >= 0) {
      this.#leave(this.#contentEnd(held.bytes, 0, across), visit);
      return from + across + this.#delimiterBytes - before;
    }
    const at = this.#find(chunk, from);
    if (at < 0) {
      this.#hold(chunk, from);
      return chunk.length;
    }
    const length = before + at - from;
    if (this.#passing || length > this.#mostHeldBytes) {
      this.#leave(length, visit);
    } else {
      // The CR before the delimiter may be in either part: it is looked for once all is in one place.
      held.append(chunk, from, at);
      this.#leave(this.#contentEnd(held.bytes, 0, length), visit);
    }
    return at + this.#delimiterBytes;
  }

  /** Visits the held frame, whose content ends at `end`, unless it is passed over. */
  #leave(end: number, visit: FrameVisitor): void {
    if (!this.#passing && end <= this.#maxFrameBytes) {
      this.visitedFrames += 1;
      visit(this.#held.lend(end), 0, end);
      return;
    }
    if (!this.#passing) this.#passOver();
    this.#passing = false;
    this.#held.clear();
  }

  /** Puts aside `chunk[from, length)`, in which there is no delimiter. */
  #hold(chunk: Buffer, from: number): void {
    if (!this.#passing && this.#held.length + chunk.length - from > this.#mostHeldBytes) {
      this.#passOver();
      this.#passing = true;
    }
    // Of a frame that is passed over, only what may be the start of its delimiter matters.
    const kept = this.#passing ? this.#delimiterBytes - 1 : Number.POSITIVE_INFINITY;
    this.#held.append(chunk, Math.max(from, chunk.length - kept), chunk.length);
    this.#held.keepLast(kept);
  }

  /** Where in the held bytes a delimiter begins that ends in `chunk` at `from` or after; -1 if none does. */
  #findAcross(chunk: Buffer, from: number): number {
    const overlap = this.#delimiterBytes - 1;
    if (overlap === 0) return -1;
    const held = this.#held;
    const before = held.length;
    held.append(chunk, from, Math.min(from + overlap, chunk.length));
    const at = held.bytes.subarray(0, held.length).indexOf(this.#delimiter, Math.max(0, before - overlap));
    held.length = before;
    return at;
  }

  /** Where the next delimiter begins in `bytes[from, length)`; -1 if there is none. */
  #find(bytes: Buffer, from: number): number {
    return this.#single >= 0 ? findByte(bytes, this.#single, from) : bytes.indexOf(this.#delimiter, from);
  }

  #contentEnd(bytes: Buffer, start: number, end: number): number {
    return this.#stripCr && end > start && bytes[end - 1] === CR ? end - 1 : end;
  }
}

function findByte(bytes: Buffer, wanted: number, from: number): number {
  const near = Math.min(from + NEAR_BYTES, bytes.length);
  for (let at = from; at < near; at++) if (bytes[at] === wanted) return at;
  return bytes.indexOf(wanted, near);
}
