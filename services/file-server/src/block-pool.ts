/**
 * Blocks of 1 MiB that file content passes through, used again and again. A block is the size at which reading files
 * ahead of a socket is as fast as the system's own sendfile (docs/performance.md); all of them together have a limit,
 * so that a thousand readers cost no thousand megabytes: who finds none left goes on with small ones.
 */

export const BLOCK_BYTES = 1024 * 1024;

/** What is allocated in place of a block that is not to be had. */
export const SMALL_BLOCK_BYTES = 64 * 1024;

/** Blocks kept when nobody uses them. */
const MAX_IDLE = 8;

export class BlockPool {
  readonly #idle: Buffer[] = [];
  readonly #most: number;
  #lent = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get lentBlocks(): number {
    return this.#lent;
  }

  /** A block, its content undefined; nothing if all are in use. Each is given back exactly once. */
  take(): Buffer | undefined {
    if (this.#lent >= this.#most) return undefined;
    this.#lent += 1;
    return this.#idle.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
  }

  give(block: Buffer): void {
    this.#lent -= 1;
    if (this.#idle.length < MAX_IDLE) this.#idle.push(block);
  }
}

/** Part of a block, or memory of its own, and the way to give it back. */
export interface Lent {
  readonly bytes: Buffer;
  release(): void;
}

/** At most `wantedBytes`, up to a block; small ones are not worth the pool's while. */
export function lend(pool: BlockPool, wantedBytes: number): Lent {
  if (wantedBytes > SMALL_BLOCK_BYTES) {
    const block = pool.take();
    if (block !== undefined) return { bytes: block, release: () => pool.give(block) };
  }
  return { bytes: Buffer.allocUnsafe(Math.min(wantedBytes, SMALL_BLOCK_BYTES)), release: () => {} };
}
