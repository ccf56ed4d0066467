/** Every matching line of one service, printed, oldest first; in a large file by two threads. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Chunk, LineAssembler } from './chunks.ts';
import { chunksOfLog, type LogFile } from './files.ts';
import type { LineFilter } from './filter.ts';
import type { HelperThread } from './helper-thread.ts';
import type { LineFormat } from './line-format.ts';
import { Packer, type Printed, type PrintedPiece, printChunk } from './printed.ts';
import { readSegment, type Segment, segmentBuffer, segmentsOf } from './segments.ts';

export interface SearchOptions {
  readonly filter: LineFilter;
  readonly format: LineFormat;
  readonly helper: HelperThread | undefined;
  /** Called with a file that could not be read to its end. */
  readonly onDamaged: (file: LogFile, error: Error) => void;
}

/** Pieces that are searched or done and not yet taken: what memory they may take. */
const MAX_AHEAD = 4;

export class ServiceSearch {
  readonly #options: SearchOptions;
  readonly #service: string;
  readonly #assembler = new LineAssembler();
  readonly #buffer = segmentBuffer();
  /** Time of the last record so far. */
  #timeMs: number;

  constructor(service: string, beginsMs: number, options: SearchOptions) {
    this.#service = service;
    this.#timeMs = beginsMs;
    this.#options = options;
  }

  /** Files oldest first. Memory does not grow with their size. */
  async *search(files: readonly LogFile[]): AsyncGenerator<Printed> {
    for (const [index, file] of files.entries()) {
      // Rotation by copying can break a line: its end is then the beginning of the next file.
      const goesOn = files[index + 1]?.beginsWithRecord === false;
      const isBegun = index > 0 && !file.beginsWithRecord;
      try {
        const start = file.compressed || isBegun ? 0 : yield* this.#searchSegments(file);
        for await (const chunk of chunksOfLog(file, this.#assembler, start)) yield* this.#searchChunk(chunk);
      } catch (error) {
        this.#options.onDamaged(file, error as Error);
      }
      const rest = goesOn ? undefined : this.#assembler.rest();
      if (rest !== undefined) yield* this.#searchChunk(rest);
    }
  }

  /** Where it ended: what is left is for those who read one after the other. */
  async *#searchSegments({ fd, size }: LogFile): AsyncGenerator<Printed, number> {
    const { helper } = this.#options;
    const ahead: Promise<PrintedPiece>[] = [];
    let end = 0;
    try {
      for (const segment of segmentsOf(fd, size)) {
        end = segment.end;
        const isForHelper = helper?.isFree === true;
        const piece = isForHelper ? helper.run({ service: this.#service, segment }) : this.#searchSegment(segment);
        // A failure is for whoever waits for it, after what was found before it.
        piece.catch(() => {});
        ahead.push(piece);
        // Messages of the helper come in between.
        if (!isForHelper) await nextTurn();
        if (ahead.length >= MAX_AHEAD) yield* this.#take(await ahead.shift());
      }
      while (ahead.length > 0) yield* this.#take(await ahead.shift());
    } finally {
      await Promise.allSettled(ahead);
    }
    return end;
  }

  async #searchSegment(segment: Segment): Promise<PrintedPiece> {
    const { filter, format } = this.#options;
    const buffer = readSegment(segment, this.#buffer);
    return printChunk({ buffer, start: 0, end: buffer.length, cut: false }, this.#service, filter, format, Number.NaN);
  }

  *#searchChunk(chunk: Chunk): Generator<Printed> {
    const { filter, format } = this.#options;
    yield* this.#take(printChunk(chunk, this.#service, filter, format, this.#timeMs));
  }

  /** Gives the text at the beginning of a piece the time of the record before it. */
  *#take(piece: PrintedPiece | undefined): Generator<Printed> {
    if (piece === undefined) return;
    const { filter, format } = this.#options;
    const dated = piece.undated.map((line) => ({ ...line, timeMs: this.#timeMs })).filter(filter.matches);
    const packer = new Packer();
    for (const line of dated) packer.add(line.timeMs, format.format(line));
    if (dated.length > 0) yield packer.pack();
    if (piece.printed.times.length > 0) yield piece.printed;
    if (!Number.isNaN(piece.lastTimeMs)) this.#timeMs = piece.lastTimeMs;
  }
}
