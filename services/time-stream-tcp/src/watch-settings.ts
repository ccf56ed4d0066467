/** The flags of `time-stream-tcp watch`. */
import { count, duration, toggle } from '@small-servers/shared/config/kinds';
import { type ConfigOf, setting } from '@small-servers/shared/config/settings';

export const settings = {
  count: setting(count({ off: true }), { default: 0, group: 'Measuring', help: 'end after this many lines' }),
  now: setting(toggle(), {
    default: false,
    group: 'Measuring',
    help: 'ask for the time once, at once, in place of watching',
  }),
  timeoutMs: setting(duration(), {
    default: 5_000,
    group: 'Measuring',
    help: 'time to connect, for an answer, and for the next line',
  }),
  maxOffsetMs: setting(duration({ min: 0.001, off: true }), {
    default: 0,
    group: 'Limits',
    help: 'exit with 2 if the two clocks are further apart',
  }),
} as const;

export type WatchConfig = ConfigOf<typeof settings>;
