/** The lines of the fleet's files, live and rotated, as one stream in the order of time. */
import { type Chunk, chunksFromEnd, LineAssembler } from './chunks.ts';
import { chunksOfLog, type LogFile } from './files.ts';
import type { LineFilter } from './filter.ts';
import type { LogLine } from './record.ts';
import { LineScanner } from './scan.ts';

/** Lines that are found together, in their order. */
export type Batch = readonly LogLine[];

export interface ReadOptions {
  readonly filter: LineFilter;
  /** Called with a file that could not be read to its end. */
  readonly onDamaged: (file: LogFile, error: Error) => void;
}

/** Files by service, oldest first within each. */
export function byService(files: readonly LogFile[]): ReadonlyMap<string, readonly LogFile[]> {
  return Map.groupBy(files, ({ service }) => service);
}

/** Every matching line of one service, oldest first. Memory does not grow with the size of the files. */
export async function* readAll(files: readonly LogFile[], options: ReadOptions): AsyncGenerator<Batch> {
  const [oldest] = files;
  if (oldest === undefined) return;
  const scanner = new LineScanner(oldest.service, options.filter, oldest.beginsMs);
  const assembler = new LineAssembler();
  for (const [index, file] of files.entries()) {
    // Rotation by copying can break a line: its end is then the beginning of the next file.
    const goesOn = files[index + 1]?.beginsWithRecord === false;
    for await (const chunk of chunksOfFile(file, assembler, goesOn, options)) {
      const lines = scanner.scan(chunk);
      if (lines.length > 0) yield lines;
    }
  }
}

/** The last `count` matching lines of one service, oldest first. Reads from the end, and no more than it needs. */
export async function readLast(files: readonly LogFile[], count: number, options: ReadOptions): Promise<Batch> {
  let found: LogLine[] = [];
  for (const file of files.toReversed()) {
    if (found.length >= count) break;
    const earlier = file.compressed
      ? await lastOfPacked(file, count - found.length, options)
      : lastOfPlain(file, count - found.length, options.filter);
    found = [...earlier, ...found];
  }
  return found;
}

/** A packed file can only be read forward: all of it, keeping the last lines found. */
async function lastOfPacked(file: LogFile, count: number, options: ReadOptions): Promise<LogLine[]> {
  const scanner = new LineScanner(file.service, options.filter, file.beginsMs);
  let found: LogLine[] = [];
  for await (const chunk of chunksOfFile(file, new LineAssembler(), false, options))
    found = [...found, ...scanner.scan(chunk)].slice(-count);
  return found;
}

/** How far to read on for the record that text belongs to, when all lines asked for are found. */
const MAX_SEARCH_BYTES = 1024 ** 2;

function lastOfPlain(file: LogFile, count: number, filter: LineFilter): LogLine[] {
  let found: LogLine[] = [];
  let searchedBytes = 0;
  for (const chunk of chunksFromEnd(file.fd, file.size)) {
    const scanner = new LineScanner(file.service, filter, Number.NaN);
    const lines = scanner.scan(chunk);
    if (found.length >= count) searchedBytes += chunk.end - chunk.start;
    // Found before their record was: text that stands at the beginning of the chunk read before this one.
    found = [...lines, ...withTime(found, scanner.timeMs)].slice(-count);
    const complete = found.length >= count && !Number.isNaN(found[0]?.timeMs);
    if (complete || searchedBytes > MAX_SEARCH_BYTES) break;
  }
  return withTime(found, file.beginsMs).filter(filter.matches);
}

/** Lines whose time was not known yet stand first. */
function withTime(lines: readonly LogLine[], timeMs: number): LogLine[] {
  return lines.map((line) => (Number.isNaN(line.timeMs) ? { ...line, timeMs } : line));
}

async function* chunksOfFile(
  file: LogFile,
  lines: LineAssembler,
  goesOn: boolean,
  { onDamaged }: ReadOptions,
): AsyncGenerator<Chunk> {
  try {
    yield* chunksOfLog(file, lines);
  } catch (error) {
    onDamaged(file, error as Error);
  }
  const rest = goesOn ? undefined : lines.rest();
  if (rest !== undefined) yield rest;
}

interface Head {
  readonly batches: AsyncIterator<Batch>;
  batch: Batch;
  next: number;
}

/**
 * Several streams, each in the order of time, as one. Lines of one stream never change their order,
 * also when its clock was set back.
 */
export async function* mergeByTime(streams: readonly AsyncIterable<Batch>[]): AsyncGenerator<Batch> {
  const heads: Head[] = [];
  for (const stream of streams) {
    const head: Head = { batches: stream[Symbol.asyncIterator](), batch: [], next: 0 };
    if (await advance(head)) heads.push(head);
  }
  try {
    while (heads.length > 0) {
      // As long as no stream runs out of lines in hand there is nothing to wait for.
      const { merged, emptied } = mergeInHand(heads);
      yield merged;
      if (!(await advance(emptied))) heads.splice(heads.indexOf(emptied), 1);
    }
  } finally {
    for (const { batches } of heads) await batches.return?.();
  }
}

function mergeInHand(heads: readonly Head[]): { merged: Batch; emptied: Head } {
  const merged: LogLine[] = [];
  for (;;) {
    const earliest = heads.reduce((first, head) => (timeOf(head) < timeOf(first) ? head : first));
    const line = earliest.batch[earliest.next];
    if (line !== undefined) merged.push(line);
    earliest.next += 1;
    if (earliest.next >= earliest.batch.length) return { merged, emptied: earliest };
  }
}

function timeOf({ batch, next }: Head): number {
  return batch[next]?.timeMs ?? Number.NEGATIVE_INFINITY;
}

async function advance(head: Head): Promise<boolean> {
  const { value, done } = await head.batches.next();
  head.batch = done === true ? [] : value;
  head.next = 0;
  return done !== true;
}

/** Batches that are in hand already, merged. */
export async function mergeBatches(batches: readonly Batch[]): Promise<Batch> {
  const streams = batches.filter((batch) => batch.length > 0).map((batch) => onlyBatch(batch));
  return (await Array.fromAsync(mergeByTime(streams))).flat();
}

async function* onlyBatch(batch: Batch): AsyncGenerator<Batch> {
  yield batch;
}
