/**
 * Polls servers for years and says what time it is. Each server has its own schedule; what they say is
 * put together once an interval. Clock, timers, network, randomness and memory are passed in.
 */

import { type Clock, monoSeconds, readClocks, type Stamp, stepSeconds } from '@small-servers/shared/clock/clock';
import { formatOffset, formatSeconds } from '@small-servers/shared/clock/display';
import type { Timers } from '@small-servers/shared/clock/timers';
import type { Log } from '@small-servers/shared/daemon/log';
import { formatEndpoint } from '@small-servers/shared/server/peer';
import { Association, isUnsent, pollOutcome } from './association.ts';
import { addPoint, carryingRate, type DriftState, estimateDrift } from './drift.ts';
import type { ClockRate } from './filter.ts';
import type { PollMemory } from './poll-memory.ts';
import type { Outcome, ProbeEvent, Prober } from './probe.ts';
import { boundOf } from './sample.ts';
import { advance, FLOOR_SECONDS, type PollLimits, withJitter } from './schedule.ts';
import { type Selection, select } from './selection.ts';
import { verdictOf, verdictWords } from './verdict.ts';

export interface WatcherOptions {
  readonly servers: readonly { readonly name: string; readonly prober: Prober }[];
  readonly limits: PollLimits;
  readonly log: Log;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly memory: PollMemory;
  /** From 0 to 1. */
  random(): number;
}

interface NamedCandidate {
  readonly name: string;
  readonly offsetSeconds: number;
  readonly boundSeconds: number;
}

/** What is known now, for metrics and readiness. */
export interface ClockState {
  /** `undefined` before every server was asked once. */
  readonly selection: Selection<NamedCandidate> | undefined;
  readonly drift: ClockRate | undefined;
  readonly steps: number;
  readonly pollSeconds: number;
}

/** Requests to a server of which nothing is known yet: the one with the shortest delay counts. */
const FIRST_BURST = 4;

/** Less is the two clocks being read one after the other, or slewing. */
const LEAST_STEP_SECONDS = 10e-3;
const SLEWING_RATE = 500e-6;

/** What a server said longer ago than this does not count any more. */
const STALE_SECONDS = 86_400;

/** A remembered time further ahead than this was written by a clock that was wrong. */
const LONGEST_REMEMBERED_SECONDS = 86_400 * 1.05;

export class Watcher {
  readonly associations: readonly Association[];
  readonly #options: WatcherOptions;
  readonly #stopped = new AbortController();
  readonly #polls = new Set<Promise<void>>();
  #driftState: DriftState = [];
  #lastPointSeconds = 0;
  #clocks: Stamp;
  /** `undefined` before the first polls are through. */
  #selection: Selection<NamedCandidate> | undefined;
  #steps = 0;
  #offlineStep = 0;
  #lastExchangeMs: number | undefined;
  #cancelClock: (() => void) | undefined;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#clocks = readClocks(options.clock);
    this.associations = options.servers.map(({ name, prober }) => new Association(name, prober, options.limits));
    for (const association of this.associations) this.#plan(association, this.#remembered(association));
  }

  get state(): ClockState {
    return {
      selection: this.#selection,
      drift: estimateDrift(this.#driftState),
      steps: this.#steps,
      pollSeconds: this.#intervalSeconds(),
    };
  }

  /** Delay of the last exchange that was accepted; `undefined` until there is one. */
  get lastExchangeMs(): number | undefined {
    return this.#lastExchangeMs;
  }

  /** Ends every timer and every exchange; resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#cancelClock?.();
    for (const association of this.associations) association.cancel();
    await Promise.all(this.#polls);
  }

  /** How long to wait for a server that was asked before this process began; 0 when it may be asked now. */
  #remembered({ name }: Association): number {
    const poll = this.#options.memory.recall(name);
    if (poll === undefined) return 0;
    const waitSeconds = Date.parse(poll.notBefore) / 1000 - Number(this.#clocks.wallNs) / 1e9;
    return Math.min(Math.max(0, waitSeconds), LONGEST_REMEMBERED_SECONDS);
  }

  #plan(association: Association, waitSeconds: number): void {
    association.cancel();
    association.nextPollSeconds = this.#nowSeconds() + waitSeconds;
    association.cancel = this.#options.timers.after(waitSeconds, () => {
      const poll = this.#poll(association).finally(() => this.#polls.delete(poll));
      this.#polls.add(poll);
    });
  }

  async #poll(association: Association): Promise<void> {
    const { limits, memory, random } = this.#options;
    const { name } = association;
    this.#noticeStep();
    association.polling = true;
    association.lastPollSeconds = this.#nowSeconds();
    const lastPollAt = this.#timeIn(0);
    // On disk before the first packet leaves: a crash right after it must not lead to another one.
    await memory.remember(name, { lastPollAt, notBefore: this.#timeIn(association.schedule.minPollSeconds) });
    if (this.#stopped.signal.aborted) return;

    const outcomes: Outcome[] = [];
    let surprise = false;
    await association.prober.run({
      samples: association.sampled ? 1 : FIRST_BURST,
      attempts: 1,
      signal: this.#stopped.signal,
      onEvent: (event) => {
        outcomes.push(event.outcome);
        surprise = this.#take(association, event) || surprise;
      },
    });
    if (this.#stopped.signal.aborted) return;

    const { schedule, waitSeconds } = advance(association.schedule, pollOutcome(outcomes, surprise), limits);
    const jittered = withJitter(waitSeconds, random());
    if (schedule.dropped) this.#reportDrop(name, waitSeconds);
    association.schedule = schedule;
    association.polling = false;
    association.settled = true;
    this.#plan(association, jittered);
    this.#reportNetwork();
    const firstClock = this.#cancelClock === undefined && this.associations.every(({ settled }) => settled);
    if (firstClock) this.#updateClock();
    await memory.remember(name, this.#remark(association, lastPollAt, jittered));
  }

  /** What goes into the memory after a poll. */
  #remark(association: Association, lastPollAt: string, waitSeconds: number) {
    const { last, remote } = association;
    const sample = last?.kind === 'sample' ? last.sample : undefined;
    const { result, reason } = last === undefined ? {} : verdictOf(last);
    return {
      lastPollAt,
      notBefore: this.#timeIn(waitSeconds),
      address: remote && formatEndpoint(remote.address, remote.port),
      result,
      reason,
      offsetSeconds: sample?.offsetSeconds,
      boundSeconds: sample && boundOf(sample),
      delaySeconds: sample?.delaySeconds,
      stratum: sample?.stratum,
    };
  }

  /** Takes in what one request brought, and logs it. True when it was a surprise. */
  #take(association: Association, { outcome, remote, ignored }: ProbeEvent): boolean {
    association.remote = remote ?? association.remote;
    association.count(outcome);
    if (outcome.kind === 'sample') this.#lastExchangeMs = milliseconds(outcome.sample.delaySeconds);
    this.#reportPoll(association, { outcome, remote, ignored });
    const stepped = this.#noticeStep();
    // A sample that came with a step may have been taken on either side of it.
    return outcome.kind === 'sample' && !stepped && association.add(outcome.sample, this.#rate());
  }

  /** Looks whether the wall clock was set since the last look; if so, all that was measured against it goes. */
  #noticeStep(): boolean {
    const now = readClocks(this.#options.clock);
    const step = stepSeconds(this.#clocks, now);
    const elapsedSeconds = monoSeconds(now) - monoSeconds(this.#clocks);
    this.#clocks = now;
    if (Math.abs(step) <= LEAST_STEP_SECONDS + SLEWING_RATE * elapsedSeconds) return false;
    this.#steps += 1;
    this.#driftState = [];
    const message = `the local clock was set by ${formatOffset(step)}, or the machine slept: measuring anew`;
    this.#options.log.warn({ event: 'clock-stepped', stepMs: milliseconds(step) }, message);
    for (const association of this.associations) {
      association.forget();
      const { polling, schedule, lastPollSeconds } = association;
      if (polling || schedule.dropped || lastPollSeconds === undefined || schedule.failures > 0) continue;
      this.#plan(association, Math.max(0, lastPollSeconds + FLOOR_SECONDS - monoSeconds(now)) + this.#options.random());
    }
    return true;
  }

  #updateClock(): void {
    if (!this.#noticeStep()) this.#select();
    this.#cancelClock = this.#options.timers.after(this.#intervalSeconds(), () => this.#updateClock());
  }

  #select(): void {
    const nowSeconds = this.#nowSeconds();
    const rate = this.#rate();
    const estimates = this.associations.flatMap((association) => {
      const found = association.estimate(nowSeconds, rate);
      return found && nowSeconds - found.sample.atSeconds < STALE_SECONDS ? [{ association, found }] : [];
    });
    const candidates = estimates.map(({ association: { name }, found: { offsetSeconds, boundSeconds } }) => ({
      name,
      offsetSeconds,
      boundSeconds,
    }));
    const before = this.#selection?.kind;
    const selection = select(candidates);
    this.#selection = selection;
    if (selection.kind === 'selected') {
      const best = estimates.find(({ association }) => association.name === selection.truechimers[0]?.name)?.found;
      // One point for one measurement: the same sample carried forward is no second opinion.
      if (best !== undefined && best.sample.atSeconds > this.#lastPointSeconds) {
        this.#lastPointSeconds = best.sample.atSeconds;
        const { atSeconds, offsetSeconds } = best.sample;
        this.#driftState = addPoint(this.#driftState, { atSeconds, offsetSeconds, boundSeconds: boundOf(best.sample) });
      }
    }
    this.#reportClock(selection, before);
  }

  #reportPoll({ name }: Association, { outcome, remote, ignored }: ProbeEvent): void {
    const { log } = this.#options;
    const verdict = verdictOf(outcome);
    const sample = outcome.kind === 'sample' ? outcome.sample : undefined;
    const fields = {
      event: 'poll',
      ...(remote && { peer: formatEndpoint(remote.address, remote.port) }),
      server: name,
      result: verdict.result,
      ...(verdict.reason !== undefined && { reason: verdict.reason }),
      ...(sample && {
        offsetMs: milliseconds(sample.offsetSeconds),
        delayMs: milliseconds(sample.delaySeconds),
        boundMs: milliseconds(boundOf(sample)),
        stratum: sample.stratum,
      }),
      ...(ignored.length > 0 && { ignored: countOf(ignored) }),
    };
    const said = sample
      ? `offset ${formatOffset(sample.offsetSeconds)} +- ${formatSeconds(boundOf(sample))}`
      : [verdictWords(verdict), verdict.detail].filter((part) => part !== '').join(', ');
    // Without a packet sent there was no exchange; `no-network` says so for all servers at once.
    log[isUnsent(outcome) ? 'debug' : 'info'](fields, `${name}: ${said}`);
  }

  #reportClock(selection: Selection<NamedCandidate>, before: Selection<NamedCandidate>['kind'] | undefined): void {
    const { log } = this.#options;
    const drift = estimateDrift(this.#driftState);
    const used = selection.kind === 'selected' ? selection.truechimers.map(({ name }) => name) : [];
    const leftOut = this.associations
      .filter(({ name }) => !used.includes(name))
      .map((association) => ({ server: association.name, reason: whyLeftOut(association, selection) }));
    const fields = {
      event: 'clock',
      result: selection.kind,
      ...(selection.kind === 'selected' && {
        offsetMs: milliseconds(selection.offsetSeconds),
        boundMs: milliseconds(selection.boundSeconds),
      }),
      ...(drift && { driftPpm: ppm(drift.drift), driftUncertaintyPpm: ppm(drift.uncertainty) }),
      truechimers: used,
      leftOut,
      pollSeconds: this.#intervalSeconds(),
    };
    if (selection.kind === 'selected') {
      const offset = `offset ${formatOffset(selection.offsetSeconds)} +- ${formatSeconds(selection.boundSeconds)}`;
      const rate = drift ? `, drift ${ppm(drift.drift)} +- ${ppm(drift.uncertainty)} ppm` : '';
      log.info(fields, `${offset}${rate}, by ${used.length} of ${this.associations.length} servers`);
    } else if (selection.kind === 'no-majority') {
      log.warn(fields, 'no majority of the servers agrees on the time');
    } else {
      // Said once; as long as nothing changes `no-network` and the polls say the rest.
      log[before === 'no-candidates' ? 'debug' : 'warn'](fields, 'no server gives the time');
    }
  }

  /** Once for each step of the backoff while no packet can be sent to anybody, and once when that is over. */
  #reportNetwork(): void {
    const { log } = this.#options;
    const active = this.associations.filter(({ schedule }) => !schedule.dropped);
    const offline = active.length > 0 && active.every(({ last }) => last !== undefined && isUnsent(last));
    const step = offline ? Math.min(...active.map(({ schedule }) => schedule.failures)) : 0;
    if (step > this.#offlineStep) {
      const nextPollSeconds = Math.min(...active.map((association) => association.nextPollSeconds));
      const nextSeconds = Math.max(0, Math.round(nextPollSeconds - this.#nowSeconds()));
      const fields = { event: 'no-network', attempts: step, nextSeconds };
      log.warn(fields, `none of ${active.length} servers can be reached from here; next attempt in ${nextSeconds} s`);
    }
    if (!offline && this.#offlineStep > 0) log.info({ event: 'network-back' }, 'a server can be reached again');
    this.#offlineStep = step;
  }

  #reportDrop(server: string, waitSeconds: number): void {
    const message = `${server} wants no requests from here; asked again in ${waitSeconds / 3600} h`;
    this.#options.log.warn({ event: 'server-dropped', server, nextSeconds: waitSeconds }, message);
  }

  /** From one `clock` record to the next: as often as the server that is asked most often. */
  #intervalSeconds(): number {
    const active = this.associations.filter(({ schedule }) => !schedule.dropped);
    return Math.min(...active.map(({ schedule }) => schedule.pollSeconds), this.#options.limits.maxPollSeconds);
  }

  #rate(): ClockRate {
    return carryingRate(estimateDrift(this.#driftState));
  }

  #nowSeconds(): number {
    return monoSeconds({ monoNs: this.#options.clock.monoNs() });
  }

  #timeIn(seconds: number): string {
    const unixMs = Number(this.#options.clock.wallNs() / 1_000_000n) + seconds * 1000;
    return new Date(unixMs).toISOString();
  }
}

/** To the nanosecond. */
const milliseconds = (seconds: number): number => Math.round(seconds * 1e9) / 1e6;
const ppm = (rate: number): number => Math.round(rate * 1e9) / 1e3;

function countOf(words: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

/** Why a server has no part in the offset: a word for the `clock` record. */
function whyLeftOut({ name, sampled, last, schedule }: Association, selection: Selection<NamedCandidate>): string {
  if (schedule.dropped) return 'dropped';
  const candidates = selection.kind === 'no-majority' ? selection.candidates : [];
  if (candidates.some((candidate) => candidate.name === name)) return 'no-majority';
  if (sampled && selection.kind === 'selected' && selection.falsetickers.some((one) => one.name === name))
    return 'falseticker';
  if (sampled) return 'stale';
  if (last === undefined) return 'not-asked-yet';
  const { result, reason } = verdictOf(last);
  return reason ?? result;
}
