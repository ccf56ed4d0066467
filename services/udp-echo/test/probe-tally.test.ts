import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProbeTally } from '../src/probe-tally.ts';

const MS = 1e6;

function tallyOf(sent: number, timeoutMs = 100): ProbeTally {
  const tally = new ProbeTally(timeoutMs);
  for (let index = 0; index < sent; index++) expect(tally.send()).toBe(index);
  return tally;
}

describe('the account of a probe', () => {
  test('nothing sent, nothing lost', () => {
    expect(new ProbeTally(100).figures()).toMatchObject({
      sent: 0,
      received: 0,
      lost: 0,
      lossPercent: 0,
      jitterMs: null,
    });
  });

  test('received, late and lost are all that was sent, whatever comes back', () => {
    const arrival = fc.record({ sequence: fc.integer({ min: 0, max: 30 }), ms: fc.integer({ min: 0, max: 200 }) });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 25 }), fc.array(arrival), (sent, arrivals) => {
        const tally = tallyOf(sent);
        for (const { sequence, ms } of arrivals) tally.intact(sequence, ms * MS);
        const figures = tally.figures();
        expect(figures.received + figures.late + figures.lost).toBe(sent);
        const known = arrivals.filter(({ sequence }) => sequence < sent);
        expect(figures.received + figures.late + figures.duplicated).toBe(known.length);
        expect(figures.stray).toBe(arrivals.length - known.length);
      }),
    );
  });

  test('what comes after the time-out is late and has no part in the round trips; both count as loss', () => {
    const tally = tallyOf(4);
    tally.intact(0, 100 * MS);
    tally.intact(1, 100.001 * MS);
    expect(tally.figures()).toMatchObject({ received: 1, late: 1, lost: 2, lossPercent: 75 });
    expect(tally.figures().roundTripMs.max).toBeCloseTo(100, 0);
  });

  test('a second copy is a duplicate, and neither received nor reordered again', () => {
    const tally = tallyOf(3);
    for (const sequence of [0, 1, 0, 2, 1]) tally.intact(sequence, MS);
    expect(tally.figures()).toMatchObject({ received: 3, duplicated: 2, reordered: 0 });
  });

  test('the extent of reordering is that of RFC 4737: back to the earliest that was sent later', () => {
    const tally = tallyOf(6);
    // 1 comes after 2, 3 and 4 (extent 3); 0 after 2, 3, 4 and 1 (extent 4).
    for (const sequence of [2, 3, 4, 1, 0, 5]) tally.intact(sequence, MS);
    expect(tally.figures()).toMatchObject({ reordered: 2, reorderExtent: { max: 4, mean: 3.5 } });
  });

  test('jitter is the smoothed difference of neighbours (RFC 3550)', () => {
    const tally = tallyOf(3);
    for (const [sequence, ms] of [10, 26, 26].entries()) tally.intact(sequence, ms * MS);
    // 16/16 after the second; 1 - 1/16 after the third.
    expect(tally.figures().jitterMs).toBe(0.938);
  });

  test('a datagram from more than a million ago is late, and no memory is kept for it', () => {
    const tally = new ProbeTally(100);
    for (let index = 0; index < 2 ** 20 + 10; index++) tally.send();
    tally.intact(3, MS);
    tally.intact(2 ** 20 + 9, MS);
    expect(tally.figures()).toMatchObject({ received: 1, late: 1 });
  });
});
