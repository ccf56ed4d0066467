import type { DecoderOptions, FrameVisitor } from './decoder.ts';
import { DelimiterDecoder } from './delimiter.ts';
import { checkPayloadBytes, type FrameEncoder } from './encoder.ts';
import { FramingError } from './errors.ts';
import { checkChoice, checkMaxFrameBytes } from './options.ts';

/*
 * line = *OCTET [CR] LF
 *
 *   LF   0a     ends a line
 *   CR   0d     exactly one of them before the LF belongs to the terminator; anywhere else it is an octet like others
 *
 *   'a' LF        -> 'a'            'a' CR LF        -> 'a'
 *   'a' CR 'b' LF -> 'a' CR 'b'     'a' CR CR LF     -> 'a' CR
 *
 * A bare CR is never a separator: a reader that takes it for one lets a peer hide a second command inside a line.
 * Lines are bytes. No encoding is assumed, and so none can be wrong: U+2028 does not end a line, and what to do with
 * bytes that are not UTF-8 is for the protocol to say.
 *
 * Specification: this table; of RFC 5234 the rules CRLF, CR, LF and OCTET.
 */

const LF = 0x0a;
const CR = 0x0d;

export interface LinesDecoderOptions extends DecoderOptions {
  /**
   * What becomes of bytes without a terminator when the stream ends: `refuse` (default) makes `end` throw
   * FRAME_TRUNCATED; `deliver` makes it yield them as the last line, all of them: a CR at their end is not taken off.
   */
  lastLine?: 'refuse' | 'deliver' | undefined;
}

/** Decodes lines, delivered without their terminators. Empty lines are lines. `maxFrameBytes` counts no terminator. */
export class LinesDecoder extends DelimiterDecoder {
  readonly #deliversLast: boolean;

  /** Throws FRAMING_OPTION if an option is out of range. */
  constructor(options: LinesDecoderOptions = {}) {
    super({ ...options, delimiter: '\n' }, true);
    this.#deliversLast = checkChoice('lastLine', options.lastLine ?? 'refuse', ['refuse', 'deliver']) === 'deliver';
  }

  protected override finish(visit: FrameVisitor): void {
    if (this.#deliversLast) this.scanner.visitUnfinished(visit);
    else super.finish(visit);
  }
}

export interface LinesEncoderOptions extends Pick<DecoderOptions, 'maxFrameBytes'> {
  /** What ends a line: `lf` (default) or `crlf`. */
  newline?: 'lf' | 'crlf' | undefined;
}

/** Encodes a line of up to `maxFrameBytes` (default 1 MiB) with its terminator. */
export class LinesEncoder implements FrameEncoder {
  readonly #crlf: boolean;
  readonly #maxFrameBytes: number;

  /** Throws FRAMING_OPTION if an option is out of range. */
  constructor(options: LinesEncoderOptions = {}) {
    this.#crlf = checkChoice('newline', options.newline ?? 'lf', ['lf', 'crlf']) === 'crlf';
    this.#maxFrameBytes = checkMaxFrameBytes(options.maxFrameBytes);
  }

  /**
   * @throws FramingError FRAME_UNENCODABLE if the line is over the limit, contains LF, or ends with a CR that a reader
   *   would take for part of the terminator LF.
   */
  encode(payload: Uint8Array): Uint8Array[] {
    checkPayloadBytes(payload, this.#maxFrameBytes);
    if (payload.includes(LF)) throw new FramingError('FRAME_UNENCODABLE', 'the line contains LF, which would end it');
    if (!this.#crlf && payload.at(-1) === CR) {
      throw new FramingError('FRAME_UNENCODABLE', 'the line ends with CR, which would be read as part of its end');
    }
    return [payload, this.#crlf ? Uint8Array.of(CR, LF) : Uint8Array.of(LF)];
  }
}
