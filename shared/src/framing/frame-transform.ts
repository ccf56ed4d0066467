import { Transform, type TransformCallback } from 'node:stream';
import { type Decoder, type FrameVisitor, keptFrame } from './decoder.ts';

/**
 * A Node Transform: bytes are written to it and frames read from it, as in `socket.pipe(new FrameTransform(decoder))`.
 *
 * Its readable side is in object mode, so one read is one frame, an empty one included. Backpressure holds: while
 * `readableHighWaterMark` (16) frames or more wait to be read, no further chunk is taken. A frame stays good while it
 * waits: those of a decoder that lends its frames are copied. The quick choice is `frames: 'shared'`, as a chunk that
 * was written to a stream is the stream's.
 *
 * A FramingError, also FRAME_TRUNCATED at the end of the input, destroys the stream once the frames before it were read.
 * (`pipeline` then destroys the streams after it too, with what they have not done yet.)
 */
export class FrameTransform extends Transform {
  readonly #decoder: Decoder;
  readonly #deliver: FrameVisitor;
  #fail: (() => void) | undefined;

  constructor(decoder: Decoder) {
    super({ readableObjectMode: true });
    this.#decoder = decoder;
    this.#deliver = (bytes, start, end) => {
      this.push(keptFrame(decoder, bytes, start, end));
    };
  }

  override _transform(chunk: Uint8Array, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.#attempt(() => this.#decoder.feed(chunk, this.#deliver), callback);
  }

  override _flush(callback: TransformCallback): void {
    this.#attempt(() => {
      for (const frame of this.#decoder.end()) this.push(frame);
    }, callback);
  }

  /** Every way to read from a stream comes through here, so here is seen when the last good frame was read. */
  override read(size?: number): Buffer | null {
    const frame = super.read(size);
    if (this.readableLength === 0) this.#fail?.();
    return frame;
  }

  /** Calls back when `work` is done, or when it found a fault and all frames before that were read. */
  #attempt(work: () => void, callback: TransformCallback): void {
    try {
      work();
    } catch (error) {
      // A listener for 'data' is called from here: what it throws is no fault of the stream.
      if (error !== this.#decoder.failure) throw error;
      this.#failWhenRead(error as Error, callback);
      return;
    }
    callback();
  }

  /** An error destroys a stream and what waits in it, so it is kept back until nothing waits. */
  #failWhenRead(error: Error, callback: TransformCallback): void {
    this.#fail = () => {
      this.#fail = undefined;
      callback(error);
    };
    if (this.readableLength === 0) this.#fail();
  }
}
