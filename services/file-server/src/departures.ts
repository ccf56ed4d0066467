/**
 * When replies leave. A write wakes the program that waits for it, and that is the largest part of a small reply; but
 * only the first of several in a row pays it in full, since the others find their readers' core awake. So where several
 * connections ask by turns, what they are answered leaves at the end of a turn of the event loop, all of it together. A
 * connection that is alone is answered at once: there is nothing to wait for. Measured in docs/performance/file-server.md.
 */

/** Reads from one of a connection to its next, that one included, above which it has company enough. */
const FEW_READS = 3;

/** A turn can be long: no reply waits for more than so many others. */
const MOST_WAITING = 32;

interface Departing {
  /** Writes what waits to be written, which may be nothing by then. */
  flush(): void;
}

export class Departures {
  #reads = 0;
  #waiting: Departing[] = [];
  readonly #leave = (): void => {
    const leaving = this.#waiting;
    this.#waiting = [];
    for (const each of leaving) each.flush();
  };

  /** How many reads there were, of all connections. */
  get reads(): number {
    return this.#reads;
  }

  /** Counts a read. @param before what `reads` was after the last one of the same connection */
  readHasCompany(before: number): boolean {
    this.#reads += 1;
    return this.#reads - before > FEW_READS;
  }

  /** At the end of the turn, if not before. */
  add(departing: Departing): void {
    if (this.#waiting.length === 0) setImmediate(this.#leave);
    this.#waiting.push(departing);
    if (this.#waiting.length >= MOST_WAITING) this.#leave();
  }
}
