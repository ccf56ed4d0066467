import { describe, expect, test } from 'vitest';
import { ratiosPerRound, spreadOf, turnOrder } from './rounds.ts';

describe('turnOrder', () => {
  test('every peer has every place in the order once in as many rounds as there are peers', () => {
    const rounds = [0, 1, 2].map((round) => turnOrder(['a', 'b', 'c'], round).join(''));
    expect(rounds).toEqual(['abc', 'bca', 'cab']);
    expect(turnOrder(['a', 'b', 'c'], 4)).toEqual(['b', 'c', 'a']);
  });

  test('no peers are no turns', () => {
    expect(turnOrder([], 3)).toEqual([]);
  });
});

describe('spreadOf', () => {
  test('the median does not move with one wild figure', () => {
    expect(spreadOf([0.8, 9, 0.7])).toEqual({ median: 0.8, min: 0.7, max: 9 });
  });

  test('the median of an even number is the mean of the middle two, in numeric order', () => {
    expect(spreadOf([10, 9, 100, 1])).toEqual({ median: 9.5, min: 1, max: 100 });
  });
});

describe('ratiosPerRound', () => {
  test('figures are compared within a round, and rounds that lack one of the two are left out', () => {
    const ours = new Map([
      [0, 50],
      [1, 90],
      [2, 10],
    ]);
    const reference = new Map([
      [0, 100],
      [1, 120],
      [3, 100],
    ]);
    expect(ratiosPerRound(ours, reference)).toEqual([0.5, 0.75]);
  });

  test('a reference of zero gives no ratio', () => {
    expect(ratiosPerRound(new Map([[0, 1]]), new Map([[0, 0]]))).toEqual([]);
  });
});
