/** The records of a log that a plot is made of. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

export interface PlotPoint {
  readonly atMs: number;
  readonly value: number;
  /** Half of the interval around it. */
  readonly bound?: number;
}

export interface PlotData {
  /** `clock` records: selected offset and its bound, in seconds. */
  readonly offset: readonly PlotPoint[];
  /** `poll` records that were accepted: time under way, in seconds, by server. */
  readonly delays: ReadonlyMap<string, readonly PlotPoint[]>;
}

interface Line {
  readonly time?: unknown;
  readonly event?: unknown;
  readonly server?: unknown;
  readonly offsetMs?: unknown;
  readonly boundMs?: unknown;
  readonly delayMs?: unknown;
}

/** Lines that are no records of ours (a stack trace, a half-written line) are passed over. */
export async function collectPoints(lines: AsyncIterable<string>, sinceMs: number): Promise<PlotData> {
  const offset: PlotPoint[] = [];
  const delays = new Map<string, PlotPoint[]>();
  for await (const text of lines) {
    const line = parse(text);
    const atMs = Date.parse(String(line.time));
    if (!(atMs >= sinceMs)) continue;
    if (line.event === 'clock' && typeof line.offsetMs === 'number' && typeof line.boundMs === 'number') {
      offset.push({ atMs, value: line.offsetMs / 1000, bound: line.boundMs / 1000 });
    }
    if (line.event === 'poll' && typeof line.delayMs === 'number' && typeof line.server === 'string') {
      const points = delays.get(line.server) ?? [];
      points.push({ atMs, value: line.delayMs / 1000 });
      delays.set(line.server, points);
    }
  }
  return { offset, delays };
}

function parse(text: string): Line {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** The lines of several files, one file after the other; a file that is missing has none. */
export async function* linesOf(paths: readonly string[]): AsyncGenerator<string> {
  for (const path of paths) {
    try {
      yield* createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}
