/** The records of a log that a plot is made of. */
import { type LogLine, numberField, textField } from '@small-servers/shared/logs/record';

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

/** Records without a figure (a poll that was lost, a moment without a majority) have no point. */
export async function collectPoints(batches: AsyncIterable<readonly LogLine[]>): Promise<PlotData> {
  const offset: PlotPoint[] = [];
  const delays = new Map<string, PlotPoint[]>();
  for await (const batch of batches) {
    for (const { record, timeMs: atMs } of batch) {
      if (record === undefined) continue;
      const [offsetMs, boundMs, delayMs] = ['offsetMs', 'boundMs', 'delayMs'].map((name) => numberField(record, name));
      const server = textField(record, 'server');
      if (record.event === 'clock' && offsetMs !== undefined && boundMs !== undefined) {
        offset.push({ atMs, value: offsetMs / 1000, bound: boundMs / 1000 });
      }
      if (record.event === 'poll' && delayMs !== undefined && server !== undefined) {
        const points = delays.get(server) ?? [];
        points.push({ atMs, value: delayMs / 1000 });
        delays.set(server, points);
      }
    }
  }
  return { offset, delays };
}
