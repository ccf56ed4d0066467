import { type DecoderOptions, MeasuredDecoder } from './decoder.ts';
import type { FrameEncoder } from './encoder.ts';
import { FramingError } from './errors.ts';
import { checkInteger } from './options.ts';

/*
 * Frames of one size, with nothing between them.
 *
 *   bytes  0 .. n-1   n .. 2n-1   ...
 *          frame 0    frame 1
 *
 * Specification: this table. An example is the 19-byte stamp `YYYY-MM-DD HH:MM:SS` sent back to back.
 */

/** The most that one fixed frame may take: 2^30 bytes. */
const MOST_FRAME_BYTES = 1_073_741_824;

export interface FixedDecoderOptions extends Pick<DecoderOptions, 'frames'> {
  /** The size of every frame, 1 to 2^30 bytes. */
  frameBytes: number;
}

/** Decodes frames of `frameBytes` bytes each. Throws FRAMING_OPTION on construction if an option is out of range. */
export class FixedDecoder extends MeasuredDecoder {
  readonly #frameBytes: number;

  constructor(options: FixedDecoderOptions) {
    const frameBytes = checkInteger('frameBytes', options.frameBytes, 1, MOST_FRAME_BYTES);
    super({ frames: options.frames, maxFrameBytes: frameBytes }, 0);
    this.#frameBytes = frameBytes;
  }

  protected override measure(): number {
    return this.#frameBytes;
  }
}

/** Encodes payloads of exactly `frameBytes` bytes and refuses every other. */
export class FixedEncoder implements FrameEncoder {
  readonly #frameBytes: number;

  constructor(options: { frameBytes: number }) {
    this.#frameBytes = checkInteger('frameBytes', options.frameBytes, 1, MOST_FRAME_BYTES);
  }

  encode(payload: Uint8Array): Uint8Array[] {
    if (payload.length === this.#frameBytes) return [payload];
    throw new FramingError(
      'FRAME_UNENCODABLE',
      `the payload has ${payload.length} bytes, and every frame has ${this.#frameBytes}`,
    );
  }
}
