import { asBuffer, tooLong } from './decoder.ts';
import { DelimiterScanner } from './delimiter-scanner.ts';
import { FramingError } from './errors.ts';
import { checkInteger, checkMaxFrameBytes } from './options.ts';

/*
 * Lines, and between them payloads whose length a line has told.
 *
 *   session = *(line [payload])
 *   line    = *OCTET [CR] LF       ; as in `lines`
 *   payload = n OCTET              ; n is known to the receiver of the line; no terminator of its own
 *
 *   "PUT a 5" LF "hello" "STAT a" LF     line "PUT a 5", payload "hello", line "STAT a"
 *
 * What a line means is not known here: its receiver calls `payload(n, sink)` or `discard(n)` if bytes follow it.
 *
 * Specification: this table. The form is that of SMTP CHUNKING (RFC 3030, BDAT) and of memcached's storage commands.
 */

/** By default, the most bytes that may be put aside while the session is paused: 1 MiB. */
const DEFAULT_MAX_BACKLOG_BYTES = 1_048_576;

const LF = 0x0a;

/** Receives the bytes of one payload. */
export interface PayloadSink {
  /**
   * Takes the next bytes of the payload, at least one, as they arrived. They are a view, good during the call only.
   * To return `false` says "no more for now" and pauses the session after these bytes, until `resume` is called.
   */
  write(bytes: Buffer): boolean | undefined;
  /** Called when all bytes of the payload were written, before anything that follows it is read. */
  end(): void;
}

export interface CountedPayloadOptions {
  /**
   * Receives each line without its terminator: a view, good during the call only. It may call every method but `push`
   * and `end`. What takes time pauses the session here and resumes it when done; a promise returned is not waited for.
   */
  onLine(line: Buffer): void;
  /**
   * Called wherever a line is about to begin in a chunk, with the offset there: a receiver that knows what comes next
   * may take it as it stands, line and payload and all, and returns the offset of the first byte that it did not take.
   * What it leaves is handled as ever. The bytes are a view, good during the call only.
   */
  takeAhead?: ((chunk: Buffer, offset: number) => number) | undefined;
  /** The longest line, in bytes without its terminator: 1 to 2^53-1, by default 1 MiB. */
  maxFrameBytes?: number | undefined;
  /**
   * Whether the CR before an LF stays with the line, and counts towards its length: for a protocol with rules of its
   * own for CR. By default it belongs to the terminator.
   */
  keepCr?: boolean | undefined;
  /**
   * The most bytes put aside while paused: 0 to 2^53-1, by default 1 MiB. One chunk of the source is enough if the
   * source is paused as soon as `push` returns false.
   */
  maxBacklogBytes?: number | undefined;
}

/**
 * A session of lines and counted payloads. Payload bytes are handed on as they arrive and never assembled; in the
 * middle of a chunk the session goes from line to payload and back.
 *
 * The receiver of a line or of payload bytes may `pause`: what was pushed and not yet handled is copied and put aside
 * (`bufferedBytes`), nothing is lost, and nothing later is handled before `resume`. So a command that takes time is
 * done before the next one is looked at.
 *
 * A fault leaves the session failed: each later call that takes or handles bytes throws the same error. A line that is
 * too long cannot be skipped here: it may have announced a payload, whose bytes would then be read as lines.
 */
export class CountedPayloadDecoder {
  readonly maxFrameBytes: number;
  readonly #maxBacklogBytes: number;
  readonly #visitLine: (bytes: Buffer, start: number, end: number) => void;
  readonly #takeAhead: ((chunk: Buffer, offset: number) => number) | undefined;
  /** What is being handled, and where the line that its receiver looks at ends there; -1 if it began earlier. */
  #chunk: Buffer | undefined;
  #lineEnd = -1;
  readonly #lines: DelimiterScanner;
  /** Chunks put aside while paused, copied; the first one is handled up to `#backlogOffset`. */
  #backlog: Buffer[] = [];
  #backlogOffset = 0;
  #backlogBytes = 0;
  #sink: PayloadSink | undefined;
  #payloadRemaining = 0;
  /** From `payload` or `discard` until its last byte was written: longer than bytes remain, by one call. */
  #inPayload = false;
  #paused = false;
  #running = false;
  #ended = false;
  #failure: FramingError | undefined;

  /** Throws FRAMING_OPTION if an option is out of range. */
  constructor(options: CountedPayloadOptions) {
    this.maxFrameBytes = checkMaxFrameBytes(options.maxFrameBytes);
    this.#maxBacklogBytes = checkInteger(
      'maxBacklogBytes',
      options.maxBacklogBytes ?? DEFAULT_MAX_BACKLOG_BYTES,
      0,
      Number.MAX_SAFE_INTEGER,
    );
    const { onLine } = options;
    this.#takeAhead = options.takeAhead;
    this.#visitLine = (bytes, start, end) => {
      this.#lineEnd = bytes === this.#chunk ? end : -1;
      onLine(bytes.subarray(start, end));
      this.#lineEnd = -1;
    };
    this.#lines = new DelimiterScanner({
      delimiter: Buffer.from('\n'),
      stripCr: options.keepCr !== true,
      maxFrameBytes: this.maxFrameBytes,
      givesMemory: false,
      passOver: () => {
        throw tooLong(this.maxFrameBytes);
      },
    });
  }

  /**
   * Takes the next bytes of the stream and handles all of them, or, once paused, puts the rest aside.
   * Returns whether more is welcome: false means paused, and the source should be paused too.
   *
   * @throws FramingError FRAME_TOO_LONG for a line over the limit, after the lines before it were received.
   *   FRAMING_MISUSE if the backlog is over its limit, if called after `end` or by a receiver. What a receiver throws
   *   is thrown on and leaves the session failed.
   */
  push(chunk: Uint8Array): boolean {
    this.#checkUsable();
    if (this.#ended) throw new FramingError('FRAMING_MISUSE', 'push was called after end');
    const bytes = asBuffer(chunk);
    this.#run(() => this.#handle(bytes, 0, (offset) => this.#putAside(bytes, offset)));
    return !this.#paused;
  }

  /**
   * Says that the stream is over. While paused that is only noted: what was put aside can still be handled, and a
   * receiver may still announce a payload, so it is `resume` that throws. Calling it again changes nothing.
   *
   * @throws FramingError FRAME_TRUNCATED if the stream ended inside a line or a payload.
   */
  end(): void {
    this.#checkUsable();
    this.#ended = true;
    if (!this.#paused) this.#run(() => this.#checkBoundary());
  }

  /**
   * Says that the next `byteLength` bytes, 0 to 2^53-1, are a payload for `sink`. To be called by the receiver of a
   * line, or later if that has paused the session. For 0 bytes `sink.end` is called at once.
   *
   * @throws FramingError FRAMING_MISUSE if `byteLength` is out of range or another payload is not over.
   */
  payload(byteLength: number, sink: PayloadSink): void {
    this.#startPayload(byteLength, sink);
  }

  /** Like `payload`, for a payload that was refused: exactly its bytes are consumed, and none is read as a command. */
  discard(byteLength: number): void {
    this.#startPayload(byteLength, undefined);
  }

  /**
   * For the receiver of a line, before it announces a payload: the next `byteLength` bytes, if the chunk that holds the
   * line holds all of them, too. They are not taken: `discard` does that, and `payload` would hand them on. A view, good
   * during the call only.
   */
  peek(byteLength: number): Buffer | undefined {
    const chunk = this.#chunk;
    if (chunk === undefined || this.#lineEnd < 0 || this.#inPayload) return undefined;
    // A CR that belongs to the terminator comes before its LF.
    const from = this.#lineEnd + (chunk[this.#lineEnd] === LF ? 1 : 2);
    return chunk.length - from >= byteLength ? chunk.subarray(from, from + byteLength) : undefined;
  }

  /**
   * Refuses the rest of the payload under way: its sink gets nothing more, not even `end`, and the rest is consumed as
   * by `discard`. Returns how many bytes that is. Does not resume a session that is paused.
   */
  refuse(): number {
    this.#sink = undefined;
    return this.#payloadRemaining;
  }

  /** Handles nothing more until `resume`. Takes effect at once, also in the middle of a chunk. */
  pause(): void {
    this.#paused = true;
  }

  /**
   * Goes on, first with what was put aside. Returns whether more is welcome, as `push` does.
   *
   * @throws FramingError as `push` and, once `end` was called and all was handled, as `end`.
   */
  resume(): boolean {
    if (this.#failure !== undefined) throw this.#failure;
    this.#paused = false;
    // Called by a receiver: the loop that called it is still there and goes on by itself.
    if (!this.#running) this.#run(() => this.#drain());
    return !this.#paused;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** The bytes held: of an unfinished line, and put aside while paused. Bounded by both limits together. */
  get bufferedBytes(): number {
    return this.#lines.bufferedBytes + this.#backlogBytes;
  }

  /** How many bytes of the payload under way have not arrived or are put aside; 0 between payloads. */
  get payloadRemaining(): number {
    return this.#payloadRemaining;
  }

  /** The fault that ended this session, or undefined. */
  get failure(): FramingError | undefined {
    return this.#failure;
  }

  /** Whether `end` was called and everything before it handled: the session is over. */
  get finished(): boolean {
    return this.#ended && !this.#paused && this.#failure === undefined;
  }

  #startPayload(byteLength: number, sink: PayloadSink | undefined): void {
    if (!Number.isSafeInteger(byteLength) || byteLength < 0) {
      throw new FramingError('FRAMING_MISUSE', `a payload of ${byteLength} bytes is not an integer from 0 to 2^53-1`);
    }
    if (this.#inPayload) {
      const what = `with ${this.#payloadRemaining} bytes still to come`;
      throw new FramingError('FRAMING_MISUSE', `a payload was announced before the one before it was over, ${what}`);
    }
    this.#inPayload = byteLength > 0;
    this.#payloadRemaining = byteLength;
    this.#sink = byteLength > 0 ? sink : undefined;
    if (byteLength === 0) sink?.end();
  }

  /** Handles `chunk[offset, length)` until it is used up or the session pauses: then `rest` is told where. */
  #handle(chunk: Buffer, from: number, rest: (offset: number) => void): void {
    this.#lines.recycle();
    this.#chunk = chunk;
    let offset = from;
    while (offset < chunk.length) {
      if (this.#paused) {
        rest(offset);
        return;
      }
      if (this.#payloadRemaining > 0) {
        offset = this.#handOn(chunk, offset);
        continue;
      }
      const ahead = this.#takeAhead === undefined || this.#lines.insideFrame ? offset : this.#takeAhead(chunk, offset);
      offset = ahead > offset ? ahead : this.#lines.next(chunk, offset, this.#visitLine);
    }
  }

  /** Hands on what `chunk` has, from `offset`, of the payload; returns where that ends. */
  #handOn(chunk: Buffer, offset: number): number {
    const end = offset + Math.min(this.#payloadRemaining, chunk.length - offset);
    const sink = this.#sink;
    this.#payloadRemaining -= end - offset;
    if (sink?.write(chunk.subarray(offset, end)) === false) this.#paused = true;
    if (this.#payloadRemaining === 0) {
      // Read again: the sink may have refused its payload in the call above. Over before `end`, which may start another.
      const finished = this.#sink;
      this.#sink = undefined;
      this.#inPayload = false;
      finished?.end();
    }
    return end;
  }

  /** Handles what was put aside, then, if the stream is over, checks where it ended. */
  #drain(): void {
    let chunk = this.#backlog[0];
    while (chunk !== undefined && !this.#paused) {
      const before = this.#backlogOffset;
      let stopped = chunk.length;
      this.#handle(chunk, before, (offset) => {
        stopped = offset;
      });
      this.#backlogBytes -= stopped - before;
      if (stopped === chunk.length) this.#backlog.shift();
      this.#backlogOffset = stopped === chunk.length ? 0 : stopped;
      chunk = this.#backlog[0];
    }
    if (this.#ended && !this.#paused) this.#checkBoundary();
  }

  #putAside(chunk: Buffer, offset: number): void {
    const added = chunk.length - offset;
    if (this.#backlogBytes + added > this.#maxBacklogBytes) {
      throw new FramingError(
        'FRAMING_MISUSE',
        `${this.#backlogBytes + added} bytes are to be put aside, and at most ${this.#maxBacklogBytes} may be: ` +
          'the source was not paused when push returned false',
      );
    }
    this.#backlog.push(Buffer.from(chunk.subarray(offset)));
    this.#backlogBytes += added;
  }

  #checkBoundary(): void {
    if (this.#payloadRemaining > 0) {
      throw new FramingError(
        'FRAME_TRUNCATED',
        `the stream ended ${this.#payloadRemaining} bytes before its payload did`,
      );
    }
    if (this.#lines.insideFrame) throw this.#lines.truncated();
  }

  #checkUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#running) throw new FramingError('FRAMING_MISUSE', 'a receiver called the session that called it');
  }

  /** Does `work`, and leaves the session failed if it throws. */
  #run(work: () => void): void {
    this.#running = true;
    try {
      work();
    } catch (error) {
      throw this.#fail(error);
    } finally {
      this.#running = false;
      this.#chunk = undefined;
      this.#lineEnd = -1;
    }
  }

  #fail(error: unknown): unknown {
    this.#lines.release();
    this.#backlog = [];
    this.#backlogBytes = 0;
    this.#sink = undefined;
    const line = this.#lines.visitedFrames;
    // A FramingError with a place is that of a decoder which a receiver uses: thrown on like all that receivers throw.
    if (error instanceof FramingError && error.frame === undefined) {
      this.#failure = new FramingError(error.code, `after ${line} lines: ${error.message}`, { frame: line });
      return this.#failure;
    }
    const what = `after ${line} lines: a receiver threw an error`;
    this.#failure = new FramingError('FRAMING_MISUSE', what, { frame: line, cause: error });
    return error;
  }
}
