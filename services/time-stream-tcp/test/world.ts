/**
 * Machines with clocks of their own in one virtual time: each wall clock may be wrong, run fast and be set, and what is
 * sent from one to the other takes the time that the test says. Ten minutes take a few milliseconds.
 */
import type { Clock } from '@small-servers/shared/clock/clock';
import type { Timers } from '@small-servers/shared/clock/timers';

/** 2026-11-20T10:00:00Z. */
export const START_MS = Date.UTC(2026, 10, 20, 10);

interface Event {
  readonly atMs: number;
  readonly run: () => void;
}

export class World {
  /** True time since the start. */
  #nowMs = 0;
  #events: Event[] = [];

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Calls back when so much true time has passed; the result cancels. */
  after(ms: number, run: () => void): () => void {
    const event = { atMs: this.#nowMs + Math.max(0, ms), run };
    const place = this.#events.findIndex(({ atMs }) => atMs > event.atMs);
    this.#events.splice(place === -1 ? this.#events.length : place, 0, event);
    return () => {
      this.#events = this.#events.filter((other) => other !== event);
    };
  }

  /** Lets true time pass, with everything that happens in it; promises may settle between two events. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settled();
    for (let next = this.#events[0]; next !== undefined && next.atMs <= untilMs; next = this.#events[0]) {
      this.#events.shift();
      this.#nowMs = next.atMs;
      next.run();
      await settled();
    }
    this.#nowMs = untilMs;
  }
}

/** Everything that waits for promises alone has run. */
const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

export interface MachineOptions {
  /** What its wall clock is ahead of true time at the start. */
  readonly aheadMs?: number;
  /** How much faster than true time it runs: 50e-6 is 50 ppm. */
  readonly driftRate?: number;
  /** What its timers are late by. */
  readonly timerLateMs?: () => number;
}

/** One machine's clocks and timers. */
export class Machine {
  readonly #world: World;
  readonly #rate: number;
  readonly #lateMs: () => number;
  #aheadMs: number;

  constructor(world: World, { aheadMs = 0, driftRate = 0, timerLateMs = () => 0 }: MachineOptions = {}) {
    this.#world = world;
    this.#rate = 1 + driftRate;
    this.#aheadMs = aheadMs;
    this.#lateMs = timerLateMs;
  }

  readonly clock: Clock = {
    wallNs: () => this.clock.monoNs() + BigInt(Math.round((START_MS + this.#aheadMs) * 1e6)),
    monoNs: () => BigInt(Math.round(this.#world.nowMs * this.#rate * 1e6)),
  };

  readonly timers: Timers = {
    after: (seconds, callback) => this.#world.after((seconds * 1000) / this.#rate + this.#lateMs(), callback),
  };

  /** Sets the wall clock, forwards by a positive number. */
  step(ms: number): void {
    this.#aheadMs += ms;
  }
}
