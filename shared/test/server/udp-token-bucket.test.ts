import fc from 'fast-check';
import { expect, test } from 'vitest';
import { burstOf, refill } from '../../src/server/token-bucket.ts';

test('a bucket fills at its rate, up to what one second allows', () => {
  expect(refill(0, 0, 500, 10)).toBe(5);
  expect(refill(8, 0, 500, 10)).toBe(10);
  expect(refill(0, 0, 1e9, 10)).toBe(10);
});

test('a clock that stands still or goes back adds nothing', () => {
  expect(refill(3, 1_000, 1_000, 10)).toBe(3);
  expect(refill(3, 1_000, 0, 10)).toBe(3);
});

test('a rate below one a second still lets one through', () => expect(burstOf(0.5)).toBe(1));

test('over any time no more goes through than burst plus rate times time', () => {
  const gaps = fc.array(fc.double({ min: 0, max: 2_000, noNaN: true }), { maxLength: 200 });
  fc.assert(
    fc.property(gaps, fc.integer({ min: 1, max: 1_000 }), (gapsMs, rate) => {
      let [tokens, nowMs, taken] = [burstOf(rate), 0, 0];
      for (const gapMs of gapsMs) {
        tokens = refill(tokens, nowMs, nowMs + gapMs, rate);
        nowMs += gapMs;
        if (tokens < 1) continue;
        tokens -= 1;
        taken += 1;
      }
      expect(taken).toBeLessThanOrEqual(burstOf(rate) + (nowMs * rate) / 1000 + 1e-6);
    }),
  );
});
