/**
 * A world of clocks in virtual time: a local clock with an offset and a drift, time servers that are right
 * or lie, and networks that delay each way differently, lose packets and are silent. A month takes a second.
 *
 * True time is known here, so a measurement's error is known too. Servers answer with real packets, and
 * what they send goes through the client's own parser and checks.
 */

import type { Clock } from '@small-servers/shared/clock/clock';
import { monoSeconds, stepSeconds } from '@small-servers/shared/clock/clock';
import type { Timers } from '@small-servers/shared/clock/timers';
import { judge } from '../../services/sntp-client/src/acceptance.ts';
import type { ExchangeOutcome } from '../../services/sntp-client/src/exchange.ts';
import { encodeHeader, modes, parsePacket } from '../../services/sntp-client/src/packet.ts';
import type { ProbeRun, Prober } from '../../services/sntp-client/src/probe.ts';
import { fromUnixNs } from '../../services/sntp-client/src/timestamp.ts';

/** A generator of numbers from 0 to 1 that gives the same ones for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** 2026-06-01T00:00:00Z. */
const START_UNIX_NS = 1_780_272_000_000_000_000n;

interface Event {
  readonly atNs: bigint;
  readonly order: number;
  readonly run: () => void;
}

/** True time, the local clock that drifts from it, and timers that run by the local monotonic clock. */
export class World {
  /** True time in nanoseconds since 1970. */
  #trueNs = START_UNIX_NS;
  readonly #driftRate: number;
  /** What the local wall clock is ahead of true time at the start, changed by steps. */
  #aheadNs: bigint;
  readonly #events: Event[] = [];
  #order = 0;

  /** @param driftRate how much faster than true time the local clock runs (1e-6 is 1 ppm) */
  constructor(options: { readonly aheadSeconds: number; readonly driftRate: number }) {
    this.#aheadNs = nanoseconds(options.aheadSeconds);
    this.#driftRate = options.driftRate;
  }

  readonly clock: Clock = {
    wallNs: () => START_UNIX_NS + this.clock.monoNs() + this.#aheadNs,
    monoNs: () => {
      const elapsed = this.#trueNs - START_UNIX_NS;
      return elapsed + BigInt(Math.round(Number(elapsed) * this.#driftRate));
    },
  };

  readonly timers: Timers = {
    after: (seconds, callback) => {
      const event = this.#schedule(seconds / (1 + this.#driftRate), callback);
      return () => {
        const index = this.#events.indexOf(event);
        if (index !== -1) this.#events.splice(index, 1);
      };
    },
  };

  get trueNs(): bigint {
    return this.#trueNs;
  }

  /** What must be added to the local clock to have true time: what a client should find. */
  get trueOffsetSeconds(): number {
    return Number(this.#trueNs - this.clock.wallNs()) / 1e9;
  }

  /** Sets the local clock. */
  step(seconds: number): void {
    this.#aheadNs += nanoseconds(seconds);
  }

  /** Lets true time pass without looking at any timer: time under way, within one exchange. */
  pass(seconds: number): void {
    this.#trueNs += nanoseconds(seconds);
  }

  #schedule(seconds: number, run: () => void): Event {
    const event = { atNs: this.#trueNs + nanoseconds(seconds), order: this.#order++, run };
    this.#events.push(event);
    return event;
  }

  /** Runs timers in their order until `seconds` of true time have passed; lets promises settle in between. */
  async run(seconds: number): Promise<void> {
    const endNs = this.#trueNs + nanoseconds(seconds);
    for (;;) {
      await settle();
      const next = this.#events.reduce<Event | undefined>(
        (first, event) =>
          first === undefined || event.atNs < first.atNs || (event.atNs === first.atNs && event.order < first.order)
            ? event
            : first,
        undefined,
      );
      if (next === undefined || next.atNs > endNs) break;
      this.#events.splice(this.#events.indexOf(next), 1);
      if (next.atNs > this.#trueNs) this.#trueNs = next.atNs;
      next.run();
    }
    if (endNs > this.#trueNs) this.#trueNs = endNs;
  }
}

/** Every promise that can settle without a timer has settled when this resolves. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function nanoseconds(seconds: number): bigint {
  return BigInt(Math.round(seconds * 1e9));
}

export interface Path {
  /** Least time under way, there and back, in seconds. */
  readonly thereSeconds: number;
  readonly backSeconds: number;
  /** Mean of the time in queues, drawn anew for each packet and way. */
  readonly queueSeconds: number;
  /** From 0 to 1. */
  readonly loss: number;
}

export interface SimulatedServer {
  readonly path: Path;
  /** How far its time is off from true time; what it does not say. */
  readonly lieSeconds?: number;
  readonly rootDelaySeconds?: number;
  readonly rootDispersionSeconds?: number;
  /** Takes the place of the answer. */
  readonly outcome?: () => ExchangeOutcome | undefined;
}

/** An exchange in virtual time: real packets, the client's own checks. */
export function exchange(world: World, server: SimulatedServer, random: () => number): ExchangeOutcome {
  const { path, lieSeconds = 0, rootDelaySeconds = 0, rootDispersionSeconds = 0 } = server;
  const instead = server.outcome?.();
  if (instead !== undefined) return instead;
  const stamp = () => ({ wallNs: world.clock.wallNs(), monoNs: world.clock.monoNs() });
  const underWay = (least: number): number => least - Math.log(1 - random()) * path.queueSeconds;
  const serverTime = (): bigint => fromUnixNs(world.trueNs + nanoseconds(lieSeconds));
  const origin = (BigInt(Math.floor(random() * 2 ** 32)) << 32n) | BigInt(Math.floor(random() * 2 ** 32));
  const sent = stamp();
  if (random() < path.loss) return { kind: 'timed-out' };
  world.pass(underWay(path.thereSeconds));
  const receive = serverTime();
  world.pass(random() * 1e-4);
  const bytes = encodeHeader({
    leap: 0,
    version: 4,
    mode: modes.server,
    stratum: 2,
    poll: 6,
    precision: -20,
    rootDelaySeconds,
    rootDispersionSeconds,
    referenceId: 0x7f000001,
    reference: receive - (16n << 32n),
    origin,
    receive,
    transmit: serverTime(),
  });
  world.pass(underWay(path.backSeconds));
  if (random() < path.loss) return { kind: 'timed-out' };
  const received = stamp();
  const parsed = parsePacket(bytes);
  const verdict = judge({
    packet: parsed.ok ? parsed.packet : parsed.problem,
    fromAskedServer: true,
    origin,
    answeredBefore: false,
    sentUnixNs: sent.wallNs,
    receivedUnixNs: received.wallNs,
    clockStepSeconds: stepSeconds(sent, received),
    sendSeconds: 0,
    atSeconds: monoSeconds(received),
  });
  return verdict.kind === 'accepted' ? { kind: 'sample', sample: verdict.sample } : verdict;
}

/** A server of the simulated world as the watcher asks it. `onOutcome` sees each before the watcher does. */
export function simulatedProber(
  world: World,
  server: SimulatedServer,
  random: () => number,
  onOutcome: (outcome: ExchangeOutcome) => void = () => {},
): Prober {
  return {
    run: async ({ samples, onEvent, signal }: ProbeRun) => {
      for (let index = 0; index < samples && !signal.aborted; index++) {
        const outcome = exchange(world, server, random);
        onOutcome(outcome);
        onEvent({ outcome, remote: { address: '192.0.2.1', port: 123 }, ignored: [] });
        if (outcome.kind !== 'sample') return;
        world.pass(2);
      }
    },
  };
}
