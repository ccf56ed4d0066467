/**
 * The matching lines of a chunk. Most lines of a search do not match, so the work goes from raw bytes
 * to text to a parsed record, and each step is taken only for what the one before has let through.
 */
import { isAscii } from 'node:buffer';
import type { Chunk } from './chunks.ts';
import type { LineFilter } from './filter.ts';
import { isoTimeMs, type LogLine, parseRecord, peekField, recordTimeMs } from './record.ts';

const LF = 0x0a;

/** `time` stands within so many bytes from the beginning of a record. */
const TIME_WITHIN_BYTES = 256;

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
    const { literal } = this.#filter;
    const times = new TimeFinder(chunk, this.#timeMs);
    const found = literal === undefined ? this.#scanEveryLine(chunk, times) : this.#scanFor(literal, chunk, times);
    this.#timeMs = times.before(chunk.end);
    return found;
  }

  #scanFor(literal: Buffer, { buffer, start, end, cut }: Chunk, times: TimeFinder): LogLine[] {
    const found: LogLine[] = [];
    const bytes = buffer.subarray(start, end);
    for (let at = bytes.indexOf(literal); at >= 0; ) {
      const lineStart = at === 0 ? 0 : bytes.lastIndexOf(LF, at - 1) + 1;
      const lineEnd = endOfLine(bytes, at);
      const text = bytes.toString('utf8', lineStart, lineEnd);
      if (this.#filter.mayMatch(text))
        this.#judge(text, start + lineStart, cut && lineEnd === bytes.length, times, found);
      at = bytes.indexOf(literal, lineEnd);
    }
    return found;
  }

  #scanEveryLine({ buffer, start, end, cut }: Chunk, times: TimeFinder): LogLine[] {
    const found: LogLine[] = [];
    const bytes = buffer.subarray(start, end);
    // One copy for the whole chunk, and its lines as slices of that: a third less time than line by line.
    const ascii = isAscii(bytes) ? bytes.toString('latin1', 0, bytes.length) : undefined;
    for (let lineStart = 0; lineStart < bytes.length; ) {
      const lineEnd = endOfLine(bytes, lineStart);
      const text = ascii?.slice(lineStart, lineEnd) ?? bytes.toString('utf8', lineStart, lineEnd);
      if (this.#filter.mayMatch(text))
        this.#judge(text, start + lineStart, cut && lineEnd === bytes.length, times, found);
      lineStart = lineEnd + 1;
    }
    return found;
  }

  #judge(found: string, at: number, cut: boolean, times: TimeFinder, into: LogLine[]): void {
    const text = found.endsWith('\r') ? found.slice(0, -1) : found;
    if (text === '') return;
    const record = parseRecord(text);
    const timeMs = (record && recordTimeMs(record)) ?? times.before(at);
    const line = { service: this.#service, timeMs, text, record, cut };
    if (this.#filter.matches(line)) into.push(line);
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
