import { FramingError, isUnplacedFault } from './errors.ts';
import { copyBytes, fits, HeldBytes, pooledCopy } from './held-bytes.ts';
import { checkChoice, checkMaxFrameBytes } from './options.ts';

/** The options every decoder takes. */
export interface DecoderOptions {
  /** The longest frame delivered, in bytes of payload: 1 to 2^53-1, by default 1 MiB. */
  maxFrameBytes?: number | undefined;
  /**
   * What becomes of a frame longer than that: `fail` (default) ends the stream with FRAME_TOO_LONG; `skip` consumes
   * the frame without holding it, counts it in `skippedFrames` and goes on with the next. A frame that declares more
   * than 2^53-1 bytes in all cannot be counted, so it fails either way.
   */
  oversized?: 'fail' | 'skip' | undefined;
  /**
   * Whose memory a frame from `push` is.
   *
   * `borrowed` (default): a view of the pushed chunk or of the decoder's own memory. It is good until the next call of
   * `push` or until the owner of the chunk writes over it, whichever is first. To keep one longer, copy it
   * (`ownFrame`): the copy also lets go of the chunk, of which a view of 10 bytes would hold all 64 KiB.
   *
   * `shared`: a view of the pushed chunk or, if it came in several, of memory that is never written over. It is good for
   * as long as nobody writes over the chunk, and holds on to all of it. For sources that give each chunk away, as
   * Node's streams do.
   *
   * `owned`: the receiver's for good. It shares no memory with chunk, decoder or another frame, and holds on to no more
   * than twice its own size. Costs a copy.
   */
  frames?: 'borrowed' | 'shared' | 'owned' | undefined;
}

/** What an adapter needs to know of a decoder. */
export interface Decoder {
  push(chunk: Uint8Array): Iterable<Buffer>;
  feed(chunk: Uint8Array, visit: FrameVisitor): void;
  frame(bytes: Buffer, start: number, end: number): Buffer;
  end(): Iterable<Buffer>;
  /** Whether a frame is good only until the next `push`: an adapter whose frames wait copies them then. */
  readonly lendsFrames: boolean;
  readonly failure: FramingError | undefined;
}

/**
 * Receives one frame: the bytes `[start, end)` of `bytes`, good during the call only. It may not call the decoder.
 */
export type FrameVisitor = (bytes: Buffer, start: number, end: number) => void;

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
  readonly lendsFrames: boolean;
  readonly #ownership: 'borrowed' | 'shared' | 'owned';
  protected readonly skipsOversized: boolean;
  #failure: FramingError | undefined;
  #ended = false;
  /** The chunk that is being decoded, and only while it is. */
  #chunk: Buffer | undefined;
  #skipped = 0;

  constructor(options: DecoderOptions) {
    this.maxFrameBytes = checkMaxFrameBytes(options.maxFrameBytes);
    this.skipsOversized = checkChoice('oversized', options.oversized ?? 'fail', ['fail', 'skip']) === 'skip';
    this.#ownership = checkChoice('frames', options.frames ?? 'borrowed', ['borrowed', 'shared', 'owned']);
    this.lendsFrames = this.#ownership === 'borrowed';
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
    const frames: Buffer[] = [];
    try {
      this.feed(chunk, (bytes, start, end) => {
        frames.push(this.frame(bytes, start, end));
      });
    } catch (error) {
      if (frames.length === 0) throw error;
      return framesThenFault(frames, error);
    }
    return frames;
  }

  /**
   * Like `push`, but calls `visit` for each frame and makes no object for it: several times quicker for small frames.
   * A fault is thrown when all frames before it have been visited. What `visit` throws is thrown on, and leaves the
   * decoder failed, as the rest of the chunk is lost.
   *
   * @throws FramingError as `push`, and FRAMING_MISUSE if called by a visitor.
   */
  feed(chunk: Uint8Array, visit: FrameVisitor): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#ended) throw new FramingError('FRAMING_MISUSE', 'a chunk was pushed after end');
    if (this.#chunk !== undefined)
      throw new FramingError('FRAMING_MISUSE', 'a visitor called the decoder that called it');
    const bytes = asBuffer(chunk);
    this.#chunk = bytes;
    try {
      this.decode(bytes, visit);
    } catch (error) {
      throw this.#fail(error);
    } finally {
      this.#chunk = undefined;
    }
  }

  /**
   * For a visitor that wants an object after all, during its call: the range as `push` would yield it, so as long good
   * as `DecoderOptions.frames` says.
   */
  frame(bytes: Buffer, start: number, end: number): Buffer {
    if (start === end) return EMPTY_FRAME;
    if (this.#ownership === 'borrowed') return bytes.subarray(start, end);
    if (bytes !== this.#chunk && fits(bytes, end - start)) return bytes.subarray(start, end);
    if (this.#ownership === 'owned') return copyBytes(bytes, start, end);
    return bytes === this.#chunk ? bytes.subarray(start, end) : pooledCopy(bytes, start, end);
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
      this.finish((bytes, start, end) => {
        frames.push(this.frame(bytes, start, end));
      });
    } catch (error) {
      throw this.#fail(error);
    }
    this.release();
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

  /** Decodes all of `chunk`, visiting each frame that it completes, and copies what remains. */
  protected abstract decode(chunk: Buffer, visit: FrameVisitor): void;
  /** Throws FRAME_TRUNCATED unless the bytes so far are whole frames. */
  protected abstract finish(visit: FrameVisitor): void;
  /** Lets go of the memory held. */
  protected abstract release(): void;
  /** How many frames were visited so far. */
  protected abstract get visitedFrames(): number;

  /** Counts a frame that is passed over; throws FRAME_TOO_LONG unless that was chosen. */
  protected passOver(declared?: number): void {
    if (!this.skipsOversized) throw tooLong(this.maxFrameBytes, declared);
    this.#skipped += 1;
  }

  /** Makes the decoder stay failed; returns what to throw now. */
  #fail(error: unknown): unknown {
    this.release();
    const frame = this.visitedFrames + this.#skipped;
    if (isUnplacedFault(error)) {
      this.#failure = new FramingError(error.code, `frame ${frame}: ${error.message}`, { frame });
      return this.#failure;
    }
    const what = `frame ${frame}: what received it threw an error`;
    this.#failure = new FramingError('FRAMING_MISUSE', what, { frame, cause: error });
    return error;
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
  #visited = 0;

  /** @param overheadBytes the most that head and tail of one frame take together. */
  constructor(options: DecoderOptions, overheadBytes: number) {
    super(options);
    this.#mostBytes = this.maxFrameBytes + overheadBytes;
    this.#held = new HeldBytes(this.#mostBytes + LOOKAHEAD_BYTES, !this.lendsFrames);
  }

  get bufferedBytes(): number {
    return this.#held.length;
  }

  protected override get visitedFrames(): number {
    return this.#visited;
  }

  /**
   * How many bytes the frame that starts at `bytes[start]` takes in all, as far as `bytes[start, end)` tell (there is
   * at least one). More than `end - start` means "at least so many, ask again when they are here"; otherwise the frame
   * is complete and `headBytes` and `tailBytes` are set. The answer may depend on one byte beyond the frame, which tells
   * that it is over, and on no more: a second one may be in an earlier chunk that is gone. While a frame is incomplete
   * the question is put again as bytes arrive, each time from its start. An oversized frame is what `oversizedFrame` makes of it.
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

  protected override decode(chunk: Buffer, visit: FrameVisitor): void {
    this.#held.recycle();
    let offset = this.#skipBytes > 0 ? this.#skip(chunk, 0) : 0;
    if (this.#held.length > 0) offset = this.#complete(chunk, visit);
    const end = chunk.length;
    let visited = 0;
    try {
      while (offset < end) {
        const total = this.measure(chunk, offset, end);
        if (total < 0) {
          this.#skipBytes = -total;
          offset = this.#skip(chunk, offset);
          continue;
        }
        if (total > end - offset) {
          this.#hold(chunk, offset, total);
          break;
        }
        const from = offset + this.headBytes;
        offset += total;
        const to = offset - this.tailBytes;
        if (to - from > this.maxFrameBytes) throw tooLong(this.maxFrameBytes);
        visited += 1;
        visit(chunk, from, to);
      }
    } finally {
      this.#visited += visited;
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
  #complete(chunk: Buffer, visit: FrameVisitor): number {
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
        this.#leave(total, visit);
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
  #leave(total: number, visit: FrameVisitor): void {
    const held = this.#held;
    if (total < 0) {
      const lastByte = held.bytes[-total - 1] as number;
      held.clear();
      this.checkSkippedEnd(lastByte);
      return;
    }
    const to = total - this.tailBytes;
    if (to - this.headBytes > this.maxFrameBytes) throw tooLong(this.maxFrameBytes);
    this.#visited += 1;
    visit(held.lend(to - this.headBytes), this.headBytes, to);
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

/** The error of a frame that declares more than a number counts exactly: no limit allows it, and it cannot be skipped. */
export function uncountable(): FramingError {
  return new FramingError('FRAME_TOO_LONG', 'it declares more than 2^53-1 bytes in all');
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

/** For adapters: a visited range as a frame that stays good when the decoder goes on. */
export function keptFrame(decoder: Decoder, bytes: Buffer, start: number, end: number): Buffer {
  return decoder.lendsFrames ? copyBytes(bytes, start, end) : decoder.frame(bytes, start, end);
}

/** For adapters: frames that stay good when the decoder goes on, copied if they would not. */
export function* keptFrames(decoder: Decoder, frames: Iterable<Buffer>): Generator<Buffer, void, undefined> {
  for (const frame of frames) yield decoder.lendsFrames ? ownFrame(frame) : frame;
}

function* framesThenFault(frames: Buffer[], fault: unknown): Generator<Buffer> {
  yield* frames;
  throw fault;
}
