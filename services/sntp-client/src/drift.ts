/**
 * How fast the local clock runs off: a straight line through the offsets of the last intervals, weighted
 * by how well each is known, and how far the line's slope can be trusted.
 */
import { fitLine } from '@small-servers/shared/clock/line-fit';
import type { ClockRate } from './filter.ts';
import { UNKNOWN_RATE } from './sample.ts';

export interface OffsetPoint {
  readonly atSeconds: number;
  readonly offsetSeconds: number;
  readonly boundSeconds: number;
}

/** Points, oldest first. */
export type DriftState = readonly OffsetPoint[];

/** 18 hours at the longest poll interval. */
const MAX_POINTS = 64;
const MIN_POINTS = 6;

/** A line through less than this says more about the network than about the clock. */
const MIN_SPAN_SECONDS = 512;

/** Three standard deviations. */
const CONFIDENCE = 3;

/** What a crystal's rate may change by within the time that is looked at: RFC 5905's PHI. */
const WANDER_RATE = 15e-6;

export function addPoint(state: DriftState, point: OffsetPoint): DriftState {
  return [...state, point].slice(-MAX_POINTS);
}

/** Slope of the offsets with its uncertainty, or `undefined` while there are too few. Both are rates. */
export function estimateDrift(state: DriftState): ClockRate | undefined {
  const first = state[0];
  const last = state.at(-1);
  if (first === undefined || last === undefined) return undefined;
  if (state.length < MIN_POINTS || last.atSeconds - first.atSeconds < MIN_SPAN_SECONDS) return undefined;

  const points = state.map(({ atSeconds, offsetSeconds, boundSeconds }) => ({
    // From the first point on, so that squares lose no digits after years of uptime.
    x: atSeconds - first.atSeconds,
    y: offsetSeconds - first.offsetSeconds,
    weight: 1 / Math.max(boundSeconds, 1e-9) ** 2,
  }));
  const { slope, slopeDeviation } = fitLine(points);
  return { drift: slope, uncertainty: CONFIDENCE * slopeDeviation };
}

/** The rate with which samples are carried forward: the estimate, with room for what it can't know. */
export function carryingRate(estimate: ClockRate | undefined): ClockRate {
  if (estimate === undefined || estimate.uncertainty > UNKNOWN_RATE) return { drift: 0, uncertainty: UNKNOWN_RATE };
  return { drift: estimate.drift, uncertainty: estimate.uncertainty + WANDER_RATE };
}
