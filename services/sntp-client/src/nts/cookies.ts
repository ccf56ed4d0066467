/**
 * The cookies of one NTS association (RFC 8915 section 5.7): each is sent once, so that nobody can
 * follow a client from network to network by them, and every reply brings new ones for those used up.
 */
export const FULL = 8;

/** A request stays below the least MTU of IPv6, whatever the size of the cookies. */
const MAX_PLACEHOLDER_BYTES = 700;

export class CookieJar {
  readonly #cookies: Uint8Array[] = [];

  get size(): number {
    return this.#cookies.length;
  }

  /** Adds what a server sent; more than a jar full is not kept. */
  add(cookies: readonly Uint8Array[]): void {
    this.#cookies.push(...cookies.slice(0, FULL - this.#cookies.length));
  }

  /** The oldest cookie, which is then gone; `undefined` when there is none. */
  take(): Uint8Array | undefined {
    return this.#cookies.shift();
  }

  /** How many more cookies to ask for in a request that carries one of this size, so that the jar is full again. */
  missing(cookieBytes: number): number {
    return Math.max(
      0,
      Math.min(FULL - 1 - this.#cookies.length, Math.floor(MAX_PLACEHOLDER_BYTES / (cookieBytes + 4))),
    );
  }

  clear(): void {
    this.#cookies.length = 0;
  }
}
