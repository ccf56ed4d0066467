/** Room in the store: what its files take, what is promised to uploads, and what may be taken at most. */
import { FileError } from '../protocol/codes.ts';

/** Room promised to one upload. It counts as used until it is given back. */
export class Reservation {
  readonly #usage: Usage;
  #bytes = 0;

  constructor(usage: Usage) {
    this.#usage = usage;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Makes it at least so much. @throws QUOTA */
  grow(bytes: number): void {
    if (bytes <= this.#bytes) return;
    this.#usage.reserve(bytes - this.#bytes);
    this.#bytes = bytes;
  }

  /** What was left by an earlier process counts, even if that is more than the quota now allows. */
  restore(bytes: number): void {
    this.#usage.force(bytes - this.#bytes);
    this.#bytes = bytes;
  }

  release(): void {
    this.#usage.force(-this.#bytes);
    this.#bytes = 0;
  }
}

export class Usage {
  readonly quotaBytes: number;
  #fileBytes = 0;
  #reservedBytes = 0;
  #grownWhileCounting = 0;

  /** @param quotaBytes 0 for none */
  constructor(quotaBytes: number) {
    this.quotaBytes = quotaBytes;
  }

  get usedBytes(): number {
    return this.#fileBytes + this.#reservedBytes;
  }

  hasRoom(bytes: number): boolean {
    return this.quotaBytes === 0 || this.usedBytes + bytes <= this.quotaBytes;
  }

  reserve(bytes: number): void {
    if (!this.hasRoom(bytes)) {
      throw new FileError('QUOTA', `${bytes} more bytes are above the quota of ${this.quotaBytes}`);
    }
    this.#reservedBytes += bytes;
  }

  force(reservedBytes: number): void {
    this.#reservedBytes += reservedBytes;
  }

  /** A file came (or, below 0, went). */
  changed(bytes: number): void {
    this.#fileBytes = Math.max(0, this.#fileBytes + bytes);
    if (bytes > 0) this.#grownWhileCounting += bytes;
  }

  /** Takes over what a count of the files gives. */
  async recount(count: () => Promise<number>): Promise<void> {
    this.#grownWhileCounting = 0;
    const fileBytes = await count();
    // What came meanwhile may or may not have been counted: rather too much than too little.
    this.#fileBytes = fileBytes + this.#grownWhileCounting;
  }
}
