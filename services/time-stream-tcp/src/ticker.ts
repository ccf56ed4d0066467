/**
 * On the second, without drift: each tick is due at a whole multiple of the interval on the wall clock, reached by the
 * monotonic clock, and never at "the last one plus an interval".
 */
import type { Timers } from '@small-servers/shared/clock/timers';
import type { Moment, SteadyClock } from './steady-clock.ts';

export interface TickerOptions {
  readonly clock: SteadyClock;
  readonly timers: Timers;
  /** Divides a day best: 1000 is on the second. */
  readonly intervalMs: number;
  /**
   * @param dueMs the whole multiple of the interval, milliseconds since 1970
   * @param now just after it
   * @param skipped ticks before this one that were due while the process could not run
   */
  onTick(dueMs: number, now: Moment, skipped: number): void;
  /** The wall clock was set, forwards by a positive number; the next tick is on the clock as it is now. */
  onStep(stepMs: number): void;
}

export class Ticker {
  readonly #options: TickerOptions;
  readonly #forgetStep: () => void;
  #nextMs: number;
  /** When the timer is to come, on the monotonic clock. */
  #wakeMs = 0;
  #cancel: () => void = () => {};
  #stopped = false;

  /** Starts at once: the first tick is at the next whole multiple of the interval. */
  constructor(options: TickerOptions) {
    this.#options = options;
    const { clock, intervalMs, onStep } = options;
    this.#nextMs = (Math.floor(clock.now().wallMs / intervalMs) + 1) * intervalMs;
    this.#forgetStep = clock.onStep((stepMs) => {
      // Whoever finds the step, the tick that was planned on the old time is off. When it is found by that tick, which
      // is a little late as always, one of the same second on the new time is not too late.
      const now = clock.now();
      const lateMs = Math.max(0, now.monoMs - this.#wakeMs);
      this.#nextMs = this.#from(now.wallMs - Math.min(lateMs, intervalMs / 2));
      this.#arm();
      onStep(stepMs);
    });
    this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
    this.#forgetStep();
  }

  /** The first whole multiple that is not before `wallMs`. */
  #from(wallMs: number): number {
    const { intervalMs } = this.#options;
    return Math.ceil(wallMs / intervalMs) * intervalMs;
  }

  #arm(): void {
    this.#cancel();
    if (this.#stopped) return;
    const { clock, timers } = this.#options;
    const now = clock.now();
    const waitMs = Math.max(0, this.#nextMs - now.wallMs);
    this.#wakeMs = now.monoMs + waitMs;
    this.#cancel = timers.after(waitMs / 1000, () => this.#wake());
  }

  #wake(): void {
    const { clock, intervalMs, onTick } = this.#options;
    const now = clock.now();
    // A timer may come a moment early, and after a step the next tick is another one.
    if (now.wallMs >= this.#nextMs) {
      const skipped = Math.floor((now.wallMs - this.#nextMs) / intervalMs);
      const dueMs = this.#nextMs + skipped * intervalMs;
      this.#nextMs = dueMs + intervalMs;
      onTick(dueMs, now, skipped);
    }
    this.#arm();
  }
}
