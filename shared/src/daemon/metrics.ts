/**
 * Metrics as plain values. A service counts with numbers and `Histogram`s, which cost an addition each, and
 * gives families of them when somebody asks; nothing here knows a wire format or is loaded by one.
 *
 * Names follow Prometheus's conventions: `small_servers_` first, base units (seconds, bytes), `_total` on
 * counters. Every series of a closed union is there from the start, with 0, so that a rate never misses its
 * first increase.
 */

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

interface FamilyHead {
  readonly name: `small_servers_${string}`;
  /** One phrase without a full stop. */
  readonly help: string;
}

export type MetricFamily =
  | (FamilyHead & { readonly type: 'counter' | 'gauge'; readonly samples: readonly Sample[] })
  | (FamilyHead & { readonly type: 'histogram'; readonly histogram: HistogramValues });

/** Whoever has something to tell at a scrape. */
export type MetricSource = () => readonly MetricFamily[] | Promise<readonly MetricFamily[]>;

export interface HistogramValues {
  /** Upper bounds, each inclusive, ascending; the last bucket, without a bound, is not named. */
  readonly bounds: readonly number[];
  /** Observations of each bucket alone (not cumulated), one more than there are bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** Observations sorted into buckets that never change. */
export class Histogram implements HistogramValues {
  readonly bounds: readonly number[];
  readonly counts: number[];
  sum = 0;

  /** @param bounds upper bounds, ascending */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let bucket = 0;
    // A scan: there are few buckets, and most values are in the first ones.
    while (bucket < this.bounds.length && value > (this.bounds[bucket] ?? 0)) bucket += 1;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sum += value;
  }
}

export const counter = (name: FamilyHead['name'], help: string, value: number): MetricFamily => ({
  name,
  help,
  type: 'counter',
  samples: [{ value }],
});

export const gauge = (name: FamilyHead['name'], help: string, value: number): MetricFamily => ({
  name,
  help,
  type: 'gauge',
  samples: [{ value }],
});

export const histogram = (name: FamilyHead['name'], help: string, values: HistogramValues): MetricFamily => ({
  name,
  help,
  type: 'histogram',
  histogram: values,
});

/** A counter with one series for each member of a closed union, those never counted included. */
export function counterByReason<Reason extends string>(
  name: FamilyHead['name'],
  help: string,
  reasons: Readonly<Record<Reason, unknown>>,
  counts: ReadonlyMap<NoInfer<Reason>, number>,
): MetricFamily {
  const samples = (Object.keys(reasons) as Reason[]).map((reason) => ({
    labels: { reason },
    value: counts.get(reason) ?? 0,
  }));
  return { name, help, type: 'counter', samples };
}
