/** Digests of whole files by etag, so that content which did not change is summed once. */

/** Some 150 bytes each. */
const MAX_ENTRIES = 20_000;

/** The ones asked for last are kept. */
export class DigestCache {
  readonly #crcs = new Map<string, number>();

  crc32(etag: string): number | undefined {
    const crc = this.#crcs.get(etag);
    if (crc !== undefined && this.#crcs.size === MAX_ENTRIES) this.rememberCrc32(etag, crc);
    return crc;
  }

  rememberCrc32(etag: string, crc: number): void {
    this.#crcs.delete(etag);
    if (this.#crcs.size >= MAX_ENTRIES) {
      const [oldest = ''] = this.#crcs.keys();
      this.#crcs.delete(oldest);
    }
    this.#crcs.set(etag, crc);
  }
}
