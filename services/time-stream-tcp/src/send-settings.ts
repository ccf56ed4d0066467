/** The flags of `time-stream-tcp send`. */
import { choice, count, duration, type Kind } from '@small-servers/shared/config/kinds';
import { type ConfigOf, setting } from '@small-servers/shared/config/settings';

const counted = count({ min: 0 });

/** `off` for no limit, since a limit of 0 is one. */
const maxCount: Kind<number | 'off'> = {
  ...counted,
  allowed: 'a whole number, 0 included, or off for no limit',
  parse: (text) => (text === 'off' ? text : counted.parse(text)),
  format: String,
};

export const settings = {
  intervalMs: setting(duration({ min: 10 }), {
    default: 1_000,
    group: 'Measuring',
    help: 'time between stamps, at whole multiples of it: 1s is on the second',
  }),
  format: setting(choice('iso', 'plain'), {
    default: 'iso',
    group: 'Measuring',
    help: 'microseconds, zone, seq, mono and a line end, or the 19 bytes of the course',
  }),
  count: setting(count({ off: true }), { default: 0, group: 'Measuring', help: 'end after this many stamps' }),
  timeoutMs: setting(duration(), { default: 5_000, group: 'Measuring', help: 'time to connect' }),
  giveUpAfterMs: setting(duration({ off: true }), {
    default: 0,
    group: 'Measuring',
    help: 'end when the server has been away for this time',
  }),
  maxMissed: setting(maxCount, { default: 'off', group: 'Limits', help: 'exit with 2 if more stamps were not sent' }),
} as const;

export type SendConfig = ConfigOf<typeof settings>;
