/**
 * The frames of the time stream: records and lines in any mixture. Pure.
 *
 *   a stamp of 19 bytes, or one with a zone        ends where nothing more can belong to it
 *   any stamp followed by LF or CR LF              ends there
 *   a stamp followed by SP (pairs)                 ends with the line
 *   Ctrl-C in telnet                               two bytes
 *   everything else                                ends with the line
 *
 * A stamp with nothing after it may still go on. It is held until the next byte tells, or until whoever keeps the time
 * has waited long enough and calls `settle`.
 */
import { type FrameVisitor, MeasuredDecoder } from '@small-servers/shared/framing/decoder';
import { CORE_BYTES, matchCore, scanTail } from './stamp.ts';
import { INTERRUPT_BYTES, isInterrupt } from './telnet.ts';

const [LF, CR, SPACE, DOT, COMMA] = [0x0a, 0x0d, 0x20, 0x2e, 0x2c];

/** CR LF. */
const LINE_END_BYTES = 2;

export class StampDecoder extends MeasuredDecoder {
  #maybeComplete = false;

  /** @param maxLineBytes the longest record or line, without its end */
  constructor(maxLineBytes: number) {
    super({ maxFrameBytes: maxLineBytes }, LINE_END_BYTES);
  }

  /** Whether the bytes held are a whole stamp if nothing follows. */
  get holdsStamp(): boolean {
    return this.#maybeComplete && this.bufferedBytes > 0;
  }

  /** For a visitor: whether the frame that it is given had a line end. */
  get endedByLine(): boolean {
    return this.tailBytes > 0;
  }

  protected override measure(bytes: Buffer, start: number, end: number): number {
    this.#maybeComplete = false;
    this.tailBytes = 0;
    const matched = matchCore(bytes, start, end);
    if (matched === -1) {
      return isInterrupt(bytes, start, end) ? INTERRUPT_BYTES : this.#line(bytes, start, start, end);
    }
    if (matched < CORE_BYTES) return end - start + 1;

    const coreEnd = start + CORE_BYTES;
    const { end: stampEnd, hasZone, whole } = scanTail(bytes, coreEnd, end);
    if (stampEnd === end) {
      this.#maybeComplete = whole;
      return end - start + 1;
    }
    const next = bytes[stampEnd];
    if (next === LF) {
      this.tailBytes = 1;
      return stampEnd + 1 - start;
    }
    if (next === CR) {
      if (stampEnd + 1 === end) {
        this.#maybeComplete = whole;
        return end - start + 1;
      }
      if (bytes[stampEnd + 1] === LF) {
        this.tailBytes = LINE_END_BYTES;
        return stampEnd + LINE_END_BYTES - start;
      }
    }
    // Pairs follow; or a bare CR, half a zone, something strange after a fraction: no stamp to be told from what follows.
    const goesOn = next === SPACE || next === CR || !(stampEnd === coreEnd || hasZone);
    return goesOn ? this.#line(bytes, start, stampEnd, end) : stampEnd - start;
  }

  /** A frame that goes on to the end of its line; `from` is where that may be looked for. */
  #line(bytes: Buffer, start: number, from: number, end: number): number {
    const at = bytes.indexOf(LF, from);
    if (at === -1 || at >= end) return end - start + 1;
    this.tailBytes = at > start && bytes[at - 1] === CR ? LINE_END_BYTES : 1;
    return at + 1 - start;
  }
}

const lineEnd = Buffer.of(LF);

/** Ends what is held as a line end would. What then comes of it in the stream belongs to no frame. */
export function settle(decoder: StampDecoder, visit: FrameVisitor): void {
  if (decoder.bufferedBytes > 0) decoder.feed(lineEnd, visit);
}

/** Whether a line may be what came late of a stamp that was settled: it begins with what can follow the 19 bytes. */
export function isLateTail(bytes: Uint8Array, start: number, end: number): boolean {
  const first = start < end ? bytes[start] : undefined;
  return (
    first === SPACE ||
    first === DOT ||
    first === COMMA ||
    (first !== undefined && scanTail(bytes, start, end).end > start)
  );
}
