/** One at a time for each path: a precondition that was checked holds until what depends on it is done. */
export class PathLocks {
  readonly #last = new Map<string, Promise<void>>();

  /** Runs `work` when every earlier holder of any of these keys is done. */
  async hold<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    const { promise: mine, resolve: release } = Promise.withResolvers<void>();
    // All keys are taken in this one synchronous step, so that two holders of two keys never wait for each other.
    const before = keys.map((key) => this.#last.get(key));
    for (const key of keys) this.#last.set(key, mine);
    try {
      await Promise.all(before);
      return await work();
    } finally {
      release();
      for (const key of keys) if (this.#last.get(key) === mine) this.#last.delete(key);
    }
  }

  /** Whether somebody is at work there. */
  isHeld(key: string): boolean {
    return this.#last.has(key);
  }

  get size(): number {
    return this.#last.size;
  }
}
