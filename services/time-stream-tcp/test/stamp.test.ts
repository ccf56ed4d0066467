import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseStamp } from '../src/stamp.ts';

const parse = (text: string) => {
  const bytes = Buffer.from(`<${text}>`, 'latin1');
  return parseStamp(bytes, 1, bytes.length - 1);
};
const at = (iso: string): number => Temporal.Instant.from(iso).epochMilliseconds;

describe('a stamp', () => {
  test('of the course: 19 bytes, whole seconds, no zone', () => {
    expect(parse('2026-11-20 10:00:00')).toEqual({
      text: '2026-11-20 10:00:00',
      fieldsMs: at('2026-11-20T10:00:00Z'),
      resolutionMs: 1000,
    });
  });

  test.each([
    ['2026-11-20T10:00:00Z', 0, 1000],
    ['2026-11-20t10:00:00z', 0, 1000],
    ['2026-11-20 10:00:00+02:00', 7_200_000, 1000],
    ['2026-11-20T10:00:00.1-0330', -12_600_000, 100],
    ['2026-11-20T10:00:00,123+05', 18_000_000, 1],
    ['2026-11-20T10:00:00.123456Z', 0, 0.001],
    ['2026-11-20T10:00:00.123456789-00:00', -0, 1e-6],
  ])('%s has its zone and its resolution', (text, zoneOffsetMs, resolutionMs) => {
    const stamp = parse(text);
    expect(stamp).toMatchObject({ text, zoneOffsetMs });
    expect('resolutionMs' in stamp && stamp.resolutionMs).toBeCloseTo(resolutionMs, 12);
  });

  test('every moment of ten thousand years is read as the calendar has it', () => {
    const years = {
      min: new Date('0000-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59.999Z'),
      noInvalidDate: true,
    };
    fc.assert(
      fc.property(fc.date(years), (date) => {
        expect(parse(date.toISOString())).toMatchObject({ fieldsMs: date.getTime() });
      }),
      { seed: 7, numRuns: 2000 },
    );
  });

  test('a leap second is the one after :59', () => {
    expect(parse('2016-12-31T23:59:60Z')).toMatchObject({ fieldsMs: at('2017-01-01T00:00:00Z') });
  });

  test.each([
    ['2026-02-29 10:00:00', 'no-such-date'],
    ['1900-02-29 10:00:00', 'no-such-date'],
    ['2026-00-10 10:00:00', 'no-such-date'],
    ['2026-13-01 10:00:00', 'no-such-date'],
    ['2026-11-31 10:00:00', 'no-such-date'],
    ['2026-11-20 24:00:00', 'no-such-time'],
    ['2026-11-20 10:60:00', 'no-such-time'],
    ['2026-11-20 10:00:61', 'no-such-time'],
    ['2026-11-20T10:00:00.Z', 'bad-fraction'],
    ['2026-11-20T10:00:00.1234567890Z', 'bad-fraction'],
    ['2026-11-20T10:00:00+24:00', 'bad-zone'],
    ['2026-11-20T10:00:00+02:60', 'bad-zone'],
    ['2026-11-20T10:00:00+2', 'bad-zone'],
    ['2026-11-20T10:00:00 seq', 'bad-pair'],
    ['2026-11-20T10:00:00 seq=', 'bad-pair'],
    ['2026-11-20T10:00:00 seq=1.5', 'bad-pair'],
    ['2026-11-20T10:00:00 seq=-1', 'bad-pair'],
    ['2026-11-20T10:00:00 seq=NaN', 'bad-pair'],
    ['2026-11-20T10:00:00 seq=9007199254740992', 'bad-pair'],
    ['2026-11-20T10:00:00 seq=1 seq=2', 'bad-pair'],
    ['2026-11-20T10:00:00 mono=1 mono=1', 'bad-pair'],
    ['2026-11-20T10:00:00 mono=123456789012345678901', 'bad-pair'],
    ['2026-11-20T10:00:00 host=\x1b[2J', 'bad-pair'],
    ['2026-11-20T10:00:00 host=\xff', 'bad-pair'],
  ])('%j is told what is wrong with it: %s', (text, problem) => {
    expect(parse(text)).toEqual({ problem });
  });

  test('pairs: seq and mono are read, others are kept as they are, spaces do not matter', () => {
    expect(parse('2026-11-20 10:00:00  seq=9007199254740991 mono=18446744073709551615 host=web-1  ')).toMatchObject({
      seq: 9007199254740991,
      mono: 2 ** 64,
      pairs: 'host=web-1',
    });
  });

  test('whatever stands behind the 19 bytes, it is read or told, never thrown', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (tail) => {
        const stamp = parse(`2026-11-20 10:00:00${Buffer.from(tail, 'utf8').toString('latin1')}`);
        expect('problem' in stamp || Number.isFinite(stamp.fieldsMs)).toBe(true);
      }),
      { seed: 11, numRuns: 2000 },
    );
  });
});
