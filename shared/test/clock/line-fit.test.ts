import { describe, expect, test } from 'vitest';
import { fitLine } from '../../src/clock/line-fit.ts';

const points = (ys: readonly number[], weight = 1) => ys.map((y, x) => ({ x, y, weight }));

describe('a line through points', () => {
  test('through points on a line it is that line, surely', () => {
    expect(fitLine(points([1, 3, 5, 7]))).toMatchObject({ slope: 2, slopeDeviation: 0 });
  });

  test('points off the line make the slope as unsure as the textbook says', () => {
    // x 0 1 2 3, y 0 1 0 1: slope 0.2, residuals 0.2 to 0.6, deviation sqrt(0.8 / 2 / 5).
    const { slope, slopeDeviation } = fitLine(points([0, 1, 0, 1]));
    expect(slope).toBeCloseTo(0.2, 12);
    expect(slopeDeviation).toBeCloseTo(Math.sqrt(0.8 / 2 / 5), 12);
  });

  test('a point that is hardly known hardly counts', () => {
    const { slope } = fitLine([...points([0, 1, 2, 3]), { x: 4, y: 100, weight: 1e-9 }]);
    expect(slope).toBeCloseTo(1, 6);
  });

  test('errors that conspire change the slope by no more than it says', () => {
    const level = [0, 0, 0, 0, 0];
    const { slopePerUnitError } = fitLine(points(level));
    const conspiring = fitLine(points(level.map((_, x) => Math.sign(x - 2))));
    expect(conspiring.slope).toBeCloseTo(slopePerUnitError, 12);
  });
});
