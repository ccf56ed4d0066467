import { expect, test } from 'vitest';
import { addSample, estimate, type FilterState } from '../src/filter.ts';
import { boundOf, type Sample } from '../src/sample.ts';

const sample = (atSeconds: number, offsetSeconds: number, delaySeconds: number): Sample => ({
  offsetSeconds,
  delaySeconds,
  dispersionSeconds: 0,
  rootDelaySeconds: 0.02,
  rootDispersionSeconds: 0.005,
  stratum: 2,
  leap: 0,
  referenceId: 0,
  atSeconds,
});

const filled = (...samples: readonly Sample[]): FilterState => samples.reduce(addSample, [] as FilterState);

test('the bound is half the way to the reference and back, and every dispersion', () => {
  expect(boundOf({ ...sample(0, 1, 0.03), dispersionSeconds: 0.001 })).toBeCloseTo(0.015 + 0.001 + 0.01 + 0.005, 12);
});

test('the sample with the shortest delay counts, and the others are its jitter', () => {
  const found = estimate(filled(sample(0, 0.1, 0.05), sample(0, 0.102, 0.01), sample(0, 0.105, 0.08)), 0);
  expect(found?.offsetSeconds).toBe(0.102);
  expect(found?.jitterSeconds).toBeCloseTo(Math.sqrt((0.002 ** 2 + 0.003 ** 2) / 2), 12);
  expect(found?.boundSeconds).toBeCloseTo(0.005 + 0.01 + 0.005 + (found?.jitterSeconds ?? 0), 12);
});

test('eight are kept: the ninth takes the place of the oldest, however good that was', () => {
  const later = Array.from({ length: 8 }, (_, index) => sample(index + 1, 2, 0.05));
  expect(estimate(filled(sample(0, 1, 0.001), ...later), 9)?.offsetSeconds).toBe(2);
  expect(filled(sample(0, 1, 0.001), ...later)).toHaveLength(8);
});

test('an old sample loses against a fresh one by what the clock may have run off meanwhile', () => {
  const both = filled(sample(0, 1, 0.01), sample(100, 2, 0.02));
  const known = { drift: 0, uncertainty: 15e-6 };
  expect(estimate(both, 100, known)?.offsetSeconds).toBe(1);
  expect(estimate(both, 100)?.offsetSeconds).toBe(2);
});

test('with a known drift a sample is carried along it', () => {
  const found = estimate(filled(sample(0, 1, 0.01)), 1_000, { drift: 20e-6, uncertainty: 1e-6 });
  expect(found?.offsetSeconds).toBeCloseTo(1.02, 12);
  expect(found?.boundSeconds).toBeCloseTo(0.005 + 0.01 + 0.005 + 0.001, 12);
});

test('without samples there is no estimate', () => {
  expect(estimate([], 0)).toBeUndefined();
});
