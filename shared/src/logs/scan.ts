/**
 * The matching lines of a chunk. Most lines of a search do not match, so the work goes from raw bytes
 * to text to a parsed record, and each step is taken only for what the one before has let through.
 */
import { isAscii } from 'node:buffer';
import type { Chunk } from './chunks.ts';
import type { LineFilter } from './filter.ts';
import { isoTimeMs, type LogLine, parseRecord, peekField, recordTimeMs } from './record.ts';

const LF = 0x0a;

/** So much becomes text at once: it stays in the caches of the processor, and is garbage soon. */
const TEXT_BYTES = 256 * 1024;

/** `time` stands within so many bytes from the beginning of a record. */
const TIME_WITHIN_BYTES = 256;

/** `timeBefore` gives the time of the record before the line; it is for the time of the call alone. */
export type LineVisitor = (text: string, cut: boolean, timeBefore: () => number) => void;

/** Goes through the chunks of one service in the order of time, and gives text the time of its record. */
export class LineScanner {
  readonly #service: string;
  readonly #filter: LineFilter;
  #timeMs: number;

  /** `timeMs` is for text that stands before any record; NaN when that is not known yet. */
  constructor(service: string, filter: LineFilter, timeMs: number) {
    this.#service = service;
    this.#filter = filter;
    this.#timeMs = timeMs;
  }

  /** Time of the last record so far. */
  get timeMs(): number {
    return this.#timeMs;
  }

  scan(chunk: Chunk): LogLine[] {
    const found: LogLine[] = [];
    this.visit(chunk, (text, cut, timeBefore) => {
      const line = this.judge(text, cut, timeBefore);
      if (line !== undefined) found.push(line);
    });
    return found;
  }

  /** Calls `visitor` with each line that may match. */
  visit(chunk: Chunk, visitor: LineVisitor): void {
    const { literal } = this.#filter;
    const times = new TimeFinder(chunk, this.#timeMs);
    if (literal === undefined) this.#visitEveryLine(chunk, times, visitor);
    else this.#visitLinesWith(literal, chunk, times, visitor);
    this.#timeMs = times.before(chunk.end);
  }

  /** The line, if it matches. */
  judge(found: string, cut: boolean, timeBefore: () => number): LogLine | undefined {
    const text = found.endsWith('\r') ? found.slice(0, -1) : found;
    if (text === '') return undefined;
    const record = parseRecord(text);
    const timeMs = (record && recordTimeMs(record)) ?? timeBefore();
    const line = { service: this.#service, timeMs, text, record, cut };
    return this.#filter.matches(line) ? line : undefined;
  }

  #visitLinesWith(literal: Buffer, { buffer, start, end, cut }: Chunk, times: TimeFinder, visitor: LineVisitor): void {
    const { mayMatch } = this.#filter;
    const bytes = buffer.subarray(start, end);
    let lineStart = 0;
    const timeBefore = (): number => times.before(start + lineStart);
    let at = bytes.indexOf(literal);
    // Looked at only when something is found.
    const encoding = at >= 0 && isAscii(bytes) ? 'latin1' : 'utf8';
    while (at >= 0) {
      lineStart = at === 0 ? 0 : bytes.lastIndexOf(LF, at - 1) + 1;
      const lineEnd = endOfLine(bytes, at);
      const text = bytes.toString(encoding, lineStart, lineEnd);
      if (mayMatch(text)) visitor(text, cut && lineEnd === bytes.length, timeBefore);
      at = bytes.indexOf(literal, lineEnd);
    }
  }

  #visitEveryLine({ buffer, start, end, cut }: Chunk, times: TimeFinder, visitor: LineVisitor): void {
    const { mayMatch } = this.#filter;
    const bytes = buffer.subarray(start, end);
    let lineStart = 0;
    const timeBefore = (): number => times.before(start + lineStart);
    while (lineStart < bytes.length) {
      // One copy of many lines, and each as a slice of that: a third less time than line by line.
      const blockStart = lineStart;
      const blockEnd = endOfLine(bytes, Math.min(blockStart + TEXT_BYTES, bytes.length));
      const block = bytes.subarray(blockStart, blockEnd);
      const ascii = isAscii(block) ? block.toString('latin1') : undefined;
      while (lineStart < blockEnd) {
        const lineEnd = endOfLine(bytes, lineStart);
        const text =
          ascii?.slice(lineStart - blockStart, lineEnd - blockStart) ?? bytes.toString('utf8', lineStart, lineEnd);
        if (mayMatch(text)) visitor(text, cut && lineEnd === bytes.length, timeBefore);
        lineStart = lineEnd + 1;
      }
      lineStart = Math.max(lineStart, blockEnd + 1);
    }
  }
}

function endOfLine(bytes: Buffer, from: number): number {
  const lineEnd = bytes.indexOf(LF, from);
  return lineEnd < 0 ? bytes.length : lineEnd;
}

/** Finds the time of the last record before a place in a chunk. Asked in rising order, it looks at each line once. */
class TimeFinder {
  readonly #chunk: Chunk;
  #knownUpTo: number;
  #timeMs: number;

  constructor(chunk: Chunk, timeMs: number) {
    this.#chunk = chunk;
    this.#knownUpTo = chunk.start;
    this.#timeMs = timeMs;
  }

  before(offset: number): number {
    const { buffer } = this.#chunk;
    for (let lineEnd = offset; lineEnd > this.#knownUpTo; ) {
      // The byte before `lineEnd` is the line's own LF; a negative offset would count from the buffer's end.
      const before = lineEnd < 2 ? -1 : buffer.lastIndexOf(LF, lineEnd - 2);
      const from = Math.max(before + 1, this.#knownUpTo);
      const timeMs = timeAt(buffer, from, lineEnd);
      if (timeMs !== undefined) {
        this.#timeMs = timeMs;
        break;
      }
      lineEnd = from;
    }
    this.#knownUpTo = Math.max(offset, this.#knownUpTo);
    return this.#timeMs;
  }
}

function timeAt(buffer: Buffer, lineStart: number, lineEnd: number): number | undefined {
  if (buffer[lineStart] !== 0x7b) return undefined;
  const text = peekField(
    buffer.toString('latin1', lineStart, Math.min(lineEnd, lineStart + TIME_WITHIN_BYTES)),
    'time',
  );
  return text === undefined ? undefined : isoTimeMs(text);
}

/** Time of the first record in a chunk, or `undefined`. */
export function firstTimeMs({ buffer, start, end }: Chunk): number | undefined {
  const bytes = buffer.subarray(start, end);
  for (let lineStart = 0; lineStart < bytes.length; ) {
    const lineEnd = endOfLine(bytes, lineStart);
    const timeMs = timeAt(bytes, lineStart, lineEnd);
    if (timeMs !== undefined) return timeMs;
    lineStart = lineEnd + 1;
  }
  return undefined;
}
