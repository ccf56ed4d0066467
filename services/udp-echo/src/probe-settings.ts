/** The flags of `udp-echo probe`. */
import { latencyLimitSettings } from '@small-servers/shared/client/latency-limits';
import { count, duration, type Kind, size, toggle } from '@small-servers/shared/config/kinds';
import { type ConfigOf, setting } from '@small-servers/shared/config/settings';
import { HEADER_BYTES, MAX_DATAGRAM_BYTES } from './probe-datagram.ts';

/** 0 to 100; `off` for no limit, since a limit of 0 is one. */
type Percentage = number | 'off';

const percentage: Kind<Percentage> = {
  allowed: '0 or a percentage from 0% to 100%, such as 0.1%, or off for no limit',
  placeholder: 'PERCENT',
  unitSuffix: '',
  list: false,
  parse: (text) => {
    if (text === 'off') return text;
    const match = /^(?:0|(\d{1,3}(?:\.\d{1,6})?)%)$/.exec(text);
    const value = Number(match?.[1] ?? 0);
    return match === null || value > 100 ? undefined : value;
  },
  format: (value) => (value === 'off' || value === 0 ? String(value) : `${value}%`),
  jsonSchema: { type: ['string', 'integer'], pattern: '^(0|off|\\d{1,3}(\\.\\d{1,6})?%)$', minimum: 0, maximum: 0 },
};

export const settings = {
  sizeBytes: setting(size({ min: HEADER_BYTES, max: MAX_DATAGRAM_BYTES }), {
    default: 64,
    group: 'Measuring',
    help: 'size of a datagram, without IP and UDP headers',
  }),
  rate: setting(count({ max: 1_000_000 }), {
    default: 10,
    group: 'Measuring',
    help: 'datagrams a second, sent on schedule whether or not earlier ones are back',
  }),
  intervalMs: setting(duration({ min: 0.001, off: true }), {
    default: 0,
    group: 'Measuring',
    help: 'time from one datagram to the next, in place of --rate',
  }),
  count: setting(count({ off: true }), { default: 0, group: 'Measuring', help: 'end after this many datagrams' }),
  durationMs: setting(duration({ off: true }), {
    default: 0,
    group: 'Measuring',
    help: 'end after this time; without --count and --duration after 10 datagrams',
  }),
  timeoutMs: setting(duration(), {
    default: 1_000,
    group: 'Measuring',
    help: 'what comes back later than this is late; also how long the last ones are waited for',
  }),
  sweep: setting(toggle(), {
    default: false,
    group: 'Measuring',
    help: 'find the largest size that returns, in place of measuring',
  }),
  maxLoss: setting(percentage, {
    default: 'off',
    group: 'Limits',
    help: 'exit with 2 if more is lost or late',
  }),
  ...latencyLimitSettings,
} as const;

export type ProbeConfig = ConfigOf<typeof settings>;
