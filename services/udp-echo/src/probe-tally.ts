/**
 * The account of a probe: what became of each datagram. Pure; told of every datagram sent and of every one returned.
 *
 * Every datagram sent ends up in exactly one of `received` (back within the time-out), `late` (back after it) and
 * `lost` (never back as it was sent): sent = received + late + lost. A datagram that comes back damaged does not say
 * which one it was, so it counts as `corrupted` and the one it was as `lost`.
 */
import { type RoundTripSummary, RoundTrips } from '@small-servers/shared/client/statistics';

export interface ProbeFigures {
  readonly sent: number;
  readonly received: number;
  readonly late: number;
  readonly lost: number;
  /** (lost + late) of sent, in percent; 0 when nothing was sent. */
  readonly lossPercent: number;
  /** Copies beyond the first of a datagram. */
  readonly duplicated: number;
  /** Came after one that was sent later (RFC 4737 section 3.3). */
  readonly reordered: number;
  /**
   * How far they came too late (RFC 4737 section 4.2.2): how many arrivals before it was the earliest of those that
   * had been sent after it. `null` when none was reordered.
   */
  readonly reorderExtent: { readonly max: number | null; readonly mean: number | null };
  readonly corrupted: number;
  /** Whole, but of another run or never sent. */
  readonly stray: number;
  /** Of those received in time. */
  readonly roundTripMs: RoundTripSummary;
  /** RFC 3550 section 6.4.1, over the round trips in the order they came back; `null` before the second. */
  readonly jitterMs: number | null;
}

/**
 * So many of the latest datagrams are known one by one. What comes back after a million others were sent is late
 * whatever the time-out says, and whether it is a second copy is not known any more.
 */
const REMEMBERED = 2 ** 20;

/** Arrivals remembered for the extent of reordering; an extent beyond is counted as this. */
const REMEMBERED_ARRIVALS = 2 ** 16;

export class ProbeTally {
  readonly #timeoutNs: number;
  readonly #roundTrips = new RoundTrips();
  /** Which of the latest datagrams came back, by sequence modulo the size. */
  readonly #returned = new Uint8Array(REMEMBERED);
  readonly #arrivals = new HighestArrivals();
  #sent = 0;
  #received = 0;
  #late = 0;
  #duplicated = 0;
  #reordered = 0;
  #extentSum = 0;
  #extentMax = 0;
  #corrupted = 0;
  #stray = 0;
  #jitterNs: number | null = null;
  #lastRoundTripNs: number | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutNs = timeoutMs * 1e6;
  }

  get sent(): number {
    return this.#sent;
  }

  /** Back at all, in time or late. */
  get back(): number {
    return this.#received + this.#late;
  }

  get corrupted(): number {
    return this.#corrupted;
  }

  /** The datagram with the next sequence (0, 1, 2, ...) is sent. */
  send(): number {
    const sequence = this.#sent;
    this.#returned[sequence % REMEMBERED] = 0;
    this.#sent += 1;
    return sequence;
  }

  /** A datagram came back as it was sent. */
  intact(sequence: number, roundTripNs: number): void {
    if (sequence >= this.#sent) {
      this.#stray += 1;
      return;
    }
    const forgotten = sequence < this.#sent - REMEMBERED;
    if (!forgotten && this.#returned[sequence % REMEMBERED] === 1) {
      this.#duplicated += 1;
      return;
    }
    if (!forgotten) this.#returned[sequence % REMEMBERED] = 1;
    this.#noteOrder(sequence);
    if (forgotten || roundTripNs > this.#timeoutNs) {
      this.#late += 1;
      return;
    }
    this.#received += 1;
    this.#roundTrips.record(roundTripNs);
    this.#noteJitter(roundTripNs);
  }

  damaged(): void {
    this.#corrupted += 1;
  }

  foreign(): void {
    this.#stray += 1;
  }

  #noteOrder(sequence: number): void {
    const extent = this.#arrivals.add(sequence);
    if (extent === 0) return;
    this.#reordered += 1;
    this.#extentSum += extent;
    this.#extentMax = Math.max(this.#extentMax, extent);
  }

  #noteJitter(roundTripNs: number): void {
    if (this.#lastRoundTripNs !== undefined) {
      const difference = Math.abs(roundTripNs - this.#lastRoundTripNs);
      const jitter = this.#jitterNs ?? 0;
      this.#jitterNs = jitter + (difference - jitter) / 16;
    }
    this.#lastRoundTripNs = roundTripNs;
  }

  figures(): ProbeFigures {
    const missing = this.#sent - this.#received;
    const reordered = this.#reordered;
    return {
      sent: this.#sent,
      received: this.#received,
      late: this.#late,
      lost: missing - this.#late,
      lossPercent: this.#sent === 0 ? 0 : Math.round((missing / this.#sent) * 1e6) / 1e4,
      duplicated: this.#duplicated,
      reordered,
      reorderExtent: {
        max: reordered === 0 ? null : this.#extentMax,
        mean: reordered === 0 ? null : Math.round((this.#extentSum / reordered) * 100) / 100,
      },
      corrupted: this.#corrupted,
      stray: this.#stray,
      roundTripMs: this.#roundTrips.summary(),
      jitterMs: this.#jitterNs === null ? null : Math.round(this.#jitterNs / 1e3) / 1e3,
    };
  }
}

/**
 * The order of arrivals. Each arrival with a higher sequence than all before it is a mark; the first mark above a
 * sequence is the earliest arrival of a datagram that was sent after it. Marks go up, so it is found by halving.
 */
class HighestArrivals {
  readonly #sequences = new Float64Array(REMEMBERED_ARRIVALS);
  readonly #positions = new Float64Array(REMEMBERED_ARRIVALS);
  #marks = 0;
  #arrived = 0;

  /** Notes an arrival; how many arrivals ago the first one came that was sent after it, or 0 when none did. */
  add(sequence: number): number {
    const position = this.#arrived;
    this.#arrived += 1;
    const highest = this.#marks === 0 ? -1 : this.#at(this.#sequences, this.#marks - 1);
    if (sequence > highest) {
      this.#sequences[this.#marks % REMEMBERED_ARRIVALS] = sequence;
      this.#positions[this.#marks % REMEMBERED_ARRIVALS] = position;
      this.#marks += 1;
      return 0;
    }
    let low = Math.max(0, this.#marks - REMEMBERED_ARRIVALS);
    let high = this.#marks - 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#at(this.#sequences, middle) > sequence) high = middle;
      else low = middle + 1;
    }
    return position - this.#at(this.#positions, low);
  }

  #at(values: Float64Array, mark: number): number {
    return values[mark % REMEMBERED_ARRIVALS] ?? 0;
  }
}
