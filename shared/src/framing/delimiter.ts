import { type DecoderOptions, FrameDecoder, type FrameVisitor } from './decoder.ts';
import { DelimiterScanner } from './delimiter-scanner.ts';
import { checkPayloadBytes, type FrameEncoder } from './encoder.ts';
import { FramingError } from './errors.ts';
import { checkInteger, checkMaxFrameBytes } from './options.ts';

/*
 * Frames that end with a byte string which does not occur in them.
 *
 *   bytes   payload   delimiter   payload   delimiter   ...
 *
 * The first delimiter after the start of a frame ends it, read from left to right: with the delimiter `aa`, `xaaa` is
 * the frame `x` and the start of the next one, `a`.
 *
 * Specification: this table.
 */

const MOST_DELIMITER_BYTES = 255;

export interface DelimiterDecoderOptions extends DecoderOptions {
  /** What ends a frame: 1 to 255 bytes; a string stands for its bytes in UTF-8. */
  delimiter: string | Uint8Array;
}

/** Decodes frames that end with a delimiter, which is not delivered. */
export class DelimiterDecoder extends FrameDecoder {
  protected readonly scanner: DelimiterScanner;

  /** @param stripCr for `lines`: whether one CR before the delimiter belongs to it. Throws FRAMING_OPTION. */
  constructor(options: DelimiterDecoderOptions, stripCr = false) {
    super(options);
    this.scanner = new DelimiterScanner({
      delimiter: checkDelimiter(options.delimiter),
      stripCr,
      maxFrameBytes: this.maxFrameBytes,
      givesMemory: !this.lendsFrames,
      passOver: () => this.passOver(),
    });
  }

  get bufferedBytes(): number {
    return this.scanner.bufferedBytes;
  }

  protected override get visitedFrames(): number {
    return this.scanner.visitedFrames;
  }

  protected override decode(chunk: Buffer, visit: FrameVisitor): void {
    this.scanner.recycle();
    for (let offset = 0; offset < chunk.length; ) offset = this.scanner.next(chunk, offset, visit);
  }

  protected override finish(_visit: FrameVisitor): void {
    if (this.scanner.insideFrame) throw this.scanner.truncated();
  }

  protected override release(): void {
    this.scanner.release();
  }
}

/** Encodes a payload of up to `maxFrameBytes` (default 1 MiB) with the delimiter after it. */
export class DelimiterEncoder implements FrameEncoder {
  readonly #delimiter: Buffer;
  readonly #maxFrameBytes: number;

  /** Throws FRAMING_OPTION if an option is out of range. */
  constructor(options: Pick<DelimiterDecoderOptions, 'delimiter' | 'maxFrameBytes'>) {
    this.#delimiter = checkDelimiter(options.delimiter);
    this.#maxFrameBytes = checkMaxFrameBytes(options.maxFrameBytes);
  }

  /**
   * @throws FramingError FRAME_UNENCODABLE if the payload is over the limit, or if it would be read as more or less
   *   than it is: because it contains the delimiter, or ends with a part of it that would make it end too early.
   */
  encode(payload: Uint8Array): Uint8Array[] {
    checkPayloadBytes(payload, this.#maxFrameBytes);
    const delimiter = this.#delimiter;
    // `xa` before the delimiter `aa` is `xaaa`: the delimiter is found one byte early. So the end is searched with it.
    const tail = Buffer.concat([payload.subarray(Math.max(0, payload.length - delimiter.length + 1)), delimiter]);
    const whole = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
    if (whole.includes(delimiter) || tail.indexOf(delimiter) < tail.length - delimiter.length) {
      throw new FramingError('FRAME_UNENCODABLE', 'the payload contains the delimiter that is to end it');
    }
    return [payload, Uint8Array.from(delimiter)];
  }
}

/** A copy of the delimiter, so that its owner may write over it. */
function checkDelimiter(delimiter: string | Uint8Array): Buffer {
  const bytes = typeof delimiter === 'string' ? Buffer.from(delimiter, 'utf8') : Buffer.from(delimiter);
  checkInteger('the length of delimiter in bytes', bytes.length, 1, MOST_DELIMITER_BYTES);
  return bytes;
}
