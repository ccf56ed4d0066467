/** Percentiles of any number of durations in bounded memory, each within 1% of its true value. */

/** Each bucket is 2% wide; its middle is at most 1% from either end. */
const GROWTH = Math.log(1.02);

export class DurationHistogram {
  /** Durations below 1 ms have bucket 0 and count as 0 ms. */
  readonly #counts = new Map<number, number>();
  #count = 0;
  #max = 0;

  add(ms: number): void {
    const bucket = ms < 1 ? 0 : 1 + Math.floor(Math.log(ms) / GROWTH);
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + 1);
    this.#count += 1;
    this.#max = Math.max(this.#max, ms);
  }

  get count(): number {
    return this.#count;
  }

  /** Exact. */
  get maxMs(): number {
    return this.#max;
  }

  /** The duration that `percent` of all do not exceed (nearest rank); 0 when there are none. */
  percentileMs(percent: number): number {
    let rank = Math.ceil((percent / 100) * this.#count);
    for (const bucket of [...this.#counts.keys()].toSorted((a, b) => a - b)) {
      rank -= this.#counts.get(bucket) ?? 0;
      if (rank <= 0) return bucket === 0 ? 0 : Math.min(this.#max, Math.exp((bucket - 0.5) * GROWTH));
    }
    return this.#max;
  }
}
