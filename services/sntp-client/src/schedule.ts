/**
 * When to ask a server again, as a pure state machine: what happened goes in, the next state and the
 * time to wait come out. It never asks more often than the server bears, whatever the server does.
 */
import type { KissCode } from './acceptance.ts';

export interface PollLimits {
  readonly minPollSeconds: number;
  readonly maxPollSeconds: number;
}

export interface Schedule {
  /** Between two polls while all is well. */
  readonly pollSeconds: number;
  /** Raised by the server's wish (RATE); the configured one before. */
  readonly minPollSeconds: number;
  /** Polls in a row that brought nothing. */
  readonly failures: number;
  /** Polls in a row whose offset was as expected. */
  readonly steady: number;
  readonly everAnswered: boolean;
  /** DENY or RSTR without proof that the server sent it. */
  readonly denials: number;
  /** The server wants no more requests from us: asked again after a day. */
  readonly dropped: boolean;
}

export type PollOutcome =
  /** `surprise`: the offset was off by more than the jitter explains. */
  | { readonly kind: 'answered'; readonly surprise: boolean }
  /** Asked, and nothing usable came back. */
  | { readonly kind: 'lost' }
  /** Nothing could be sent: no address, no route. No server was troubled by it. */
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'kiss'; readonly code: KissCode; readonly authenticated: boolean };

export interface Step {
  readonly schedule: Schedule;
  /** Until the next poll, before jitter. */
  readonly waitSeconds: number;
}

/** No server is asked more often than this, whatever else is configured or computed. */
export const FLOOR_SECONDS = 15;
const UNREACHABLE_SECONDS = 16;
const DAY_SECONDS = 86_400;

/** Good polls before the interval is doubled. */
const STEADY_POLLS = 8;

/** Unproven refusals, with no proper answer ever, before a server is left alone. */
const DENIALS_TO_DROP = 3;

/** How many polls a RATE kiss silences. */
const RATE_POLLS = 4;

export function startSchedule({ minPollSeconds }: PollLimits): Schedule {
  return {
    pollSeconds: minPollSeconds,
    minPollSeconds,
    failures: 0,
    steady: 0,
    everAnswered: false,
    denials: 0,
    dropped: false,
  };
}

/** The state after a poll and the time to the next one. */
export function advance(schedule: Schedule, outcome: PollOutcome, limits: PollLimits): Step {
  // A server that was dropped was asked again after its day: it starts anew.
  const from = schedule.dropped ? startSchedule(limits) : schedule;
  switch (outcome.kind) {
    case 'answered':
      return afterAnswer(from, outcome.surprise, limits);
    case 'lost':
      return afterFailure(from, from.pollSeconds, limits);
    case 'unreachable':
      return afterFailure(from, Math.min(UNREACHABLE_SECONDS, from.pollSeconds), limits);
    case 'kiss':
      return outcome.code === 'RATE' ? afterRate(from, limits) : afterDenial(from, outcome.authenticated, limits);
  }
}

function afterAnswer(from: Schedule, surprise: boolean, { maxPollSeconds }: PollLimits): Step {
  const steady = surprise ? 0 : from.steady + 1;
  const raised = steady >= STEADY_POLLS;
  const factor = surprise ? 0.5 : raised ? 2 : 1;
  const pollSeconds = clamp(
    from.pollSeconds * factor,
    from.minPollSeconds,
    Math.max(maxPollSeconds, from.minPollSeconds),
  );
  const schedule = { ...from, pollSeconds, steady: raised ? 0 : steady, failures: 0, denials: 0, everAnswered: true };
  return { schedule, waitSeconds: pollSeconds };
}

/** The first failure waits as ever, each further one twice as long. */
function afterFailure(from: Schedule, baseSeconds: number, { maxPollSeconds }: PollLimits): Step {
  const longest = Math.max(maxPollSeconds, baseSeconds);
  // The exponent is bounded so that years without a network end in no Infinity.
  const waitSeconds = Math.min(longest, baseSeconds * 2 ** Math.min(from.failures, 20));
  const schedule = { ...from, failures: from.failures + 1, steady: 0 };
  return { schedule, waitSeconds: Math.max(FLOOR_SECONDS, waitSeconds) };
}

function afterRate(from: Schedule, { maxPollSeconds }: PollLimits): Step {
  const ceiling = Math.max(maxPollSeconds, from.minPollSeconds);
  const minPollSeconds = Math.min(ceiling, Math.max(2 * from.minPollSeconds, from.pollSeconds));
  const schedule = { ...from, minPollSeconds, pollSeconds: minPollSeconds, steady: 0, failures: from.failures + 1 };
  return { schedule, waitSeconds: RATE_POLLS * minPollSeconds };
}

function afterDenial(from: Schedule, authenticated: boolean, limits: PollLimits): Step {
  const denials = from.denials + 1;
  // Anybody on the way can send a refusal; a server that answers properly at times is not dropped for it.
  const dropped = authenticated || (!from.everAnswered && denials >= DENIALS_TO_DROP);
  const { schedule, waitSeconds } = afterFailure(from, from.pollSeconds, limits);
  return { schedule: { ...schedule, denials, dropped }, waitSeconds: dropped ? DAY_SECONDS : waitSeconds };
}

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

const LEAST_JITTER = 0.01;
const MOST_JITTER = 0.05;

/** 1 to 5% more, so that the clients of a server that was down do not come back all at once. `random` is from 0 to 1. */
export function withJitter(waitSeconds: number, random: number): number {
  return waitSeconds * (1 + LEAST_JITTER + (MOST_JITTER - LEAST_JITTER) * random);
}
