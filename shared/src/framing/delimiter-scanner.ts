import { frameOf } from './decoder.ts';
import { FramingError } from './errors.ts';
import { HeldBytes } from './held-bytes.ts';

/** Up to here a loop is quicker than a call into the runtime, whose search is many times quicker per byte. */
const NEAR_BYTES = 48;
const CR = 0x0d;

export interface DelimiterScannerOptions {
  /** The byte string that ends a frame, one byte or more. */
  delimiter: Buffer;
  /** Whether one CR before the delimiter belongs to the delimiter. */
  stripCr: boolean;
  /** The longest frame, in bytes without its delimiter. */
  maxFrameBytes: number;
  /** Whether frames are copied out of the chunk. */
  owned: boolean;
  /** Called once for each frame that is too long; throws if such frames may not be passed over. */
  passOver(): void;
}

/**
 * Finds delimited frames one after the other, across the borders of chunks: what `delimiter`, `lines` and
 * `counted-payload` have in common. Every byte is searched once: what is held has been searched already.
 */
export class DelimiterScanner {
  /** Where the frame after the one found last begins in the chunk; the chunk's length if there was none. */
  offset = 0;
  readonly #delimiter: Buffer;
  readonly #stripCr: boolean;
  readonly #maxFrameBytes: number;
  readonly #owned: boolean;
  readonly #passOver: () => void;
  readonly #held: HeldBytes;
  /** The most that can be held before it is certain that the frame is too long. */
  readonly #mostHeldBytes: number;
  /** Inside an oversized frame: only as many bytes are held as may be the start of a delimiter. */
  #passing = false;

  constructor(options: DelimiterScannerOptions) {
    this.#delimiter = options.delimiter;
    this.#stripCr = options.stripCr;
    this.#maxFrameBytes = options.maxFrameBytes;
    this.#owned = options.owned;
    this.#passOver = options.passOver;
    this.#mostHeldBytes = options.maxFrameBytes + options.delimiter.length - 1 + (options.stripCr ? 1 : 0);
    this.#held = new HeldBytes(this.#mostHeldBytes + options.delimiter.length);
  }

  get bufferedBytes(): number {
    return this.#held.length;
  }

  /** Whether the stream is inside a frame. */
  get insideFrame(): boolean {
    return this.#held.length > 0 || this.#passing;
  }

  /**
   * The next frame that ends in `chunk[from, length)`, or undefined if none does: then the rest of the chunk is held.
   * `offset` tells where to go on.
   *
   * @throws FramingError FRAME_TOO_LONG (from `passOver`).
   */
  next(chunk: Buffer, from: number): Buffer | undefined {
    let start = from;
    if (this.insideFrame && start < chunk.length) {
      const frame = this.#complete(chunk, start);
      if (frame !== undefined || this.insideFrame) return frame;
      start = this.offset;
    }
    while (start < chunk.length) {
      const at = this.#find(chunk, start);
      if (at < 0) break;
      const next = at + this.#delimiter.length;
      const end = this.#contentEnd(chunk, start, at);
      if (end - start <= this.#maxFrameBytes) {
        this.offset = next;
        return frameOf(chunk, start, end, this.#owned);
      }
      this.#passOver();
      start = next;
    }
    this.offset = chunk.length;
    if (start < chunk.length) this.#hold(chunk, start);
    return undefined;
  }

  /** The unfinished frame as it stands, for a form whose last frame needs no delimiter; undefined if there is none. */
  takeUnfinished(): Buffer | undefined {
    const length = this.#held.length;
    if (length > this.#maxFrameBytes) this.#passOver();
    const frame =
      this.#passing || length === 0 || length > this.#maxFrameBytes
        ? undefined
        : this.#held.deliver(0, length, this.#owned);
    this.release();
    return frame;
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

  /** Completes the frame begun in earlier chunks; undefined if it does not end here or is passed over. */
  #complete(chunk: Buffer, from: number): Buffer | undefined {
    const held = this.#held;
    const before = held.length;
    const across = this.#findAcross(chunk, from);
    if (across >= 0) {
      this.offset = from + across + this.#delimiter.length - before;
      return this.#leave(this.#contentEnd(held.bytes, 0, across));
    }
    const at = this.#find(chunk, from);
    if (at < 0) {
      this.offset = chunk.length;
      this.#hold(chunk, from);
      return undefined;
    }
    this.offset = at + this.#delimiter.length;
    // Too long whether or not its last byte is a CR: not worth holding. The CR is looked for once all is in one place.
    if (before + at - from <= this.#mostHeldBytes && !this.#passing) held.append(chunk, from, at);
    else return this.#leave(before + at - from);
    return this.#leave(this.#contentEnd(held.bytes, 0, held.length));
  }

  /** Delivers the held frame, whose content ends at `end`, unless it is passed over. */
  #leave(end: number): Buffer | undefined {
    if (!this.#passing && end <= this.#maxFrameBytes) return this.#held.deliver(0, end, this.#owned);
    if (!this.#passing) this.#passOver();
    this.#passing = false;
    this.#held.clear();
    return undefined;
  }

  /** Puts aside `chunk[from, length)`, in which there is no delimiter. */
  #hold(chunk: Buffer, from: number): void {
    if (!this.#passing && this.#held.length + chunk.length - from > this.#mostHeldBytes) {
      this.#passOver();
      this.#passing = true;
    }
    // Of a frame that is passed over, only what may be the start of its delimiter matters.
    const kept = this.#passing ? this.#delimiter.length - 1 : Number.POSITIVE_INFINITY;
    this.#held.append(chunk, Math.max(from, chunk.length - kept), chunk.length);
    this.#held.keepLast(kept);
  }

  /** Where in the held bytes a delimiter begins that ends in `chunk` at `from` or after; -1 if none does. */
  #findAcross(chunk: Buffer, from: number): number {
    const overlap = this.#delimiter.length - 1;
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
    const delimiter = this.#delimiter;
    const first = delimiter[0] as number;
    const near = Math.min(from + NEAR_BYTES, bytes.length - delimiter.length + 1);
    let at = from;
    for (; at < near; at++) {
      if (bytes[at] === first && (delimiter.length === 1 || startsWith(bytes, at, delimiter))) return at;
    }
    return delimiter.length === 1 ? bytes.indexOf(first, at) : bytes.indexOf(delimiter, at);
  }

  #contentEnd(bytes: Buffer, start: number, end: number): number {
    return this.#stripCr && end > start && bytes[end - 1] === CR ? end - 1 : end;
  }
}

function startsWith(bytes: Buffer, at: number, wanted: Buffer): boolean {
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false;
  return true;
}
