/**
 * The offset between two clocks from one question and its answer, with a bound that holds whatever the network did
 * (RFC 5905 has the same arithmetic with four readings). Pure.
 */
import type { Moment } from './steady-clock.ts';

export interface Exchange {
  /** Their clock less ours. */
  readonly offsetMs: number;
  /** The true offset is within this of it. */
  readonly boundMs: number;
  readonly roundTripMs: number;
}

/**
 * @param theirsMs what their clock showed between the two, milliseconds since 1970
 * @param resolutionMs what the last digit of that stands for
 */
export function exchangeOf(asked: Moment, theirsMs: number, answered: Moment, resolutionMs: number): Exchange {
  const roundTripMs = answered.monoMs - asked.monoMs;
  // The middle by the monotonic clock, told by the wall clock as it is now: it may have been set in between.
  const middleMs = answered.wallMs - roundTripMs / 2;
  return {
    offsetMs: theirsMs + resolutionMs / 2 - middleMs,
    boundMs: (roundTripMs + resolutionMs) / 2,
    roundTripMs,
  };
}
