import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatDurationMs,
  formatSizeBytes,
  parseCount,
  parseDurationMs,
  parseSizeBytes,
} from '../../src/config/units.ts';

// One seed: a failure is the same failure on every machine.
fc.configureGlobal({ seed: 862 });

describe('durations', () => {
  test('every unit is worth what its name says', () => {
    const durations = { '800us': 0.8, '250ms': 250, '1.5s': 1_500, '5m': 300_000, '1h': 3_600_000, '2d': 172_800_000 };
    for (const [text, ms] of Object.entries(durations)) expect(parseDurationMs(text), text).toBe(ms);
  });

  test('the largest unit that is exact is written', () => {
    const durations = {
      '90s': 90_000,
      '1h': 3_600_000,
      '1500us': 1.5,
      '1us': 0.001,
      '0ms': 0,
      '2147483647ms': 2 ** 31 - 1,
    };
    for (const [text, ms] of Object.entries(durations)) expect(formatDurationMs(ms), text).toBe(text);
  });

  test('what is written is read as the same duration, for every microsecond of the longest timer', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: (2 ** 31 - 1) * 1_000 }), (us) => {
        expect(parseDurationMs(formatDurationMs(us / 1_000))).toBe(us / 1_000);
      }),
    );
  });

  test.each([
    '30',
    '',
    'ms',
    '-1s',
    '+1s',
    '1 s',
    ' 1s',
    '1s ',
    '1e3s',
    '.5s',
    '1.s',
    '1S',
    '1sec',
    '0x1s',
    '1s1',
    '١s',
    '1constructor',
  ])('a duration with its unit is asked for: %j is none', (text) => expect(parseDurationMs(text)).toBeUndefined());
});

describe('sizes', () => {
  test('every unit is a power of 1024', () => {
    const sizes = { '100B': 100, '64KiB': 65_536, '1.5MiB': 1_572_864, '1GiB': 2 ** 30, '2TiB': 2 ** 41, '0B': 0 };
    for (const [text, bytes] of Object.entries(sizes)) expect(parseSizeBytes(text), text).toBe(bytes);
  });

  test('what is written is read as the same size, for every size a number holds exactly', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (bytes) => parseSizeBytes(formatSizeBytes(bytes)) === bytes));
  });

  test('a power of 1024 is written with its own unit', () => {
    expect([1, 2 ** 10, 2 ** 20, 2 ** 30, 2 ** 40, 65_536, 1_000].map(formatSizeBytes)).toEqual([
      '1B',
      '1KiB',
      '1MiB',
      '1GiB',
      '1TiB',
      '64KiB',
      '1000B',
    ]);
  });

  test.each(['64', '64KB', '64K', '64kib', '1.5B', '0.1KiB', '-1B', '9007199254740993B', '9007200TiB', '1__proto__'])(
    'whole bytes with an unmistakable unit are asked for: %j is none',
    (text) => expect(parseSizeBytes(text)).toBeUndefined(),
  );
});

describe('counts', () => {
  test('every whole number that a number holds exactly is read as itself', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (count) => parseCount(String(count)) === count));
  });

  test.each([
    '',
    '-1',
    '+1',
    '1.0',
    '1e3',
    '007',
    '0x10',
    ' 1',
    '1 ',
    '1_000',
    '9007199254740992',
    'NaN',
    'Infinity',
    '１',
  ])('%j is no count', (text) => expect(parseCount(text)).toBeUndefined());
});
