import { type DecoderOptions, MeasuredDecoder, uncountable } from './decoder.ts';
import { checkPayloadBytes, type FrameEncoder } from './encoder.ts';
import { FramingError } from './errors.ts';
import { checkChoice, checkInteger, checkMaxFrameBytes } from './options.ts';

/*
 * A binary length at a fixed place of a header.
 *
 *   bytes  0 .. lengthOffset-1   lengthOffset .. +lengthBytes-1   ...
 *          lead                  value, unsigned                  the rest of the frame
 *
 *   whole frame = lengthOffset + lengthBytes + value + lengthAdjustment
 *   delivered   = whole frame without its first stripBytes bytes
 *
 *   lengthBytes 2, nothing else set        00 05 'hello'               -> 'hello'
 *   lengthBytes 2, stripBytes 0            00 05 'hello'               -> 00 05 'hello'
 *   lengthBytes 2, lengthAdjustment -2     00 07 'hello'               -> 'hello'    (value counts its own field)
 *   lengthOffset 1, lengthAdjustment 1,    ca 00 05 fe 'hello'         -> fe 'hello' (value counts neither ca nor fe)
 *     lengthBytes 2, stripBytes 3
 *
 * Specification: the options of Netty's LengthFieldBasedFrameDecoder under shorter names, with two differences.
 * By default the header is stripped, as every other decoder here delivers the payload alone; and the limit bounds
 * what is delivered.
 */

const MOST_LENGTH_BYTES = 8;
/** A header is held whole before its length is known, so its size is bounded too. */
const MOST_HEADER_BYTES = 65_535;
const MOST_ADJUSTMENT = 2_147_483_647;

/** Where the length is, and what it counts. */
export interface LengthField {
  /** The width of the field: 1 to 8 bytes. */
  lengthBytes: number;
  /** Its byte order: `big` (network order, default) or `little`. */
  byteOrder?: 'big' | 'little' | undefined;
  /** How many bytes come before it: 0 (default) to 65,535. */
  lengthOffset?: number | undefined;
  /** What to add to its value to get the bytes that follow the field: within ±(2^31-1), default 0. */
  lengthAdjustment?: number | undefined;
}

type CheckedLengthField = { [Key in keyof LengthField]-?: NonNullable<LengthField[Key]> };

export interface LengthFieldDecoderOptions extends DecoderOptions, LengthField {
  /** How many bytes to take off the start of the frame: 0 to 65,543, default all up to the end of the field. */
  stripBytes?: number | undefined;
}

/** Decodes frames that carry their length in a binary field. */
export class LengthFieldDecoder extends MeasuredDecoder {
  readonly #lengthBytes: number;
  readonly #littleEndian: boolean;
  readonly #lengthOffset: number;
  readonly #fieldEnd: number;
  readonly #lengthAdjustment: number;

  /** Throws FRAMING_OPTION if an option is out of range. */
  constructor(options: LengthFieldDecoderOptions) {
    const field = checkLengthField(options);
    const fieldEnd = field.lengthOffset + field.lengthBytes;
    const mostStrip = MOST_HEADER_BYTES + MOST_LENGTH_BYTES;
    const stripBytes = checkInteger('stripBytes', options.stripBytes ?? fieldEnd, 0, mostStrip);
    super(options, Math.max(stripBytes, fieldEnd));
    this.#lengthBytes = field.lengthBytes;
    this.#littleEndian = field.byteOrder === 'little';
    this.#lengthOffset = field.lengthOffset;
    this.#fieldEnd = fieldEnd;
    this.#lengthAdjustment = field.lengthAdjustment;
    this.headBytes = stripBytes;
  }

  protected override measure(bytes: Buffer, start: number, end: number): number {
    if (end - start < this.#fieldEnd) return this.#fieldEnd;
    const value = this.#readValue(bytes, start + this.#lengthOffset);
    const total = this.#fieldEnd + value + this.#lengthAdjustment;
    // Beyond 2^53-1 a number may be rounded: it is refused here, before anything is counted with it.
    if (value > Number.MAX_SAFE_INTEGER || total > Number.MAX_SAFE_INTEGER) throw uncountable();
    if (total < this.#fieldEnd || total < this.headBytes) {
      throw new FramingError(
        'FRAME_INVALID',
        `its length field says ${value}, which makes ${total} bytes in all, less than its header`,
      );
    }
    if (total - this.headBytes > this.maxFrameBytes) return this.oversizedFrame(total, total - this.headBytes);
    return total;
  }

  /** Reads the field at `at`. Added up, not shifted: a shift is done in 32 bits. */
  #readValue(bytes: Buffer, at: number): number {
    const last = this.#lengthBytes - 1;
    let value = 0;
    if (this.#littleEndian) {
      for (let i = last; i >= 0; i--) value = value * 256 + (bytes[at + i] as number);
    } else {
      for (let i = 0; i <= last; i++) value = value * 256 + (bytes[at + i] as number);
    }
    return value;
  }
}

export interface LengthFieldEncoderOptions extends LengthField, Pick<DecoderOptions, 'maxFrameBytes'> {
  /** What to send before the field, `lengthOffset` bytes: needed if that is not 0. Copied on construction. */
  lead?: Uint8Array | undefined;
}

/** Encodes what follows the length field (up to `maxFrameBytes`, default 1 MiB) behind lead and field. */
export class LengthFieldEncoder implements FrameEncoder {
  readonly #field: CheckedLengthField;
  readonly #lead: Uint8Array;
  readonly #maxFrameBytes: number;

  /** Throws FRAMING_OPTION if an option is out of range or `lead` is not `lengthOffset` bytes long. */
  constructor(options: LengthFieldEncoderOptions) {
    this.#field = checkLengthField(options);
    this.#lead = Uint8Array.from(options.lead ?? []);
    this.#maxFrameBytes = checkMaxFrameBytes(options.maxFrameBytes);
    if (this.#lead.length !== this.#field.lengthOffset) {
      throw new FramingError(
        'FRAMING_OPTION',
        `lead has ${this.#lead.length} bytes; it must have lengthOffset bytes, which is ${this.#field.lengthOffset}`,
      );
    }
  }

  /**
   * @throws FramingError FRAME_UNENCODABLE if the payload is over the limit, if the field is too narrow for its length,
   *   or if the adjustment would make the length negative.
   */
  encode(payload: Uint8Array): Uint8Array[] {
    checkPayloadBytes(payload, this.#maxFrameBytes);
    return [this.header(payload.length), payload];
  }

  /** The lead and the length field of a frame with `payloadBytes` after the field: 0 to 2^53-1. */
  header(payloadBytes: number): Uint8Array {
    const { lengthBytes, byteOrder, lengthOffset, lengthAdjustment } = this.#field;
    const value = payloadBytes - lengthAdjustment;
    if (!Number.isSafeInteger(payloadBytes) || value < 0 || value > Math.min(256 ** lengthBytes - 1, 2 ** 53 - 1)) {
      throw new FramingError(
        'FRAME_UNENCODABLE',
        `a payload of ${payloadBytes} bytes makes the length ${value}, which a field of ${lengthBytes} bytes cannot carry`,
      );
    }
    const header = new Uint8Array(lengthOffset + lengthBytes);
    header.set(this.#lead);
    let rest = value;
    for (let i = 0; i < lengthBytes; i++) {
      header[lengthOffset + (byteOrder === 'little' ? i : lengthBytes - 1 - i)] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    return header;
  }
}

function checkLengthField(options: LengthField): CheckedLengthField {
  return {
    lengthBytes: checkInteger('lengthBytes', options.lengthBytes, 1, MOST_LENGTH_BYTES),
    byteOrder: checkChoice('byteOrder', options.byteOrder ?? 'big', ['big', 'little']),
    lengthOffset: checkInteger('lengthOffset', options.lengthOffset ?? 0, 0, MOST_HEADER_BYTES),
    lengthAdjustment: checkInteger(
      'lengthAdjustment',
      options.lengthAdjustment ?? 0,
      -MOST_ADJUSTMENT,
      MOST_ADJUSTMENT,
    ),
  };
}
