/** Lines that are ready to be printed, many in one piece, with their times: they can be merged without a look at them. */
import type { Chunk } from './chunks.ts';
import type { LineFilter } from './filter.ts';
import type { LineFormat } from './line-format.ts';
import type { LogLine } from './record.ts';
import { LineScanner } from './scan.ts';

/** Line `n` is `bytes[ends[n - 1], ends[n])`, the first one begins at 0. */
export interface Printed {
  readonly bytes: Uint8Array;
  readonly ends: Uint32Array;
  /** Milliseconds since 1970. */
  readonly times: Float64Array;
}

/** What a piece of a log gives. */
export interface PrintedPiece {
  /** Bare text before the first record, whose time is that of a record before the piece; not judged by time yet. */
  readonly undated: readonly LogLine[];
  readonly printed: Printed;
  /** Of the last record; NaN without any. */
  readonly lastTimeMs: number;
}

/** The matching lines of a chunk, printed. `timeMs` is that of the last record before it, NaN when that is not known. */
export function printChunk(
  chunk: Chunk,
  service: string,
  filter: LineFilter,
  format: LineFormat,
  timeMs: number,
): PrintedPiece {
  const scanner = new LineScanner(service, filter, timeMs);
  const undated: LogLine[] = [];
  const packer = new Packer();
  scanner.visit(chunk, (text, cut, timeBefore) => {
    const quick = filter.textIsEnough && !cut ? format.quick(text, service) : undefined;
    if (quick !== undefined) return packer.add(quick.timeMs, quick.output);
    const line = scanner.judge(text, cut, timeBefore);
    if (line === undefined) return;
    if (Number.isNaN(line.timeMs)) undated.push(line);
    else packer.add(line.timeMs, format.format(line));
  });
  return { undated, printed: packer.pack(), lastTimeMs: scanner.timeMs };
}

/** Puts lines together. */
export class Packer {
  /** V8 keeps what is added as a tree and copies it once, at the end: less work than an array that is joined. */
  #text = '';
  readonly #ends: number[] = [];
  readonly #times: number[] = [];

  add(timeMs: number, output: string): void {
    this.#text += output;
    this.#ends.push(this.#text.length);
    this.#times.push(timeMs);
  }

  pack(): Printed {
    // Memory of its own, which can be given to another thread.
    const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(this.#text));
    bytes.write(this.#text);
    const isAscii = bytes.length === this.#text.length;
    const ends = isAscii ? Uint32Array.from(this.#ends) : this.#endsInBytes();
    return { bytes, ends, times: Float64Array.from(this.#times) };
  }

  #endsInBytes(): Uint32Array {
    let start = 0;
    let bytes = 0;
    return Uint32Array.from(this.#ends, (end) => {
      bytes += Buffer.byteLength(this.#text.slice(start, end));
      start = end;
      return bytes;
    });
  }
}

/** Part of what was printed: the lines from `from` up to and without `to`. */
export interface Run {
  readonly printed: Printed;
  readonly from: number;
  readonly to: number;
}

interface Head {
  readonly pieces: AsyncIterator<Printed>;
  printed: Printed;
  next: number;
}

/**
 * Several streams, each in the order of time, as one. Lines of one stream never change their order,
 * also when its clock was set back. Of lines of one time those of the earlier stream come first.
 */
export async function* mergePrinted(streams: readonly AsyncIterable<Printed>[]): AsyncGenerator<Run> {
  const heads: Head[] = [];
  for (const stream of streams) {
    const pieces = stream[Symbol.asyncIterator]();
    const printed = await nextPiece(pieces);
    if (printed !== undefined) heads.push({ pieces, printed, next: 0 });
  }
  try {
    while (heads.length > 0) {
      const head = heads.reduce((first, other) => (timeOf(other) < timeOf(first) ? other : first));
      const from = head.next;
      head.next = endOfRun(head, heads);
      yield { printed: head.printed, from, to: head.next };
      if (head.next < head.printed.times.length) continue;
      const printed = await nextPiece(head.pieces);
      if (printed === undefined) heads.splice(heads.indexOf(head), 1);
      else Object.assign(head, { printed, next: 0 });
    }
  } finally {
    for (const { pieces } of heads) await pieces.return?.();
  }
}

const timeOf = ({ printed, next }: Head): number => printed.times[next] ?? Number.NaN;

/** Where another stream has an earlier line, or the piece ends. */
function endOfRun(head: Head, heads: readonly Head[]): number {
  const { times } = head.printed;
  const place = heads.indexOf(head);
  const limit = (others: readonly Head[]): number => Math.min(Number.POSITIVE_INFINITY, ...others.map(timeOf));
  const [before, after] = [limit(heads.slice(0, place)), limit(heads.slice(place + 1))];
  let end = head.next + 1;
  while (end < times.length && (times[end] ?? 0) < before && (times[end] ?? 0) <= after) end += 1;
  return end;
}

async function nextPiece(pieces: AsyncIterator<Printed>): Promise<Printed | undefined> {
  for (;;) {
    const { value, done } = await pieces.next();
    if (done === true) return undefined;
    if ((value as Printed).times.length > 0) return value;
  }
}

/** The bytes of lines. */
export function bytesOf({ printed: { bytes, ends }, from, to }: Run): Uint8Array {
  return bytes.subarray(from === 0 ? 0 : ends[from - 1], to === 0 ? 0 : ends[to - 1]);
}
