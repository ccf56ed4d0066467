/** The crc32 of whole files by etag, so that content which did not change is summed once. */
export class DigestCache {
  readonly #most: number;
  /** The one asked for last comes last. */
  readonly #crcs = new Map<string, number>();

  /** @param most entries, of some 150 bytes each; the one that was not asked for longest goes first */
  constructor(most: number) {
    this.#most = most;
  }

  crc32(etag: string): number | undefined {
    const crc = this.#crcs.get(etag);
    if (crc !== undefined && this.#crcs.size === this.#most) this.rememberCrc32(etag, crc);
    return crc;
  }

  rememberCrc32(etag: string, crc: number): void {
    this.#crcs.delete(etag);
    if (this.#crcs.size >= this.#most) {
      const [oldest = ''] = this.#crcs.keys();
      this.#crcs.delete(oldest);
    }
    this.#crcs.set(etag, crc);
  }
}
