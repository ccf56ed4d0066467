/** Those who typed WATCH: one ticker for all of them, which runs only while there is somebody. */
import type { Timers } from '@small-servers/shared/clock/timers';
import type { Counters } from './counters.ts';
import { stepLine, timeLine } from './protocol.ts';
import type { SteadyClock } from './steady-clock.ts';
import { Ticker } from './ticker.ts';

/** The part of a connection that is written to. */
export interface Wire {
  readonly unsentBytes: number;
  write(text: string): void;
}

/** One that takes nothing gets no more than this; the lines left out show as a gap in seq. */
const MAX_WAITING_BYTES = 16 * 1024;

const INTERVAL_MS = 1_000;

export interface WatchersOptions {
  readonly clock: SteadyClock;
  readonly timers: Timers;
  readonly counters: Counters;
  /** The server's start, on the monotonic clock. */
  readonly startedMs: number;
}

export class Watchers {
  readonly #options: WatchersOptions;
  /** Each with the number of its next line. */
  readonly #next = new Map<Wire, number>();
  #ticker: Ticker | undefined;

  constructor(options: WatchersOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#next.size;
  }

  /** From the next second on. Who watches already goes on watching. */
  add(wire: Wire): void {
    if (!this.#next.has(wire)) this.#next.set(wire, 0);
    const { clock, timers } = this.#options;
    this.#ticker ??= new Ticker({
      clock,
      timers,
      intervalMs: INTERVAL_MS,
      onTick: () => this.#tick(),
      onStep: (stepMs) => this.#announce(stepLine(stepMs)),
    });
  }

  delete(wire: Wire): void {
    if (!this.#next.delete(wire) || this.#next.size > 0) return;
    this.#ticker?.stop();
    this.#ticker = undefined;
  }

  #tick(): void {
    const { clock, counters, startedMs } = this.#options;
    for (const [wire, seq] of this.#next) {
      this.#next.set(wire, seq + 1);
      if (wire.unsentBytes > MAX_WAITING_BYTES) {
        counters.watchLinesSkipped += 1;
        continue;
      }
      counters.watchLines += 1;
      // Read for each: with a thousand of them the last one is milliseconds after the first.
      const { wallMs, monoMs } = clock.now();
      wire.write(timeLine(wallMs, monoMs - startedMs, seq));
    }
  }

  #announce(line: string): void {
    for (const wire of this.#next.keys()) {
      if (wire.unsentBytes <= MAX_WAITING_BYTES) wire.write(line);
    }
  }
}
