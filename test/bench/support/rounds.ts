/** Taking turns, and what is made of the figures. */

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/**
 * The order in which peers take their turn in a round (counted from 0). It is rotated, so that no peer is always the
 * one that runs after a certain other or first on a cold machine.
 */
export function turnOrder<Peer>(peers: readonly Peer[], round: number): Peer[] {
  const first = peers.length === 0 ? 0 : round % peers.length;
  return [...peers.slice(first), ...peers.slice(0, first)];
}

/** Median, least and greatest of at least one figure; the median of an even number is the mean of the middle two. */
export function spreadOf(figures: readonly number[]): Spread {
  const sorted = figures.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    min: at(0),
    max: at(sorted.length - 1),
  };
}

/**
 * The ratio to the reference within each round, for the rounds that have both. Machines drift over minutes; within
 * one round they hardly do, so a ratio of medians would say less than the median of these.
 */
export function ratiosPerRound(figures: ReadonlyMap<number, number>, reference: ReadonlyMap<number, number>): number[] {
  return [...figures].flatMap(([round, figure]) => {
    const base = reference.get(round);
    return base === undefined || base === 0 ? [] : [figure / base];
  });
}
