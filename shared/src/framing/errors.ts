/**
 * The faults of framing, as a closed union. Framing does no I/O and knows no process, so its errors stand alone:
 * a service maps them to its own reasons (`protocol-error` for a peer's fault).
 */

/** Every code a {@link FramingError} carries: what it means and who can mend it. */
export const framingErrorCodes = {
  FRAME_TOO_LONG: {
    meaning: 'A frame is, or declares itself, longer than maxFrameBytes.',
    mendedBy: 'the peer, by sending shorter frames; the operator, by raising the limit',
  },
  FRAME_INVALID: {
    meaning: 'The bytes cannot be a frame of this form, whatever follows them.',
    mendedBy: 'the peer',
  },
  FRAME_TRUNCATED: {
    meaning: 'The stream ended inside a frame.',
    mendedBy: 'the peer, or whoever cut the connection',
  },
  FRAME_UNENCODABLE: {
    meaning: 'A payload cannot be carried in this form: its field is too narrow or it contains the delimiter.',
    mendedBy: 'the caller of the encoder',
  },
  FRAMING_OPTION: {
    meaning: 'An option of a decoder or an encoder is outside the range it allows.',
    mendedBy: 'the program that constructs it',
  },
  FRAMING_MISUSE: {
    meaning: 'A decoder was called in an order or with a value that its contract excludes.',
    mendedBy: 'the program that calls it',
  },
} as const;

export type FramingErrorCode = keyof typeof framingErrorCodes;

/** An error of a decoder or an encoder. `code` is for programs, `message` is a clause for people. */
export class FramingError extends Error {
  override readonly name = 'FramingError';
  readonly code: FramingErrorCode;
  /** Which frame of the stream is at fault, the first one being 0; undefined where no frame is. */
  readonly frame: number | undefined;

  constructor(code: FramingErrorCode, message: string, options: { frame?: number; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.frame = options.frame;
  }
}

/**
 * Whether an error is a fault just found in the stream, which its decoder has yet to place. What a visitor throws passes
 * through a decoder too, and may be the placed fault of another one.
 */
export function isUnplacedFault(error: unknown): error is FramingError {
  return error instanceof FramingError && error.frame === undefined && error.code.startsWith('FRAME_');
}
