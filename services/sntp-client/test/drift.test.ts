import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../test/support/ntp-simulator.ts';
import { addPoint, carryingRate, type DriftState, estimateDrift } from '../src/drift.ts';

function line(count: number, everySeconds: number, rate: number, noise: () => number): DriftState {
  return Array.from({ length: count }, (_, index) => ({
    atSeconds: 1e6 + index * everySeconds,
    offsetSeconds: 3 + rate * index * everySeconds + noise(),
    boundSeconds: 0.01,
  })).reduce(addPoint, [] as DriftState);
}

describe('the slope', () => {
  test('of a straight line is its rate, and is known well', () => {
    const found = estimateDrift(line(20, 64, 42e-6, () => 0));
    expect(found?.drift).toBeCloseTo(42e-6, 12);
    expect(found?.uncertainty).toBeLessThan(1e-9);
  });

  test('of noisy points lies within its uncertainty in nearly all of 500 runs', () => {
    const random = seededRandom(5);
    let within = 0;
    for (let run = 0; run < 500; run++) {
      const rate = (random() - 0.5) * 200e-6;
      const found = estimateDrift(line(32, 64, rate, () => (random() - 0.5) * 0.004));
      if (found && Math.abs(found.drift - rate) <= found.uncertainty) within += 1;
    }
    expect(within).toBeGreaterThan(485);
  });

  test('is known better the longer it is looked at', () => {
    const random = seededRandom(6);
    const noise = (): number => (random() - 0.5) * 0.004;
    const short = estimateDrift(line(10, 64, 30e-6, noise))?.uncertainty ?? 0;
    const long = estimateDrift(line(64, 64, 30e-6, noise))?.uncertainty ?? 1;
    expect(long).toBeLessThan(short / 4);
  });

  test('is not told from few points or from a short time', () => {
    expect(estimateDrift(line(5, 1_000, 0, () => 0))).toBeUndefined();
    expect(estimateDrift(line(20, 16, 0, () => 0))).toBeUndefined();
  });
});

test('at most 64 points are kept', () => {
  expect(line(1_000, 64, 0, () => 0)).toHaveLength(64);
});

test('samples are carried by a drift that is known, and by none that is not', () => {
  expect(carryingRate(undefined)).toEqual({ drift: 0, uncertainty: 100e-6 });
  expect(carryingRate({ drift: 5e-6, uncertainty: 200e-6 })).toEqual({ drift: 0, uncertainty: 100e-6 });
  expect(carryingRate({ drift: 5e-6, uncertainty: 1e-6 })).toEqual({ drift: 5e-6, uncertainty: 16e-6 });
});
