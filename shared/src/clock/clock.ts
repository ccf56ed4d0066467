/** The two clocks of the machine. Everything that measures is given them. */

export interface Clock {
  /** Wall clock, nanoseconds since 1970. It can be set, forwards and backwards. */
  wallNs(): bigint;
  /** Monotonic clock, nanoseconds from an arbitrary moment. It runs at the wall clock's rate and is never set. */
  monoNs(): bigint;
  /** The same in milliseconds, good to a microsecond, where that can be had for less than a bigint costs. */
  monoMs?(): number;
}

/** Where performance.now() counts from: by the closest of several readings, since an interrupted one is off by the pause. */
function originOfPerformanceMs(): number {
  let best = { gapMs: Number.POSITIVE_INFINITY, originMs: 0 };
  for (let attempt = 0; attempt < 5; attempt++) {
    const before = performance.now();
    const hereMs = Number(process.hrtime.bigint()) / 1e6;
    const gapMs = performance.now() - before;
    if (gapMs < best.gapMs) best = { gapMs, originMs: hereMs - before - gapMs / 2 };
  }
  return best.originMs;
}

const originMs = originOfPerformanceMs();

/**
 * Not Date.now(), which is cut to milliseconds and so is late by 0.5 ms on average; not
 * performance.timeOrigin + now(), which does not see the wall clock being set.
 */
export const systemClock: Clock = {
  wallNs: () => Temporal.Now.instant().epochNanoseconds,
  monoNs: () => process.hrtime.bigint(),
  monoMs: () => originMs + performance.now(),
};

/** Both clocks at one moment. */
export interface Stamp {
  readonly wallNs: bigint;
  readonly monoNs: bigint;
}

/** Two readings further apart than this were interrupted. */
const CLOSE_NS = 100_000n;
const TRIES = 5;

/** Reads both clocks as close together as can be: what interrupts in between would look like a step. */
export function readClocks(clock: Clock): Stamp {
  let best: Stamp = { wallNs: 0n, monoNs: 0n };
  let bestGapNs: bigint | undefined;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const before = clock.monoNs();
    const wallNs = clock.wallNs();
    const gapNs = clock.monoNs() - before;
    if (bestGapNs === undefined || gapNs < bestGapNs) {
      bestGapNs = gapNs;
      best = { wallNs, monoNs: before + gapNs / 2n };
    }
    if (gapNs <= CLOSE_NS) break;
  }
  return best;
}

/** Seconds of the monotonic clock. */
export function monoSeconds(stamp: Pick<Stamp, 'monoNs'>): number {
  return Number(stamp.monoNs) / 1e9;
}

/** How far the wall clock went ahead of the monotonic clock between two moments: it was set by that much, or the machine slept. */
export function stepSeconds(from: Stamp, to: Stamp): number {
  return Number(to.wallNs - from.wallNs - (to.monoNs - from.monoNs)) / 1e9;
}
