import { expect, test } from 'vitest';
import { count } from '../../src/config/kinds.ts';
import { resolveSettings } from '../../src/config/layers.ts';
import { setting } from '../../src/config/settings.ts';
import { RunningConfiguration } from '../../src/daemon/running-configuration.ts';

const settings = {
  live: setting(count(), { default: 1, group: 'Limits', help: 'live', live: true }),
  fixed: setting(count(), { default: 1, group: 'Limits', help: 'fixed' }),
} as const;
const resolve = (environment: Record<string, string>) => resolveSettings('test', settings, { flags: [], environment });

test('what changes live has its new value and origin, what waits keeps both and names what waits', () => {
  const running = new RunningConfiguration('test', settings, resolve({}));
  running.apply(running.merge(resolve({ TEST_LIVE: '2', TEST_FIXED: '3' })));
  expect(running.config).toEqual({ live: 2, fixed: 1 });
  expect(running.describe()).toEqual({
    live: { value: 2, text: '2', origin: 'variable TEST_LIVE' },
    fixed: { value: 1, text: '1', origin: 'default', pending: '3' },
  });
  running.apply(running.merge(resolve({})));
  expect(running.describe()).toEqual({
    live: { value: 1, text: '1', origin: 'default' },
    fixed: { value: 1, text: '1', origin: 'default' },
  });
});
