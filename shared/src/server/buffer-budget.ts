/**
 * Room for the large read buffers of all connections of this process together. Each connection may have
 * a large buffer while it moves much, but ten thousand of them at once may not: those who find no room
 * left read on in the buffer they have.
 */
export class BufferBudget {
  #freeBytes: number;

  constructor(totalBytes: number) {
    this.#freeBytes = totalBytes;
  }

  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** Takes room, if there is any. What was taken is given back exactly once. */
  take(bytes: number): boolean {
    if (bytes > this.#freeBytes) return false;
    this.#freeBytes -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#freeBytes += bytes;
  }
}
