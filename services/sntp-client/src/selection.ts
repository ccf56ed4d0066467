/**
 * Who is right (RFC 5905 section 11.2.1). Each server claims an interval that holds the true offset.
 * Servers whose intervals share a point can all be right; when more than half of them do, those are
 * the truechimers and the rest are falsetickers. Without such a majority there is no answer.
 */

export interface Candidate {
  readonly name: string;
  readonly offsetSeconds: number;
  /** Half of the claimed interval. */
  readonly boundSeconds: number;
}

export type Selection<C extends Candidate> =
  | {
      readonly kind: 'selected';
      readonly offsetSeconds: number;
      /** The true offset is within this, as long as more than half of all candidates are right. */
      readonly boundSeconds: number;
      /** Least bound first. */
      readonly truechimers: readonly C[];
      readonly falsetickers: readonly C[];
    }
  | { readonly kind: 'no-majority'; readonly candidates: readonly C[] }
  | { readonly kind: 'no-candidates' };

interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Selects among the candidates; the order in which they stand does not matter. */
export function select<C extends Candidate>(candidates: readonly C[]): Selection<C> {
  if (candidates.length === 0) return { kind: 'no-candidates' };
  const common = intersection(candidates);
  if (common === undefined) return { kind: 'no-majority', candidates };
  const agrees = ({ offsetSeconds, boundSeconds }: C): boolean =>
    offsetSeconds - boundSeconds <= common.high && offsetSeconds + boundSeconds >= common.low;
  const truechimers = candidates.filter(agrees).sort((a, b) => a.boundSeconds - b.boundSeconds);
  const offsetSeconds = weightedMean(truechimers);
  return {
    kind: 'selected',
    offsetSeconds,
    boundSeconds: safeBound(offsetSeconds, truechimers, candidates.length),
    truechimers,
    falsetickers: candidates.filter((candidate) => !agrees(candidate)),
  };
}

/** Fewer than half of `count`. */
const mostFalsetickers = (count: number): number => Math.ceil(count / 2) - 1;

/**
 * From the first to the last point that all but `f` of the intervals share, with the smallest `f` for
 * which there is one and which still leaves a strict majority.
 */
function intersection(candidates: readonly Candidate[]): Interval | undefined {
  const lows = candidates.map(({ offsetSeconds, boundSeconds }) => offsetSeconds - boundSeconds).sort(ascending);
  const highs = candidates.map(({ offsetSeconds, boundSeconds }) => offsetSeconds + boundSeconds).sort(ascending);
  // How many intervals hold each edge: those that have begun by then, less those that ended before.
  const holding = (edge: number) => ({
    edge,
    share: countWhile(lows, (low) => low <= edge) - countWhile(highs, (high) => high < edge),
  });
  const sharedLows = lows.map(holding);
  const sharedHighs = highs.map(holding);
  for (let falsetickers = 0; falsetickers <= mostFalsetickers(candidates.length); falsetickers++) {
    const wanted = candidates.length - falsetickers;
    const low = sharedLows.find(({ share }) => share >= wanted)?.edge;
    const high = sharedHighs.findLast(({ share }) => share >= wanted)?.edge;
    if (low !== undefined && high !== undefined) return { low, high };
  }
  return undefined;
}

const ascending = (a: number, b: number): number => a - b;

/** How many numbers, from the first on, fulfil a condition that ascending numbers fulfil up to some point. */
function countWhile(ascendingNumbers: readonly number[], condition: (value: number) => boolean): number {
  let from = 0;
  let to = ascendingNumbers.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (condition(ascendingNumbers[middle] as number)) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** The better a server knows, the more it counts: weights are those of the least variance. */
function weightedMean(candidates: readonly Candidate[]): number {
  const weights = candidates.map(({ boundSeconds }) => 1 / Math.max(boundSeconds, Number.EPSILON) ** 2);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  // Around the best one, so that sums of large offsets lose no digits.
  const around = candidates[0]?.offsetSeconds ?? 0;
  const mean = candidates.reduce(
    (sum, { offsetSeconds }, index) => sum + (offsetSeconds - around) * ((weights[index] ?? 0) / total),
    0,
  );
  return around + mean;
}

/**
 * Each truechimer that is right proves a bound on the offset chosen. At most `mostFalsetickers` of all
 * candidates are wrong, so of that many and one more of the smallest proofs at least one holds.
 */
function safeBound(offsetSeconds: number, truechimers: readonly Candidate[], count: number): number {
  const proofs = truechimers
    .map((one) => Math.abs(one.offsetSeconds - offsetSeconds) + one.boundSeconds)
    .sort(ascending);
  return proofs[Math.min(mostFalsetickers(count), proofs.length - 1)] ?? Number.POSITIVE_INFINITY;
}
