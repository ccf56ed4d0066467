/** The flags of `echo-tcp probe`. */

import type { RoundTripSummary } from '@small-servers/shared/client/statistics';
import { count, duration, size } from '@small-servers/shared/config/kinds';
import { type ConfigOf, setting } from '@small-servers/shared/config/settings';

const limit = (what: string) =>
  setting(duration({ min: 0.001, off: true }), {
    default: 0,
    group: 'Limits',
    help: `exit with 2 if ${what} takes longer`,
  });

export const settings = {
  connections: setting(count({ max: 10_000 }), { default: 1, group: 'Measuring', help: 'connections to spread over' }),
  sizeBytes: setting(size({ max: 16 * 1024 ** 2 }), { default: 64, group: 'Measuring', help: 'size of a message' }),
  rate: setting(count({ max: 1_000_000 }), {
    default: 10,
    group: 'Measuring',
    help: 'messages a second over all connections, sent on schedule whether or not replies are in',
  }),
  count: setting(count({ off: true }), { default: 0, group: 'Measuring', help: 'end after this many messages' }),
  durationMs: setting(duration({ off: true }), {
    default: 0,
    group: 'Measuring',
    help: 'end after this time; without --count and --duration after 10 messages',
  }),
  timeoutMs: setting(duration(), {
    default: 5_000,
    group: 'Measuring',
    help: 'time to connect, and to wait for the last replies',
  }),
  maxP50Ms: limit('half of the round trips'),
  maxP90Ms: limit('1 round trip in 10'),
  maxP99Ms: limit('1 round trip in 100'),
  maxP999Ms: limit('1 round trip in 1000'),
  maxRoundTripMs: limit('any round trip'),
} as const;

export type ProbeConfig = ConfigOf<typeof settings>;

/** Each limit with the figure it is held against. */
export const limits = [
  { flag: 'max-p50', property: 'maxP50Ms', figure: 'p50' },
  { flag: 'max-p90', property: 'maxP90Ms', figure: 'p90' },
  { flag: 'max-p99', property: 'maxP99Ms', figure: 'p99' },
  { flag: 'max-p999', property: 'maxP999Ms', figure: 'p999' },
  { flag: 'max-round-trip', property: 'maxRoundTripMs', figure: 'max' },
] as const satisfies readonly { flag: string; property: keyof ProbeConfig; figure: keyof RoundTripSummary }[];
