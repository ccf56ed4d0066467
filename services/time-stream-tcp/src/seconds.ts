/**
 * Seconds of a client's clock for which no stamp came. Pure.
 *
 * Stamps come once a second, or at the interval that the client shows: the shortest between two of its stamps, in whole
 * seconds. From the first stamp of a run to the last there should have been so many; what was not seen is missed. A step
 * of the clock ends a run: time that the clock never showed is not missed.
 */
export class SecondsTrack {
  #firstSecond = 0;
  #lastSecond = 0;
  #seen = 0;
  #shortestGap = Number.POSITIVE_INFINITY;
  #missedBefore = 0;

  get missed(): number {
    return this.#missedBefore + this.#missedInRun();
  }

  /** @param clientMs what the client's clock showed, milliseconds since 1970 */
  add(clientMs: number): void {
    const second = Math.floor(clientMs / 1000);
    if (this.#seen === 0) {
      this.#firstSecond = second;
    } else {
      const gap = second - this.#lastSecond;
      if (gap <= 0) return;
      this.#shortestGap = Math.min(this.#shortestGap, gap);
    }
    this.#lastSecond = second;
    this.#seen += 1;
  }

  /** The clock was set: what comes now is a new run. */
  restart(): void {
    this.#missedBefore += this.#missedInRun();
    this.#seen = 0;
  }

  #missedInRun(): number {
    if (this.#seen < 2) return 0;
    const expected = Math.round((this.#lastSecond - this.#firstSecond) / this.#shortestGap) + 1;
    return Math.max(0, expected - this.#seen);
  }
}
