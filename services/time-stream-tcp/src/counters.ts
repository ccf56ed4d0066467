/** What the service counts over all connections. */
import { Histogram } from '@small-servers/shared/daemon/metrics';
import type { LineProblem } from './protocol.ts';

/** From well kept clocks to those an hour off and more. */
const OFFSET_BOUNDS_SECONDS = [0.001, 0.01, 0.1, 0.5, 1, 2, 10, 60, 3_600, 86_400];

/** The counts of one connection's sequence and seconds, added up when it ends. */
export interface EndedTrack {
  readonly missedSeconds: number;
  readonly seqMissing: number;
  readonly seqDuplicates: number;
  readonly seqReordered: number;
}

export class Counters {
  stamps = 0;
  /** Of them without a record of their own, because their connection had too many. */
  unlogged = 0;
  /** Lines that were no record for coming late after their stamp had been taken. */
  lateTails = 0;
  steps = 0;
  serverSteps = 0;
  watchLines = 0;
  watchLinesSkipped = 0;
  readonly badLines = new Map<LineProblem, number>();
  readonly offsetSeconds = new Histogram(OFFSET_BOUNDS_SECONDS);
  missedSeconds = 0;
  seqMissing = 0;
  seqDuplicates = 0;
  seqReordered = 0;

  countBad(problem: LineProblem): void {
    this.badLines.set(problem, (this.badLines.get(problem) ?? 0) + 1);
  }

  /** A track that has ended; those still open are asked at a scrape. */
  countEnded({ missedSeconds, seqMissing, seqDuplicates, seqReordered }: EndedTrack): void {
    this.missedSeconds += missedSeconds;
    this.seqMissing += seqMissing;
    this.seqDuplicates += seqDuplicates;
    this.seqReordered += seqReordered;
  }
}
