import { type DecoderOptions, MeasuredDecoder, uncountable } from './decoder.ts';
import { checkPayloadBytes, type FrameEncoder } from './encoder.ts';
import { FramingError } from './errors.ts';
import { checkMaxFrameBytes } from './options.ts';

/*
 * netstring = length ":" payload ","
 *
 *   length   "0", or a digit 1 to 9 and further digits: the bytes of the payload, in decimal, no leading zero
 *   ":"      3a
 *   payload  any bytes
 *   ","      2c
 *
 *   "hello world!"   31 32 3a 68 65 6c 6c 6f 20 77 6f 72 6c 64 21 2c
 *   ""               30 3a 2c
 *
 * Specification: D. J. Bernstein, "Netstrings", 1 February 1997 (https://cr.yp.to/proto/netstrings.txt).
 */

/** 2^53-1 has 16 digits. */
const MOST_DIGITS = 16;
const COLON = 0x3a;
const COMMA = 0x2c;
const ZERO = 0x30;
const NINE = 0x39;

/** Decodes netstrings. */
export class NetstringDecoder extends MeasuredDecoder {
  /** Throws FRAMING_OPTION if an option is out of range. */
  constructor(options: DecoderOptions = {}) {
    super(options, MOST_DIGITS + 2);
    this.tailBytes = 1;
  }

  protected override measure(bytes: Buffer, start: number, end: number): number {
    let length = 0;
    let at = start;
    for (; ; at++) {
      if (at === end) return at - start + 1;
      const byte = bytes[at] as number;
      if (byte === COLON && at > start) break;
      this.#checkDigit(byte, at - start, length);
      length = length * 10 + (byte - ZERO);
    }
    this.headBytes = at + 1 - start;
    const total = this.headBytes + length + 1;
    if (total > Number.MAX_SAFE_INTEGER) throw uncountable();
    if (length > this.maxFrameBytes) return this.oversizedFrame(total, length);
    if (total <= end - start) checkComma(bytes[start + total - 1] as number);
    return total;
  }

  protected override checkSkippedEnd(lastByte: number): void {
    checkComma(lastByte);
  }

  /** Checks the byte after `digits` digits of value `length`. */
  #checkDigit(byte: number, digits: number, length: number): void {
    if (byte < ZERO || byte > NINE) {
      const wanted = digits === 0 ? 'a digit' : 'a digit or ":"';
      throw new FramingError('FRAME_INVALID', `its length has ${hex(byte)} where ${wanted} must be`);
    }
    if (digits > 0 && length === 0) throw new FramingError('FRAME_INVALID', 'its length has a leading zero');
    if (digits === MOST_DIGITS) throw uncountable();
  }
}

/** Encodes a payload of up to `maxFrameBytes` (default 1 MiB) as a netstring. */
export class NetstringEncoder implements FrameEncoder {
  readonly #maxFrameBytes: number;

  constructor(options: Pick<DecoderOptions, 'maxFrameBytes'> = {}) {
    this.#maxFrameBytes = checkMaxFrameBytes(options.maxFrameBytes);
  }

  encode(payload: Uint8Array): Uint8Array[] {
    checkPayloadBytes(payload, this.#maxFrameBytes);
    return [Buffer.from(`${payload.length}:`, 'latin1'), payload, Uint8Array.of(COMMA)];
  }
}

function checkComma(byte: number): void {
  if (byte !== COMMA) throw new FramingError('FRAME_INVALID', `it ends with ${hex(byte)} where "," must be`);
}

function hex(byte: number): string {
  return `byte 0x${byte.toString(16).padStart(2, '0')}`;
}
