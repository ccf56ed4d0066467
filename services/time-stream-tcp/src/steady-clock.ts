/**
 * This machine's two clocks as one: the monotonic clock with the distance to the wall clock beside it, and a word when
 * somebody sets the wall clock.
 */
import { type Clock, readClocks, type Stamp, stepSeconds } from '@small-servers/shared/clock/clock';

/** One moment on both clocks, in milliseconds; fractions are good to a microsecond. */
export interface Moment {
  /** Since 1970. */
  readonly wallMs: number;
  /** Since an arbitrary moment; never set. */
  readonly monoMs: number;
}

/** Both clocks are compared when a reading is older than this: a comparison costs as much as ten readings. */
const LOOK_EVERY_MS = 20;

/** Less is the two clocks being read one after the other, or the system slewing the wall clock: that is followed. */
const LEAST_STEP_MS = 10;
const SLEWING_RATE = 500e-6;

export class SteadyClock {
  readonly #clock: Clock;
  readonly #listeners = new Set<(stepMs: number) => void>();
  #looked: Stamp;
  #lookedMs: number;
  #wallMinusMonoMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#looked = readClocks(clock);
    this.#lookedMs = Number(this.#looked.monoNs) / 1e6;
    this.#wallMinusMonoMs = distanceMs(this.#looked);
  }

  /** Calls back when the wall clock was set: forwards by a positive number of milliseconds. The result ends that. */
  onStep(listener: (stepMs: number) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  now(): Moment {
    const monoMs = this.#clock.monoMs?.() ?? Number(this.#clock.monoNs()) / 1e6;
    if (monoMs - this.#lookedMs >= LOOK_EVERY_MS) this.#look();
    return { wallMs: monoMs + this.#wallMinusMonoMs, monoMs };
  }

  #look(): void {
    const looked = readClocks(this.#clock);
    const stepMs = stepSeconds(this.#looked, looked) * 1000;
    const elapsedMs = Number(looked.monoNs - this.#looked.monoNs) / 1e6;
    this.#looked = looked;
    this.#lookedMs = Number(looked.monoNs) / 1e6;
    this.#wallMinusMonoMs = distanceMs(looked);
    if (Math.abs(stepMs) <= LEAST_STEP_MS + SLEWING_RATE * elapsedMs) return;
    for (const listener of this.#listeners) listener(stepMs);
  }
}

const distanceMs = ({ wallNs, monoNs }: Stamp): number => Number(wallNs - monoNs) / 1e6;
