/** What a series of round trips looks like, from a histogram of high dynamic range. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** An hour: far above any round trip that a probe waits for. */
const LONGEST_NS = 3_600_000_000_000;

/** Three significant figures: a value is off by 0.1% at most, from a nanosecond to an hour. */
const SIGNIFICANT_FIGURES = 3;

/** All in milliseconds; `null` when nothing was recorded. */
export interface RoundTripSummary {
  readonly min: number | null;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  readonly max: number | null;
  readonly mean: number | null;
}

export class RoundTrips {
  readonly #histogram: RecordableHistogram = createHistogram({
    lowest: 1,
    highest: LONGEST_NS,
    figures: SIGNIFICANT_FIGURES,
  });

  /** One round trip in nanoseconds; at least 1. */
  record(nanoseconds: number): void {
    this.#histogram.record(Math.min(LONGEST_NS, Math.max(1, Math.round(nanoseconds))));
  }

  get count(): number {
    return this.#histogram.count;
  }

  summary(): RoundTripSummary {
    const histogram = this.#histogram;
    const ms = (nanoseconds: number): number | null => (histogram.count === 0 ? null : round(nanoseconds / 1e6));
    return {
      min: ms(histogram.min),
      p50: ms(histogram.percentile(50)),
      p90: ms(histogram.percentile(90)),
      p99: ms(histogram.percentile(99)),
      p999: ms(histogram.percentile(99.9)),
      max: ms(histogram.max),
      mean: ms(histogram.mean),
    };
  }
}

/** Microseconds are as fine as a probe in user space can tell. */
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
