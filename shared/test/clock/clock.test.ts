import { expect, test } from 'vitest';
import { systemClock } from '../../src/clock/clock.ts';

test('the monotonic clock in milliseconds is the one in nanoseconds, to the time that reading both takes', () => {
  for (let count = 0; count < 1_000; count++) {
    const before = Number(systemClock.monoNs()) / 1e6;
    const between = systemClock.monoMs?.() ?? Number.NaN;
    const after = Number(systemClock.monoNs()) / 1e6;
    // They were matched once, by readings that were close together.
    expect(between).toBeGreaterThan(before - 0.1);
    expect(between).toBeLessThan(after + 0.1);
  }
});
