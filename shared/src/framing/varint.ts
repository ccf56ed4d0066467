import { type DecoderOptions, MeasuredDecoder, uncountable } from './decoder.ts';
import { checkPayloadBytes, type FrameEncoder } from './encoder.ts';
import { FramingError } from './errors.ts';
import { checkMaxFrameBytes } from './options.ts';

/*
 * A length in unsigned LEB128, then the payload.
 *
 *   byte 0        bit 7 set: another byte of the length follows; bits 6..0: bits 6..0 of the length
 *   byte 1        the same, bits 13..7 of the length
 *   ...           at most 8 bytes: 2^53-1, the largest length a number holds exactly, needs 53 bits
 *   then          the payload
 *
 *   length         0        127        128      16383      16384          2097151        2097152
 *   bytes         00         7f      80 01      ff 7f   80 80 01         ff ff 7f    80 80 80 01
 *
 * Specification: LEB128 as in DWARF 5 section 7.6 and Protocol Buffers' "base 128 varints". Only the shortest form of
 * a length is accepted, so that one length has one spelling: a last byte of 00 after another byte is a fault.
 */

/** The most bytes a length takes: 8 groups of 7 bits hold 2^53-1. */
const MOST_LENGTH_BYTES = 8;
const GROUP = 0x80;

/** Decodes frames that are preceded by their length as a varint. */
export class VarintDecoder extends MeasuredDecoder {
  /** Throws FRAMING_OPTION if an option is out of range. */
  constructor(options: DecoderOptions = {}) {
    super(options, MOST_LENGTH_BYTES);
  }

  protected override measure(bytes: Buffer, start: number, end: number): number {
    let length = bytes[start] as number;
    let lengthBytes = 1;
    if (length >= GROUP) {
      length -= GROUP;
      // Multiplied, not shifted: a shift is done in 32 bits and a length has up to 53.
      let scale = GROUP;
      for (;;) {
        if (lengthBytes === MOST_LENGTH_BYTES) {
          throw new FramingError('FRAME_INVALID', `its length takes more than ${MOST_LENGTH_BYTES} bytes`);
        }
        if (start + lengthBytes === end) return lengthBytes + 1;
        const byte = bytes[start + lengthBytes] as number;
        lengthBytes += 1;
        if (byte < GROUP) {
          if (byte === 0)
            throw new FramingError('FRAME_INVALID', 'its length is not in the shortest form (ends in 00)');
          length += byte * scale;
          break;
        }
        length += (byte - GROUP) * scale;
        scale *= GROUP;
      }
    }
    const total = lengthBytes + length;
    if (total > Number.MAX_SAFE_INTEGER) throw uncountable();
    this.headBytes = lengthBytes;
    return length > this.maxFrameBytes ? this.oversizedFrame(total, length) : total;
  }
}

/** Encodes a payload of up to `maxFrameBytes` (default 1 MiB) behind its length as a varint. */
export class VarintEncoder implements FrameEncoder {
  readonly #maxFrameBytes: number;

  constructor(options: Pick<DecoderOptions, 'maxFrameBytes'> = {}) {
    this.#maxFrameBytes = checkMaxFrameBytes(options.maxFrameBytes);
  }

  encode(payload: Uint8Array): Uint8Array[] {
    checkPayloadBytes(payload, this.#maxFrameBytes);
    return [varintLength(payload.length), payload];
  }
}

/** A length, 0 to 2^53-1, in its shortest varint form. Throws FRAME_UNENCODABLE for any other number. */
export function varintLength(length: number): Uint8Array {
  if (!Number.isSafeInteger(length) || length < 0) {
    throw new FramingError('FRAME_UNENCODABLE', `a length of ${length} is not an integer from 0 to 2^53-1`);
  }
  const bytes: number[] = [];
  let rest = length;
  while (rest >= GROUP) {
    bytes.push((rest % GROUP) + GROUP);
    rest = Math.floor(rest / GROUP);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
