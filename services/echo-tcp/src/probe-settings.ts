/** The flags of `echo-tcp probe`. */
import { latencyLimitSettings } from '@small-servers/shared/client/latency-limits';
import { count, duration, size } from '@small-servers/shared/config/kinds';
import { type ConfigOf, setting } from '@small-servers/shared/config/settings';

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
  ...latencyLimitSettings,
} as const;

export type ProbeConfig = ConfigOf<typeof settings>;
