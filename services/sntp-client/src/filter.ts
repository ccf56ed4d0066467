/**
 * The clock filter (RFC 5905 section 10): of the last eight samples of a server the one with the least
 * possible error counts. Queues only ever add to a delay, so the sample with the shortest delay was
 * disturbed least. An older one grows worse with time by what our clock may have run off since.
 */
import { boundOf, type Sample, UNKNOWN_RATE } from './sample.ts';

const STAGES = 8;

/** How fast the local clock runs away from true time, and how well that is known. Both are rates (1e-6 is 1 ppm). */
export interface ClockRate {
  /** Growth of the offset: positive when the local clock is slow. */
  readonly drift: number;
  readonly uncertainty: number;
}

export const unknownRate: ClockRate = { drift: 0, uncertainty: UNKNOWN_RATE };

/** What one server says of the offset at some moment. */
export interface Estimate {
  readonly offsetSeconds: number;
  /** Half of the interval in which the offset lies, if the server is right. */
  readonly boundSeconds: number;
  /** Root mean square of the other samples against the one that counts. */
  readonly jitterSeconds: number;
  readonly sample: Sample;
}

/** Samples, oldest first. */
export type FilterState = readonly Sample[];

export function addSample(state: FilterState, sample: Sample): FilterState {
  return [...state, sample].slice(-STAGES);
}

/** The estimate at a moment of the monotonic clock, or `undefined` without samples. */
export function estimate(state: FilterState, nowSeconds: number, rate: ClockRate = unknownRate): Estimate | undefined {
  const carried = state.map((sample) => carry(sample, nowSeconds, rate));
  const best = carried.reduce<Carried | undefined>(
    (least, next) => (least !== undefined && least.boundSeconds <= next.boundSeconds ? least : next),
    undefined,
  );
  if (best === undefined) return undefined;
  const squares = carried.map(({ offsetSeconds }) => (offsetSeconds - best.offsetSeconds) ** 2);
  const jitterSeconds = Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / Math.max(1, squares.length - 1));
  return { ...best, boundSeconds: best.boundSeconds + jitterSeconds, jitterSeconds };
}

interface Carried {
  readonly offsetSeconds: number;
  readonly boundSeconds: number;
  readonly sample: Sample;
}

/** A sample as it would be if it were taken now. */
function carry(sample: Sample, nowSeconds: number, { drift, uncertainty }: ClockRate): Carried {
  const ageSeconds = Math.max(0, nowSeconds - sample.atSeconds);
  return {
    offsetSeconds: sample.offsetSeconds + drift * ageSeconds,
    boundSeconds: boundOf(sample) + uncertainty * ageSeconds,
    sample,
  };
}
