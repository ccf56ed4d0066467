import { FramingError, type FramingErrorCode } from './errors.ts';
import { copyBytes, HeldBytes } from './held-bytes.ts';
import { checkChoice, checkMaxFrameBytes } from './options.ts';

/** The options every decoder takes. */
export interface DecoderOptions {
  /** The longest frame delivered, in bytes of payload: 1 to 2^53-1, by default 1 MiB. */
  maxFrameBytes?: number | undefined;
  /**
   * What becomes of a frame longer than that: `fail` (default) ends the stream with FRAME_TOO_LONG; `skip` consumes
   * the frame without holding it, counts it in `skippedFrames` and goes on with the next.
   */
  oversized?: 'fail' | 'skip' | undefined;
  /**
   * Who owns the memory of a delivered frame.
   *
   * `borrowed` (default): a frame is a view, of the pushed chunk or of the decoder. It is good until the next call of
   * `push` or until the owner of the chunk writes over it, whichever is first. To keep one longer, copy it
   * (`ownFrame`): the copy also lets go of the chunk, of which a view of 10 bytes holds all 64 KiB.
   *
   * `owned`: a frame is the receiver's for good. It shares no memory with chunk or decoder and holds on to no more
   * than twice its own size (never less than a few bytes of bookkeeping). Costs one copy.
   */
  frames?: 'borrowed' | 'owned' | undefined;
}

/** What an adapter needs to know of a decoder. */
export interface Decoder {
  push(chunk: Uint8Array): Iterable<Buffer>;
  end(): Iterable<Buffer>;
  readonly ownsFrames: boolean;
}

/** The frame of no bytes. One is enough: it has no bytes to write over. */
const EMPTY_FRAME = Buffer.alloc(0);

/**
 * The contract of every decoder: bytes in as they arrive, whole frames out, and nothing else. No I/O, no clock.
 *
 * A frame that is not complete is no fault: it is held (`bufferedBytes`) until the rest arrives. Bytes that can never
 * become a frame are a fault: every frame before them is delivered, then a FramingError is thrown, and the decoder
 * stays failed: each later `push` and `end` throws the same error. The frames delivered and the fault found depend on
 * the bytes alone, never on how they were split into chunks.
 *
 * A decoder keeps no view of a pushed chunk after `push` returns: whoever reads into one buffer again and again may.
 */
export abstract class FrameDecoder implements Decoder {
  /** The longest frame delivered, in bytes. */
  readonly maxFrameBytes: number;
  /** Whether delivered frames are the receiver's for good; see `DecoderOptions.frames`. */
  readonly ownsFrames: boolean;
  protected readonly skipsOversized: boolean;
  #failure: FramingError | undefined;
  #ended = false;
  #delivered = 0;
  #skipped = 0;

  constructor(options: DecoderOptions) {
    this.maxFrameBytes = checkMaxFrameBytes(options.maxFrameBytes);
    this.skipsOversized = checkChoice('oversized', options.oversized ?? 'fail', ['fail', 'skip']) === 'skip';
    this.ownsFrames = checkChoice('frames', options.frames ?? 'borrowed', ['borrowed', 'owned']) === 'owned';
  }

  /**
   * Takes the next bytes of the stream and yields the frames they complete, in order. All are decoded when `push`
   * returns, so a loop that is left early loses frames but never the place in the stream.
   *
   * @throws FramingError FRAME_TOO_LONG or FRAME_INVALID at the place of the fault: at once if no frame came before it,
   *   otherwise from the iteration, after the last good frame. A `for` loop sees no difference. FRAMING_MISUSE after
   *   `end`, or if the chunk is not a Uint8Array.
   */
  push(chunk: Uint8Array): Iterable<Buffer> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#ended) throw new FramingError('FRAMING_MISUSE', 'push was called after end');
    const bytes = asBuffer(chunk);
    const frames: Buffer[] = [];
    try {
      this.decode(bytes, frames);
    } catch (error) {
      const failure = this.#fail(error, frames.length);
      if (frames.length === 0) throw failure;
      return framesThenFault(frames, failure);
    }
    this.#delivered += frames.length;
    return frames;
  }

  /**
   * Says that the stream is over. At the boundary of a frame that is its proper end; calling it again changes nothing.
   * Yields the last frame of a form that needs no terminator there (`lines` with `lastLine: 'deliver'`), else nothing.
   *
   * @throws FramingError FRAME_TRUNCATED if the stream ended inside a frame.
   */
  end(): Iterable<Buffer> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#ended) return [];
    this.#ended = true;
    const frames: Buffer[] = [];
    try {
      this.finish(frames);
    } catch (error) {
      throw this.#fail(error, 0);
    }
    this.#delivered += frames.length;
    return frames;
  }

  /** The bytes held of an unfinished frame: never more than `maxFrameBytes` and the form's own header. */
  abstract get bufferedBytes(): number;

  /** The fault that ended this stream, or undefined. */
  get failure(): FramingError | undefined {
    return this.#failure;
  }

  /** How many oversized frames were passed over because `oversized` is `skip`. */
  get skippedFrames(): number {
    return this.#skipped;
  }

  /** Decodes all of `chunk`, appending to `frames` as they are completed, and copies what remains. */
  protected abstract decode(chunk: Buffer, frames: Buffer[]): void;
  /** Throws FRAME_TRUNCATED unless the bytes so far are whole frames. */
  protected abstract finish(frames: Buffer[]): void;
  /** Lets go of the memory held. */
  protected abstract release(): void;

  /** Counts a frame that is passed over; throws FRAME_TOO_LONG unless that was chosen. */
  protected passOver(declared?: number): void {
    if (!this.skipsOversized) throw tooLong(this.maxFrameBytes, declared);
    this.#skipped += 1;
  }

  #fail(error: unknown, completed: number): FramingError {
    this.release();
    const frame = this.#delivered + completed + this.#skipped;
    const code: FramingErrorCode = error instanceof FramingError ? error.code : 'FRAMING_MISUSE';
    const what = error instanceof Error ? error.message : String(error);
    const cause = error instanceof FramingError ? {} : { cause: error };
    this.#failure = new FramingError(code, `frame ${frame}: ${what}`, { frame, ...cause });
    return this.#failure;
  }
}

/** More bytes than a header has: one round of copying is enough to read any, and what is too much is given back. */
const LOOKAHEAD_BYTES = 64;

/**
 * A decoder of frames that can be measured from their start: the base of `fixed`, `length-field`, `varint` and
 * `netstring`, and the one to extend for a form of your own. A subclass writes `measure` and nothing else.
 */
export abstract class MeasuredDecoder extends FrameDecoder {
  /** How many bytes at the start of the frame measured last are no payload. */
  protected headBytes = 0;
  /** How many bytes at its end are no payload. */
  protected tailBytes = 0;
  readonly #held: HeldBytes;
  readonly #mostBytes: number;
  /** How many bytes in all the held frame needs, as far as it is known. */
  #neededBytes = 0;
  /** How many bytes of an oversized frame are still to be passed over. */
  #skipBytes = 0;

  /** @param overheadBytes the most that head and tail of one frame take together. */
  constructor(options: DecoderOptions, overheadBytes: number) {
    super(options);
    this.#mostBytes = this.maxFrameBytes + overheadBytes;
    this.#held = new HeldBytes(this.#mostBytes + LOOKAHEAD_BYTES);
  }

  get bufferedBytes(): number {
    return this.#held.length;
  }

  /**
   * How many bytes the frame that starts at `bytes[start]` takes in all, as far as `bytes[start, end)` tell (there is
   * at least one). More than `end - start` means "at least so many, ask again when they are here"; otherwise the frame
   * is complete and `headBytes` and `tailBytes` are set. The answer may not depend on bytes beyond the frame.
   * An oversized frame is what `oversizedFrame` makes of it.
   *
   * @throws FramingError FRAME_INVALID if no frame starts with these bytes; FRAME_TOO_LONG if the frame is.
   */
  protected abstract measure(bytes: Buffer, start: number, end: number): number;

  /** For `measure`: what to return for a frame of `totalBytes` whose payload is too long. */
  protected oversizedFrame(totalBytes: number, payloadBytes: number): number {
    this.passOver(payloadBytes);
    return -totalBytes;
  }

  /** Called with the last byte of a frame that was passed over, to check what the form says about it. */
  protected checkSkippedEnd(_lastByte: number): void {}

  protected override decode(chunk: Buffer, frames: Buffer[]): void {
    let offset = this.#skipBytes > 0 ? this.#skip(chunk, 0) : 0;
    if (this.#held.length > 0 && offset < chunk.length) offset = this.#complete(chunk, frames);
    const end = chunk.length;
    while (offset < end) {
      const total = this.measure(chunk, offset, end);
      if (total < 0) {
        this.#skipBytes = -total;
        offset = this.#skip(chunk, offset);
      } else if (total > end - offset) {
        this.#hold(chunk, offset, total);
        return;
      } else {
        const from = offset + this.headBytes;
        offset += total;
        const to = offset - this.tailBytes;
        if (to - from > this.maxFrameBytes) throw tooLong(this.maxFrameBytes);
        frames.push(frameOf(chunk, from, to, this.ownsFrames));
      }
    }
  }

  protected override finish(): void {
    if (this.#skipBytes > 0) {
      throw new FramingError('FRAME_TRUNCATED', `the stream ended ${this.#skipBytes} bytes before the end of it`);
    }
    const held = this.#held.length;
    if (held > 0) {
      throw new FramingError(
        'FRAME_TRUNCATED',
        `the stream ended after ${held} bytes of it, at least ${this.#neededBytes} were expected`,
      );
    }
  }

  protected override release(): void {
    this.#held.release();
  }

  /** Passes over what `chunk` has, from `offset`, of an oversized frame; returns where it stopped. */
  #skip(chunk: Buffer, offset: number): number {
    const passed = Math.min(this.#skipBytes, chunk.length - offset);
    this.#skipBytes -= passed;
    if (this.#skipBytes === 0) this.checkSkippedEnd(chunk[offset + passed - 1] as number);
    return offset + passed;
  }

  #hold(chunk: Buffer, offset: number, needed: number): void {
    this.#checkNeeded(needed);
    this.#neededBytes = needed;
    this.#held.append(chunk, offset, chunk.length);
  }

  /** Completes the held frame from the start of `chunk`; returns where the next frame starts, or the chunk's length. */
  #complete(chunk: Buffer, frames: Buffer[]): number {
    const held = this.#held;
    let offset = 0;
    while (offset < chunk.length) {
      const wanted = Math.max(this.#neededBytes - held.length, LOOKAHEAD_BYTES);
      const taken = Math.min(wanted, chunk.length - offset);
      held.append(chunk, offset, offset + taken);
      offset += taken;
      if (held.length < this.#neededBytes) break;
      const total = this.measure(held.bytes, 0, held.length);
      if (Math.abs(total) <= held.length) {
        // Bytes taken beyond the frame's end are still in the chunk: decoding goes on there, and so they are given back.
        offset -= held.length - Math.abs(total);
        this.#leave(total, frames);
        return offset;
      }
      if (total < 0) {
        this.#skipBytes = -total - held.length;
        held.clear();
        return this.#skip(chunk, offset);
      }
      this.#checkNeeded(total);
      this.#neededBytes = total;
    }
    return offset;
  }

  /** Delivers the complete frame that is held, or passes over it. */
  #leave(total: number, frames: Buffer[]): void {
    const held = this.#held;
    if (total < 0) {
      const lastByte = held.bytes[-total - 1] as number;
      held.clear();
      this.checkSkippedEnd(lastByte);
      return;
    }
    const to = total - this.tailBytes;
    if (to - this.headBytes > this.maxFrameBytes) throw tooLong(this.maxFrameBytes);
    frames.push(held.deliver(this.headBytes, to, this.ownsFrames));
  }

  #checkNeeded(needed: number): void {
    if (needed > this.#mostBytes) throw tooLong(this.maxFrameBytes);
  }
}

/** The error of an oversized frame. What it has is known only if it was declared; that it has too much, always. */
export function tooLong(maxFrameBytes: number, declared?: number): FramingError {
  const what = declared === undefined ? 'it is longer than' : `it declares ${declared} bytes, more than`;
  return new FramingError('FRAME_TOO_LONG', `${what} the ${maxFrameBytes} bytes allowed`);
}

/** The bytes `[from, to)` of a chunk as a frame: a view, or a copy if the receiver is to own it. */
export function frameOf(chunk: Buffer, from: number, to: number, owned: boolean): Buffer {
  if (from === to) return EMPTY_FRAME;
  return owned ? copyBytes(chunk, from, to) : chunk.subarray(from, to);
}

/**
 * A frame in memory of its own: what to keep of a borrowed frame. (`slice` of a Buffer would be another view.)
 */
export function ownFrame(frame: Uint8Array): Buffer {
  return copyBytes(frame, 0, frame.length);
}

/** The same memory as a Buffer. Throws FRAMING_MISUSE for what is not a Uint8Array. */
export function asBuffer(chunk: Uint8Array): Buffer {
  if (Buffer.isBuffer(chunk)) return chunk;
  if (chunk instanceof Uint8Array) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw new FramingError('FRAMING_MISUSE', `a chunk must be a Uint8Array, and this one is of type ${typeof chunk}`);
}

function* framesThenFault(frames: Buffer[], fault: FramingError): Generator<Buffer> {
  yield* frames;
  throw fault;
}
