/**
 * What the offsets of one client say over time. Pure, and of bounded size.
 *
 * A measured offset is the true one less the time the stamp was under way. That time is never negative, and queues only
 * ever add to it, so of several offsets the largest was disturbed least. Time is cut into blocks, and of each block the
 * largest offset is kept. When all blocks are taken, two become one and blocks are twice as long from then on; at
 * their greatest length the oldest is dropped instead.
 */
import { fitLine } from '@small-servers/shared/clock/line-fit';

/** An hour and eight minutes at the greatest length. */
const MAX_BLOCKS = 64;
const FIRST_BLOCK_MS = 1_000;
const LAST_BLOCK_MS = 64_000;

/** Blocks from this far back count for the offset of now. */
const RECENT_MS = 60_000;

/** A line through fewer points says nothing. */
const MIN_DRIFT_BLOCKS = 8;

/** Three standard deviations, and more where a few points must tell their own deviation (Student's t). */
const confidence = (points: number): number => 3 * (1 + 2 / (points - 2));

/**
 * Delays of neighbouring blocks are alike when a queue lasts longer than a block: then so many points tell as little as
 * fewer independent ones. From the correlation of neighbours, which few points show too small.
 */
function togetherness(correlation: number, points: number): number {
  const likely = Math.min(0.95, Math.max(0, correlation + 4 / points));
  return Math.sqrt((1 + likely) / (1 - likely));
}

/** How many blocks there are from one look at the drift to the next, for carrying offsets forward. */
const CARRY_BLOCKS = 8;

/** Drift that is known worse than this is not used to carry offsets forward: no crystal is this far off. */
const CARRYING_LIMIT = 500e-6;

export interface Drift {
  /** Growth of the offset: 1e-6 is one part per million. Positive when the client's clock is fast. */
  readonly rate: number;
  readonly uncertainty: number;
}

export class OffsetWindow {
  // Blocks, oldest first, as three arrays of plain numbers: 24 bytes a block, however many clients there are.
  #starts: number[] = [];
  /** When the largest offset of the block was measured, on the server's monotonic clock. */
  #times: number[] = [];
  #offsets: number[] = [];
  #blockMs = FIRST_BLOCK_MS;
  /** The largest recent offset, carried to `#bestAtMs`. */
  #bestMs = Number.NEGATIVE_INFINITY;
  #bestAtMs = 0;
  #carryRate = 0;
  #resolutionMs = 0;

  /** What the coarsest stamp so far leaves open; the true offset may be larger by that. */
  get resolutionMs(): number {
    return this.#resolutionMs;
  }

  add(atMs: number, offsetMs: number, resolutionMs: number): void {
    this.#resolutionMs = Math.max(this.#resolutionMs, resolutionMs);
    const last = this.#starts.length - 1;
    if (last < 0 || atMs - (this.#starts[last] ?? 0) >= this.#blockMs) {
      if (this.#starts.length === MAX_BLOCKS) this.#makeRoom();
      this.#starts.push(atMs);
      this.#times.push(atMs);
      this.#offsets.push(offsetMs);
      this.#findBest(atMs);
      return;
    }
    if (offsetMs > (this.#offsets[last] ?? 0)) {
      this.#offsets[last] = offsetMs;
      this.#times[last] = atMs;
    }
    if (offsetMs > this.best(atMs)) {
      this.#bestMs = offsetMs;
      this.#bestAtMs = atMs;
    }
  }

  /** The offset now, by the recent measurement that was delayed least; -Infinity when there is none. */
  best(nowMs: number): number {
    return this.#bestMs + this.#carryRate * (nowMs - this.#bestAtMs);
  }

  /** The rate with its uncertainty; `undefined` while there are too few measurements. */
  drift(): Drift | undefined {
    const count = this.#starts.length;
    if (count < MIN_DRIFT_BLOCKS) return undefined;
    const [firstTime = 0] = this.#times;
    const [firstOffset = 0] = this.#offsets;
    // From the first one on, so that squares lose no digits.
    const points = this.#times.map((time, index) => ({
      x: time - firstTime,
      y: (this.#offsets[index] ?? 0) - firstOffset,
      weight: 1,
    }));
    const { slope, slopeDeviation, slopePerUnitError, correlation } = fitLine(points);
    // Each stamp was cut off somewhere below its resolution: half of it either way.
    const rounding = slopePerUnitError * (this.#resolutionMs / 2);
    return {
      rate: slope,
      uncertainty: confidence(count) * togetherness(correlation, count) * slopeDeviation + rounding,
    };
  }

  #findBest(nowMs: number): void {
    if (this.#times.length % CARRY_BLOCKS === 0) {
      const drift = this.drift();
      this.#carryRate = drift !== undefined && drift.uncertainty <= CARRYING_LIMIT ? drift.rate : 0;
    }
    this.#bestMs = Number.NEGATIVE_INFINITY;
    this.#bestAtMs = nowMs;
    const secondLast = this.#times.length - 2;
    for (let index = this.#times.length - 1; index >= 0; index--) {
      const ageMs = nowMs - (this.#times[index] ?? 0);
      // Blocks may be longer than what is recent: the last whole one counts in any case.
      if (ageMs > RECENT_MS && index < secondLast) break;
      this.#bestMs = Math.max(this.#bestMs, (this.#offsets[index] ?? 0) + this.#carryRate * ageMs);
    }
  }

  #makeRoom(): void {
    if (this.#blockMs >= LAST_BLOCK_MS) {
      this.#starts.shift();
      this.#times.shift();
      this.#offsets.shift();
      return;
    }
    this.#blockMs *= 2;
    const better = (index: number): number =>
      (this.#offsets[index + 1] ?? 0) > (this.#offsets[index] ?? 0) ? index + 1 : index;
    const firsts = this.#starts.keys().filter((index) => index % 2 === 0);
    const kept = firsts.map((first) => ({ first, best: better(first) })).toArray();
    this.#starts = kept.map(({ first }) => this.#starts[first] ?? 0);
    this.#times = kept.map(({ best }) => this.#times[best] ?? 0);
    this.#offsets = kept.map(({ best }) => this.#offsets[best] ?? 0);
  }
}
