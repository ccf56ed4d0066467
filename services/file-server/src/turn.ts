/**
 * Turns of the event loop. What is in memory is read without waiting, and a fast peer takes it without waiting, so a
 * large transfer could go on from its first byte to its last while everybody else waits. Who has much to do looks here
 * whether the turn has lasted long enough. All of them share it: ten transfers make a turn no longer than one.
 */

/** Well below what a person or a timer notices, well above what one turn costs by itself. */
const SLICE_MS = 4;

export class Turn {
  readonly #clock: () => number;
  #startedMs = Number.NEGATIVE_INFINITY;
  #next: Promise<void> | undefined;

  /** @param clock monotonic, in milliseconds */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  get isOver(): boolean {
    return this.#clock() - this.#startedMs > SLICE_MS;
  }

  /** Resolves in the next turn, when everything else that is ready was handled. */
  next(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#next = undefined;
        this.#startedMs = this.#clock();
        resolve();
      });
    });
    return this.#next;
  }
}
