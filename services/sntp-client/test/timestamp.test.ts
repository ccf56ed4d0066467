import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { difference, displayPivot, fromUnixNs, toUnixNs, unitsToSeconds, WRITTEN_UNIX_NS } from '../src/timestamp.ts';

const unixNs = (iso: string): bigint => BigInt(Date.parse(iso)) * 1_000_000n;

describe('a moment as a timestamp', () => {
  test.each([
    ['1900-01-01T00:00:00Z', 0n],
    ['1970-01-01T00:00:00Z', 0x83aa7e80_00000000n],
    ['2000-01-01T12:00:00.500Z', 0xbc186ac0_80000000n],
    ['2036-02-07T06:28:15.500Z', 0xffffffff_80000000n],
    ['2036-02-07T06:28:16Z', 0n],
    ['2036-02-07T06:28:17Z', 1n << 32n],
  ])('%s', (iso, expected) => {
    expect(fromUnixNs(unixNs(iso))).toBe(expected);
  });

  test('a fraction that rounds up to a whole second carries into the seconds', () => {
    expect(fromUnixNs(unixNs('1970-01-01T00:00:01Z') - 0n)).toBe(fromUnixNs(999_999_999n + 1n));
    // The last nanosecond of a second is 4.29 units below the next one.
    expect(difference(fromUnixNs(1_000_000_000n), fromUnixNs(999_999_999n))).toBe(4n);
  });

  test('before 1970 and before 1900 rounding goes the same way', () => {
    expect(difference(fromUnixNs(0n), fromUnixNs(-1n))).toBe(4n);
    const before1900 = unixNs('1899-12-31T23:59:59Z');
    expect(difference(0n, fromUnixNs(before1900))).toBe(1n << 32n);
  });
});

describe('eras', () => {
  test('a difference is right across the end of era 0', () => {
    const before = fromUnixNs(unixNs('2036-02-07T06:28:10Z'));
    const after = fromUnixNs(unixNs('2036-02-07T06:28:20Z'));
    expect(unitsToSeconds(difference(after, before))).toBe(10);
    expect(unitsToSeconds(difference(before, after))).toBe(-10);
  });

  test('the moment comes back in the era nearest to the pivot, whatever era that is', () => {
    for (const iso of [
      '1950-03-01T00:00:00Z',
      '2026-06-01T00:00:00Z',
      '2050-01-01T00:00:00Z',
      '2190-07-01T00:00:00Z',
    ]) {
      const moment = unixNs(iso);
      const pivot = moment - unixNs('2030-01-01T00:00:00Z') + unixNs('2000-01-01T00:00:00Z');
      expect(toUnixNs(fromUnixNs(moment), pivot)).toBe(moment);
    }
  });

  test('any nanosecond survives the way there and back within 68 years of the pivot', () => {
    const wide = 2n ** 60n;
    const near = 68n * 365n * 86_400n * 1_000_000_000n;
    fc.assert(
      fc.property(fc.bigInt(-wide, wide), fc.bigInt(-near, near), (moment, away) => {
        expect(toUnixNs(fromUnixNs(moment), moment + away)).toBe(moment);
      }),
      { seed: 1, numRuns: 2_000 },
    );
  });

  test('a clock that starts in 1970 does not make the year 1900 of 2036', () => {
    expect(displayPivot(0n)).toBe(WRITTEN_UNIX_NS);
    const server = unixNs('2040-01-01T00:00:00Z');
    expect(toUnixNs(fromUnixNs(server), displayPivot(0n))).toBe(server);
    expect(displayPivot(server)).toBe(server);
  });
});
