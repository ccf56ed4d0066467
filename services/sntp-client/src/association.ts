/** What the watcher knows of one server: its last samples, when to ask it next, and what it counted. */
import type { Remote } from './channel.ts';
import { addSample, type ClockRate, type Estimate, estimate, type FilterState } from './filter.ts';
import type { Outcome, Prober } from './probe.ts';
import { boundOf, type Sample } from './sample.ts';
import { type PollLimits, type PollOutcome, type Schedule, startSchedule } from './schedule.ts';
import { type PollResult, verdictOf } from './verdict.ts';

export class Association {
  readonly name: string;
  readonly prober: Prober;
  schedule: Schedule;
  remote: Remote | undefined;
  /** How the last request ended. */
  last: Outcome | undefined;
  /** By the monotonic clock; `undefined` before the first poll of this process. */
  lastPollSeconds: number | undefined;
  nextPollSeconds = 0;
  /** Whether a first poll has come to its end. */
  settled = false;
  polling = false;
  /** Cancels the timer of the next poll. */
  cancel: () => void = () => {};
  readonly counts = new Map<PollResult, number>();
  #filter: FilterState = [];

  constructor(name: string, prober: Prober, limits: PollLimits) {
    this.name = name;
    this.prober = prober;
    this.schedule = startSchedule(limits);
  }

  get sampled(): boolean {
    return this.#filter.length > 0;
  }

  estimate(nowSeconds: number, rate: ClockRate): Estimate | undefined {
    return estimate(this.#filter, nowSeconds, rate);
  }

  count(outcome: Outcome): void {
    const { result } = verdictOf(outcome);
    this.counts.set(result, (this.counts.get(result) ?? 0) + 1);
    this.last = outcome;
  }

  /** Keeps a sample; tells whether it is off by more than jitter, delay and the clock's rate explain. */
  add(sample: Sample, rate: ClockRate): boolean {
    const expected = this.estimate(sample.atSeconds, rate);
    this.#filter = addSample(this.#filter, sample);
    if (expected === undefined) return false;
    // Whichever of the two was longer under way can be off by as much as it was longer.
    const queued = Math.abs(sample.delaySeconds - expected.sample.delaySeconds);
    const ageSeconds = Math.max(0, sample.atSeconds - expected.sample.atSeconds);
    const explained =
      ALLOWED_JITTERS * expected.jitterSeconds + queued / 2 + rate.uncertainty * ageSeconds + ALLOWED_SECONDS;
    return Math.abs(sample.offsetSeconds - expected.offsetSeconds) > explained;
  }

  /** After the clock was set: what was measured against it is worth nothing. */
  forget(): void {
    this.#filter = [];
  }

  /** The sample with the least bound in itself, for reports. */
  get best(): Sample | undefined {
    return this.#filter.toSorted((a, b) => boundOf(a) - boundOf(b))[0];
  }
}

const ALLOWED_JITTERS = 4;
const ALLOWED_SECONDS = 100e-6;

/** Results for which no packet left this machine. */
const unsent: readonly Outcome['kind'][] = ['unresolved', 'unreachable'];

/** Whether nothing was asked at all: no name, no route. */
export function isUnsent(outcome: Outcome): boolean {
  return unsent.includes(outcome.kind) || (outcome.kind === 'key-exchange-failed' && outcome.problem === 'unreachable');
}

/** What the schedule has to know of a poll; a kiss counts for more than samples, samples for more than losses. */
export function pollOutcome(outcomes: readonly Outcome[], surprise: boolean): PollOutcome {
  const kiss = outcomes.find((outcome) => outcome.kind === 'kiss');
  if (kiss !== undefined) return kiss;
  if (outcomes.some(({ kind }) => kind === 'sample')) return { kind: 'answered', surprise };
  const nothingSent = outcomes.length > 0 && outcomes.every(isUnsent);
  return nothingSent ? { kind: 'unreachable' } : { kind: 'lost' };
}
