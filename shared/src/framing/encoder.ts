import { FramingError } from './errors.ts';

/**
 * The contract of every encoder: a payload becomes the parts of its frame, to be written one after the other.
 * The payload is among them as it is, not copied: write the parts under `cork` (`writeFrame`) and they leave together.
 */
export interface FrameEncoder {
  /** @throws FramingError FRAME_UNENCODABLE if this form cannot carry the payload. */
  encode(payload: Uint8Array): Uint8Array[];
}

/** Throws FRAME_UNENCODABLE if a payload is longer than the encoder's limit. */
export function checkPayloadBytes(payload: Uint8Array, maxFrameBytes: number): void {
  if (payload.length > maxFrameBytes) {
    throw new FramingError(
      'FRAME_UNENCODABLE',
      `the payload has ${payload.length} bytes, and at most ${maxFrameBytes} are allowed`,
    );
  }
}
