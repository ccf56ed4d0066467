/** How many records one peer, or all of them together, may still put into the log. Pure. */

/** So many seconds' worth at once: a client that was cut off sends what it kept in one go. */
const BURST_SECONDS = 10;

export class RecordAllowance {
  #tokens = Number.NaN;
  #countedAtMs = 0;
  #unlogged = 0;

  /** Refused since `takeUnlogged`. */
  get unlogged(): number {
    return this.#unlogged;
  }

  /** @param perSecond 0 for no limit */
  take(nowMs: number, perSecond: number): boolean {
    if (perSecond === 0) return true;
    const most = perSecond * BURST_SECONDS;
    const elapsedMs = Math.max(0, nowMs - this.#countedAtMs);
    this.#tokens = Number.isNaN(this.#tokens) ? most : Math.min(most, this.#tokens + (elapsedMs * perSecond) / 1000);
    this.#countedAtMs = nowMs;
    if (this.#tokens < 1) {
      this.#unlogged += 1;
      return false;
    }
    this.#tokens -= 1;
    return true;
  }

  takeUnlogged(): number {
    const unlogged = this.#unlogged;
    this.#unlogged = 0;
    return unlogged;
  }
}
