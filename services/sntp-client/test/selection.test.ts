import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { select } from '../src/selection.ts';

const candidates = (...pairs: readonly (readonly [offset: number, bound: number])[]) =>
  pairs.map(([offsetSeconds, boundSeconds], index) => ({ name: `s${index}`, offsetSeconds, boundSeconds }));

const names = (all: readonly { readonly name: string }[]): readonly string[] => all.map(({ name }) => name).sort();

describe('who agrees', () => {
  test('one server is its own majority, and its bound is the answer’s', () => {
    const answer = select(candidates([0.5, 0.1]));
    expect(answer).toMatchObject({ kind: 'selected', offsetSeconds: 0.5, boundSeconds: 0.1 });
  });

  test('one falseticker of four is named', () => {
    const answer = select(candidates([0, 0.1], [5, 0.1], [0.02, 0.1], [-0.05, 0.1]));
    expect(answer.kind).toBe('selected');
    if (answer.kind !== 'selected') return;
    expect(names(answer.falsetickers)).toEqual(['s1']);
    expect(names(answer.truechimers)).toEqual(['s0', 's2', 's3']);
    expect(Math.abs(answer.offsetSeconds)).toBeLessThan(0.1);
  });

  test('two against two is no majority', () => {
    expect(select(candidates([0, 0.1], [0.01, 0.1], [5, 0.1], [5.01, 0.1])).kind).toBe('no-majority');
  });

  test('each all alone is no majority', () => {
    expect(select(candidates([0, 0.1], [1, 0.1], [2, 0.1], [3, 0.1])).kind).toBe('no-majority');
  });

  test('two that disagree are no majority, two that overlap are', () => {
    expect(select(candidates([0, 0.1], [1, 0.1])).kind).toBe('no-majority');
    expect(select(candidates([0, 0.1], [0.15, 0.1])).kind).toBe('selected');
  });

  test('nobody is nobody', () => {
    expect(select([]).kind).toBe('no-candidates');
  });

  test('the one who knows better counts for more', () => {
    const answer = select(candidates([0, 0.001], [0.05, 0.1]));
    expect(answer.kind === 'selected' && Math.abs(answer.offsetSeconds)).toBeLessThan(0.001);
  });
});

const offset = fc.double({ min: -10, max: 10, noNaN: true });
const bound = fc.double({ min: 1e-6, max: 2, noNaN: true });

test('whatever fewer than half of the servers say, the bound holds', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(bound, fc.double({ min: -1, max: 1, noNaN: true })), { minLength: 1, maxLength: 9 }),
      fc.array(fc.tuple(offset, bound), { maxLength: 8 }),
      offset,
      (honest, liars, truth) => {
        // An honest server's interval holds the truth somewhere; a liar says anything.
        const right = honest.map(([width, place]) => [truth + place * width, width] as const);
        const lies = liars.slice(0, honest.length - 1);
        const answer = select(candidates(...right, ...lies));
        expect(answer.kind).toBe('selected');
        if (answer.kind !== 'selected') return;
        expect(Math.abs(answer.offsetSeconds - truth)).toBeLessThanOrEqual(answer.boundSeconds + 1e-9);
      },
    ),
    { seed: 3, numRuns: 5_000 },
  );
});

test('the order of the servers does not matter', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(offset, bound), { minLength: 1, maxLength: 8 }), (pairs) => {
      const forward = select(candidates(...pairs));
      const named = candidates(...pairs).toReversed();
      const backward = select(named);
      expect(backward.kind).toBe(forward.kind);
      if (forward.kind !== 'selected' || backward.kind !== 'selected') return;
      expect(names(backward.truechimers)).toEqual(names(forward.truechimers));
      expect(backward.offsetSeconds).toBeCloseTo(forward.offsetSeconds, 9);
    }),
    { seed: 4, numRuns: 1_000 },
  );
});
