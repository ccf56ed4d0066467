/**
 * What is known about each source: its token bucket, and what it did since the last summary. A source is an IPv4
 * address, or the /64 of an IPv6 address, since whoever has one address of a /64 mostly has all of them.
 *
 * The table has a fixed number of rows, in typed arrays: no flood of invented sources makes it grow. A row is given
 * to a new source only when forgetting the old one changes nothing: its bucket is full again, as a new one would be.
 * Of a few such rows the one that did least is taken, so that one-off sources, spoofed ones above all, displace each
 * other and not a source that keeps talking. Where no row may be forgotten the new source is refused, and those that
 * are known go on as before.
 */
import type { SourceAddress } from './source-address.ts';
import { burstOf, refill } from './token-bucket.ts';

/** What a source did in one interval. */
export interface SourceActivity {
  /** The words of the last address seen (one for IPv4, four for IPv6). */
  readonly words: readonly number[];
  /** 0 when there were several. */
  readonly port: number;
  /** Several addresses of the same /64 were seen. */
  readonly severalAddresses: boolean;
  readonly received: number;
  readonly echoed: number;
  readonly dropped: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Rows looked at in search of one to forget: enough to find an idle one, few enough for every datagram of a flood. */
const LOOKED_AT = 16;

const NO_ROW = -1;

/** Family of a row that no source has. */
const UNUSED = 0;

/** In the index: an empty place. Rows stand as their number plus one. */
const EMPTY = 0;

export class SourceTable {
  readonly capacity: number;
  /** Tokens a second in every bucket; 0: no limit. */
  ratePerSecond: number;
  readonly received: Float64Array;
  readonly echoed: Float64Array;
  readonly dropped: Float64Array;
  readonly bytesIn: Float64Array;
  readonly bytesOut: Float64Array;
  /** Called with a row's activity before the row is given to another source. */
  readonly #onForgotten: (row: number) => void;
  readonly #index: Int32Array;
  readonly #indexMask: number;
  readonly #seed: number;
  readonly #words: Uint32Array;
  readonly #family: Uint8Array;
  readonly #port: Uint16Array;
  readonly #severalPorts: Uint8Array;
  readonly #severalAddresses: Uint8Array;
  readonly #unlimited: Uint8Array;
  readonly #tokens: Float64Array;
  readonly #countedAtMs: Float64Array;
  readonly #freeRows: Int32Array;
  #free: number;
  /** The next row that is looked at in search of one to forget. */
  #hand = 0;

  /**
   * @param capacity rows, at least 1
   * @param seed secret: without it nobody can invent sources that all fall on one place of the index
   */
  constructor(options: { capacity: number; ratePerSecond: number; seed: number; onForgotten: (row: number) => void }) {
    const { capacity, ratePerSecond, seed, onForgotten } = options;
    this.capacity = capacity;
    this.ratePerSecond = ratePerSecond;
    this.#seed = seed >>> 0;
    this.#onForgotten = onForgotten;
    const places = 2 ** Math.ceil(Math.log2(capacity * 2));
    this.#index = new Int32Array(places);
    this.#indexMask = places - 1;
    this.#words = new Uint32Array(capacity * 4);
    this.#family = new Uint8Array(capacity);
    this.#port = new Uint16Array(capacity);
    this.#severalPorts = new Uint8Array(capacity);
    this.#severalAddresses = new Uint8Array(capacity);
    this.#unlimited = new Uint8Array(capacity);
    this.#tokens = new Float64Array(capacity);
    this.#countedAtMs = new Float64Array(capacity);
    this.received = new Float64Array(capacity);
    this.echoed = new Float64Array(capacity);
    this.dropped = new Float64Array(capacity);
    this.bytesIn = new Float64Array(capacity);
    this.bytesOut = new Float64Array(capacity);
    this.#freeRows = Int32Array.from({ length: capacity }, (_, index) => capacity - 1 - index);
    this.#free = capacity;
  }

  /** Rows in use. */
  get size(): number {
    return this.capacity - this.#free;
  }

  /** The row of a source, or -1. */
  find(source: SourceAddress): number {
    for (let place = this.#home(source); ; place = (place + 1) & this.#indexMask) {
      const entry = this.#index[place] ?? EMPTY;
      if (entry === EMPTY) return NO_ROW;
      if (this.#isRowOf(entry - 1, source)) return entry - 1;
    }
  }

  /**
   * A row for a source that has none, or -1 when no row may be forgotten for it.
   *
   * @param unlimited no bucket for this one
   */
  add(source: SourceAddress, nowMs: number, unlimited: boolean): number {
    const row = this.#free > 0 ? (this.#freeRows[--this.#free] ?? NO_ROW) : this.#forgetOne(nowMs);
    if (row === NO_ROW) return NO_ROW;
    this.#family[row] = source.family;
    this.#words.set([source.w0, source.w1, source.w2, source.w3], row * 4);
    this.#port[row] = source.port;
    this.#unlimited[row] = unlimited ? 1 : 0;
    this.#tokens[row] = burstOf(this.ratePerSecond);
    this.#countedAtMs[row] = nowMs;
    this.#resetActivity(row);
    let place = this.#home(source);
    while (this.#index[place] !== EMPTY) place = (place + 1) & this.#indexMask;
    this.#index[place] = row + 1;
    return row;
  }

  /** Notes one more datagram of a known source. */
  count(row: number, source: SourceAddress, bytes: number): void {
    this.received[row] = (this.received[row] ?? 0) + 1;
    this.bytesIn[row] = (this.bytesIn[row] ?? 0) + bytes;
    if (this.#port[row] !== source.port) {
      // The first datagram after a summary names the port anew.
      if (this.received[row] === 1) this.#port[row] = source.port;
      else this.#severalPorts[row] = 1;
    }
    if (source.family === 6) this.#noteAddress(row, source);
  }

  #noteAddress(row: number, { w2, w3 }: SourceAddress): void {
    const at = row * 4;
    if (this.#words[at + 2] === w2 && this.#words[at + 3] === w3) return;
    this.#words[at + 2] = w2;
    this.#words[at + 3] = w3;
    if ((this.received[row] ?? 0) > 1) this.#severalAddresses[row] = 1;
  }

  /** Takes a token, or says that there is none. */
  take(row: number, nowMs: number): boolean {
    if (this.ratePerSecond === 0 || this.#unlimited[row] === 1) return true;
    const tokens = this.#tokensOf(row, nowMs);
    this.#countedAtMs[row] = nowMs;
    this.#tokens[row] = tokens < 1 ? tokens : tokens - 1;
    return tokens >= 1;
  }

  #tokensOf(row: number, nowMs: number): number {
    return refill(this.#tokens[row] ?? 0, this.#countedAtMs[row] ?? 0, nowMs, this.ratePerSecond);
  }

  /** What a source did since its activity was last reset. */
  activity(row: number): SourceActivity {
    const words = this.#words.subarray(row * 4, row * 4 + 4);
    return {
      words: this.#family[row] === 4 ? [words[3] ?? 0] : [...words],
      port: this.#severalPorts[row] === 1 ? 0 : (this.#port[row] ?? 0),
      severalAddresses: this.#severalAddresses[row] === 1,
      received: this.received[row] ?? 0,
      echoed: this.echoed[row] ?? 0,
      dropped: this.dropped[row] ?? 0,
      bytesIn: this.bytesIn[row] ?? 0,
      bytesOut: this.bytesOut[row] ?? 0,
    };
  }

  /**
   * The end of an interval: calls `report` for every row that was active in it, then starts counting anew. Sources
   * that were silent and whose bucket is full are forgotten.
   */
  endInterval(nowMs: number, report: (row: number) => void): void {
    for (let row = 0; row < this.capacity; row++) {
      if (this.#family[row] === UNUSED) continue;
      if ((this.received[row] ?? 0) > 0) {
        report(row);
        this.#resetActivity(row);
      } else if (this.#isLikeNew(row, nowMs)) {
        this.#removeFromIndex(this.#placeOf(row));
        this.#family[row] = UNUSED;
        this.#freeRows[this.#free++] = row;
      }
    }
  }

  #resetActivity(row: number): void {
    for (const counts of [this.received, this.echoed, this.dropped, this.bytesIn, this.bytesOut]) counts[row] = 0;
    this.#severalPorts[row] = 0;
    this.#severalAddresses[row] = 0;
  }

  #isLikeNew(row: number, nowMs: number): boolean {
    if (this.ratePerSecond === 0 || this.#unlimited[row] === 1) return true;
    return this.#tokensOf(row, nowMs) >= burstOf(this.ratePerSecond);
  }

  /** Every row is in use here: they are looked at in turn, a few for each new source. */
  #forgetOne(nowMs: number): number {
    let chosen = NO_ROW;
    for (let looked = 0; looked < Math.min(LOOKED_AT, this.capacity); looked++) {
      const row = this.#hand;
      this.#hand = (this.#hand + 1) % this.capacity;
      const doesLess = chosen === NO_ROW || (this.received[row] ?? 0) < (this.received[chosen] ?? 0);
      if (doesLess && this.#isLikeNew(row, nowMs)) chosen = row;
    }
    if (chosen === NO_ROW) return NO_ROW;
    this.#onForgotten(chosen);
    this.#removeFromIndex(this.#placeOf(chosen));
    return chosen;
  }

  #placeOf(row: number): number {
    let place = this.#homeOfRow(row);
    while (this.#index[place] !== row + 1) place = (place + 1) & this.#indexMask;
    return place;
  }

  /** Linear probing without tombstones: what stands behind the gap moves up where its home allows it. */
  #removeFromIndex(place: number): void {
    let gap = place;
    for (let next = (gap + 1) & this.#indexMask; ; next = (next + 1) & this.#indexMask) {
      const entry = this.#index[next] ?? EMPTY;
      if (entry === EMPTY) break;
      const fromHome = (next - this.#homeOfRow(entry - 1)) & this.#indexMask;
      const fromGap = (next - gap) & this.#indexMask;
      if (fromHome < fromGap) continue;
      this.#index[gap] = entry;
      gap = next;
    }
    this.#index[gap] = EMPTY;
  }

  #isRowOf(row: number, { family, w0, w1, w3 }: SourceAddress): boolean {
    const at = row * 4;
    if (this.#family[row] !== family) return false;
    return family === 4 ? this.#words[at + 3] === w3 : this.#words[at] === w0 && this.#words[at + 1] === w1;
  }

  #home({ family, w0, w1, w3 }: SourceAddress): number {
    return family === 4 ? this.#hash(4, w3) : this.#hash(w0, w1);
  }

  #homeOfRow(row: number): number {
    const at = row * 4;
    const words = this.#words;
    return this.#family[row] === 4 ? this.#hash(4, words[at + 3] ?? 0) : this.#hash(words[at] ?? 0, words[at + 1] ?? 0);
  }

  #hash(high: number, low: number): number {
    return mix(mix(this.#seed ^ high) ^ low) & this.#indexMask;
  }
}

/** A 32-bit finalizer (that of MurmurHash3): every bit of the input changes about half of the output's. */
export function mix(value: number): number {
  let hash = value >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
