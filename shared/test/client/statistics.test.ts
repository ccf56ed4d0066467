import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RoundTrips } from '../../src/client/statistics.ts';

function summaryOf(nanoseconds: readonly number[]) {
  const roundTrips = new RoundTrips();
  for (const value of nanoseconds) roundTrips.record(value);
  return roundTrips.summary();
}

describe('RoundTrips', () => {
  test('without any round trip there is nothing to say', () => {
    expect(new RoundTrips().count).toBe(0);
    expect(Object.values(summaryOf([]))).toEqual([null, null, null, null, null, null, null]);
  });

  test('the figures of 1 to 1000 ms are those of the textbook, to three significant figures', () => {
    const summary = summaryOf(Array.from({ length: 1_000 }, (_, index) => (index + 1) * 1e6));
    const expected = { min: 1, p50: 500, p90: 900, p99: 990, p999: 999, max: 1_000, mean: 500.5 };
    for (const [name, ms] of Object.entries(expected)) {
      const figure = summary[name as keyof typeof summary] ?? Number.NaN;
      expect(Math.abs(figure - ms) / ms, name).toBeLessThan(0.002);
    }
  });

  test('one slow round trip in a thousand shows in the maximum and not in the median', () => {
    const summary = summaryOf([...Array.from({ length: 999 }, () => 1e6), 5e9]);
    expect(summary.p50).toBeCloseTo(1, 2);
    expect(summary.p99).toBeCloseTo(1, 2);
    expect(summary.max).toBeCloseTo(5_000, -1);
  });

  test('figures never contradict one another, whatever was recorded, zero and hours included', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e13, noNaN: true }), { minLength: 1 }), (values) => {
        const { min, p50, p90, p99, p999, max } = summaryOf(values);
        const ascending = [min, p50, p90, p99, p999, max].map((ms) => ms ?? Number.NaN);
        // The bucket of a percentile may end above the largest value in it.
        return ascending.every((ms, index) => index === 0 || ms >= (ascending[index - 1] ?? 0) * 0.999 - 0.001);
      }),
    );
  });
});
