/**
 * Notices loops with servers on ports that no list knows: two echo servers that were set upon each other by one
 * forged datagram send the same bytes to and fro for ever.
 *
 * What arrives in such a loop is, each time, just what was last sent there. A client that sends the same bytes again
 * and again and waits for each answer looks the same, and nothing in a datagram tells the two apart. But a loop has
 * one datagram under way and ends when that one is not answered, while a client sends another. So after a long row of
 * such datagrams one of them gets no answer. Whoever goes on after that has shown that it lives, or was set off
 * anew: the next row may be twice as long, up to a bound, so that a client loses a handful out of millions and each
 * forged datagram buys a bounded number of answers.
 *
 * The memory is a fixed number of places; endpoints that fall on one place displace each other, and a loop that is
 * displaced is counted from the start.
 */
import type { SourceAddress } from './source-address.ts';
import { mix } from './source-table.ts';

/** The first row of equal datagrams ends after this many. */
export const FIRST_ROW = 4_096;

/** Rows double up to this many times, to about a million. */
const MAX_DOUBLINGS = 8;

/** At the end of a row payloads are compared by all of their bytes, before that by some. */
const COMPARED_WHOLLY = 32;

const PLACES = 8_192;

/** Words of a place: the endpoint, then what is known about it. */
const PLACE_WORDS = 8;
const [PORT, FINGERPRINT, ROW, DOUBLINGS] = [4, 5, 6, 7];

export class LoopWatch {
  readonly #words = new Uint32Array(PLACES * PLACE_WORDS);
  readonly #seed: number;
  /** The place of the source that `shouldBreak` was last asked about. */
  #at = 0;

  constructor(seed: number) {
    this.#seed = seed >>> 0;
  }

  /**
   * Whether a datagram that just arrived should get no answer. When it gets one, `answered` is called with it.
   *
   * @param memory holds the payload, from `offset`, `length` bytes
   */
  shouldBreak(source: SourceAddress, memory: Uint8Array, offset: number, length: number): boolean {
    const words = this.#words;
    const at = this.#placeOf(source);
    this.#at = at;
    if (!this.#isOf(at, source)) {
      words[at] = source.w0;
      words[at + 1] = source.w1;
      words[at + 2] = source.w2;
      words[at + 3] = source.w3;
      words[at + PORT] = portWord(source);
      words[at + FINGERPRINT] = 0;
      words[at + ROW] = 0;
      words[at + DOUBLINGS] = 0;
      return false;
    }
    const row = words[at + ROW] ?? 0;
    const limit = rowLimit(words[at + DOUBLINGS] ?? 0);
    if (this.#fingerprint(row, limit, memory, offset, length) !== words[at + FINGERPRINT]) {
      words[at + ROW] = 0;
      return false;
    }
    if (row + 1 < limit) {
      words[at + ROW] = row + 1;
      return false;
    }
    words[at + ROW] = 0;
    words[at + DOUBLINGS] = Math.min(MAX_DOUBLINGS, (words[at + DOUBLINGS] ?? 0) + 1);
    return true;
  }

  /** Notes what is sent back to the source of the datagram that `shouldBreak` was last asked about. */
  answered(memory: Uint8Array, offset: number, length: number): void {
    const words = this.#words;
    const at = this.#at;
    const limit = rowLimit(words[at + DOUBLINGS] ?? 0);
    words[at + FINGERPRINT] = this.#fingerprint(words[at + ROW] ?? 0, limit, memory, offset, length);
  }

  #placeOf({ w0, w1, w2, w3, port }: SourceAddress): number {
    const hash = mix(mix(mix(this.#seed ^ w0 ^ port) ^ w1 ^ w2) ^ w3);
    return (hash & (PLACES - 1)) * PLACE_WORDS;
  }

  #isOf(at: number, source: SourceAddress): boolean {
    const words = this.#words;
    return (
      words[at + 3] === source.w3 &&
      words[at + PORT] === portWord(source) &&
      words[at + 2] === source.w2 &&
      words[at + 1] === source.w1 &&
      words[at] === source.w0
    );
  }

  #fingerprint(row: number, limit: number, memory: Uint8Array, offset: number, length: number): number {
    const start = length ^ this.#seed;
    const end = offset + length;
    if (length <= 2 * EDGE_BYTES || row + COMPARED_WHOLLY >= limit) return hashBytes(start, memory, offset, end) >>> 0;
    return hashBytes(hashBytes(start, memory, offset, offset + EDGE_BYTES), memory, end - EDGE_BYTES, end) >>> 0;
  }
}

/** Compared at either end. What differs in between is found when payloads are compared by all of their bytes. */
const EDGE_BYTES = 8;

const rowLimit = (doublings: number): number => FIRST_ROW << doublings;

/** Family and port in one word; a place that was never used matches no source, since no family is 0. */
const portWord = ({ family, port }: SourceAddress): number => family * 65_536 + port;

/** A hash for telling apart what one endpoint sends; who forges equal hashes gets no more than equal bytes would. */
function hashBytes(seed: number, memory: Uint8Array, offset: number, end: number): number {
  let hash = seed;
  let at = offset;
  for (; at + 4 <= end; at += 4) {
    hash = Math.imul(hash ^ wordAt(memory, at), 0x9e37_79b1);
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) hash = Math.imul(hash ^ (memory[at] ?? 0), 0x9e37_79b1);
  return hash;
}

const wordAt = (memory: Uint8Array, at: number): number =>
  (memory[at] ?? 0) | ((memory[at + 1] ?? 0) << 8) | ((memory[at + 2] ?? 0) << 16) | ((memory[at + 3] ?? 0) << 24);
