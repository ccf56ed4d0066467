/** The flags of `sntp-client query`. */
import { count, duration, toggle } from '@small-servers/shared/config/kinds';
import { type ConfigOf, setting } from '@small-servers/shared/config/settings';
import { exchangeSettings } from './settings.ts';

export const settings = {
  nts: setting(toggle(), {
    default: false,
    group: 'Measuring',
    help: 'authenticate with NTS also the servers that are named without nts://',
  }),
  samples: setting(count({ max: 64 }), {
    default: 4,
    group: 'Measuring',
    help: 'requests to each server; the one that was disturbed least counts',
  }),
  intervalMs: setting(duration({ min: 1, max: 3_600_000 }), {
    default: 2_000,
    group: 'Measuring',
    help: 'from one request to the next; public servers take less than 2s for an attack',
  }),
  ...exchangeSettings,
  maxOffsetMs: setting(duration({ min: 0.001, off: true }), {
    default: 0,
    group: 'Limits',
    help: 'exit with 2 if the local clock is off by more',
  }),
} as const;

export type QueryConfig = ConfigOf<typeof settings>;
