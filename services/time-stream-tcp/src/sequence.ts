/** What the sequence numbers of one client tell: which are missing, which came twice, which came late. Pure. */

/** Numbers this far behind the highest are told apart; older ones can't be known any more. */
const WINDOW = 64;

export type Arrival = 'next' | 'duplicate' | 'reordered';

export class SequenceTrack {
  readonly #seen = new Array<number>(WINDOW).fill(-1);
  #highest = -1;
  /** Never arrived, between the first and the highest. */
  missing = 0;
  duplicates = 0;
  /** Arrived after a higher one. */
  reordered = 0;

  /** @param seq from 0 to 2^53 - 1; the first one may be any */
  add(seq: number): Arrival {
    const slot = seq % WINDOW;
    if (seq > this.#highest) {
      if (this.#highest !== -1) this.missing += seq - this.#highest - 1;
      this.#highest = seq;
      this.#seen[slot] = seq;
      return 'next';
    }
    if (this.#seen[slot] === seq) {
      this.duplicates += 1;
      return 'duplicate';
    }
    this.reordered += 1;
    if (this.#highest - seq < WINDOW) {
      this.#seen[slot] = seq;
      this.missing = Math.max(0, this.missing - 1);
    }
    return 'reordered';
  }
}
