/** Asks several servers at once and makes one answer of what they say. */

import { monoSeconds, systemClock } from '@small-servers/shared/clock/clock';
import type { RejectionReason } from './acceptance.ts';
import type { Remote } from './channel.ts';
import { addSample, type Estimate, estimate, type FilterState } from './filter.ts';
import type { Outcome, ProbeEvent, Prober } from './probe.ts';
import { type Candidate, type Selection, select } from './selection.ts';

export interface Asked {
  readonly name: string;
  readonly prober: Prober;
}

export interface ServerResult {
  readonly name: string;
  /** The last address that was asked. */
  readonly remote: Remote | undefined;
  readonly estimate: Estimate | undefined;
  /** How the last attempt ended that was no sample; `undefined` when every request was answered. */
  readonly failure: Outcome | undefined;
  readonly ignored: readonly RejectionReason[];
}

export interface ServerCandidate extends Candidate {
  readonly estimate: Estimate;
}

export interface Answer {
  readonly servers: readonly ServerResult[];
  readonly selection: Selection<ServerCandidate>;
}

export interface QueryOptions {
  readonly samples: number;
  readonly attempts: number;
  readonly signal: AbortSignal;
  /** Called for each outcome. */
  onEvent(name: string, event: ProbeEvent): void;
}

/** Asks all servers at once; ends when the slowest has answered or given up. */
export async function query(asked: readonly Asked[], options: QueryOptions): Promise<Answer> {
  const collected = await Promise.all(asked.map((one) => collect(one, options)));
  // The moment of the last sample: time spent waiting for the silent makes nobody's word older.
  const times = collected.flatMap(({ filter }) => filter.map(({ atSeconds }) => atSeconds));
  const nowSeconds = times.length > 0 ? Math.max(...times) : monoSeconds({ monoNs: systemClock.monoNs() });
  const servers = collected.map(({ filter, ...rest }) => ({ ...rest, estimate: estimate(filter, nowSeconds) }));
  const candidates = servers.flatMap(({ name, estimate: found }) =>
    found === undefined
      ? []
      : [{ name, offsetSeconds: found.offsetSeconds, boundSeconds: found.boundSeconds, estimate: found }],
  );
  return { servers, selection: select(candidates) };
}

type Collected = Omit<ServerResult, 'estimate'> & { readonly filter: FilterState };

async function collect({ name, prober }: Asked, options: QueryOptions): Promise<Collected> {
  const { samples, attempts, signal, onEvent } = options;
  let filter: FilterState = [];
  let remote: Remote | undefined;
  let failure: Outcome | undefined;
  const ignored: RejectionReason[] = [];
  await prober.run({
    samples,
    attempts,
    signal,
    onEvent: (event) => {
      remote = event.remote ?? remote;
      ignored.push(...event.ignored);
      if (event.outcome.kind === 'sample') filter = addSample(filter, event.outcome.sample);
      else failure = event.outcome;
      onEvent(name, event);
    },
  });
  return { name, remote, failure, ignored, filter };
}
