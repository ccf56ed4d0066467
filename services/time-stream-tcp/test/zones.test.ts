import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Zone, zoneKind, zoneName } from '../src/zones.ts';

const berlin = () => new Zone('Europe/Berlin');
const fields = (text: string): number => Date.parse(`${text}Z`);

describe('the name of a zone', () => {
  test.each([
    ['UTC', 'UTC'],
    ['europe/berlin', 'Europe/Berlin'],
    ['+02:00', '+02:00'],
    ['-0330', '-03:30'],
    ['Berlin', undefined],
    ['', undefined],
    ['+25:00', undefined],
  ])('%j is %j', (text, name) => {
    expect(zoneName(text)).toBe(name);
    expect(zoneKind.parse(text)).toBe(name);
  });
});

describe('local times', () => {
  test('winter and summer', () => {
    expect(berlin().toUnixMs(fields('2026-11-20T10:00:00'), 0)).toBe(Date.UTC(2026, 10, 20, 9));
    expect(berlin().toUnixMs(fields('2026-07-01T10:00:00.250'), 0)).toBe(Date.UTC(2026, 6, 1, 8, 0, 0, 250));
    expect(new Zone('-03:30').toUnixMs(fields('2026-11-20T10:00:00'), 0)).toBe(Date.UTC(2026, 10, 20, 13, 30));
  });

  test('an hour that occurs twice is the one nearer to the server', () => {
    const twice = fields('2026-10-25T02:30:00');
    const [first, second] = [Date.UTC(2026, 9, 25, 0, 30), Date.UTC(2026, 9, 25, 1, 30)];
    expect(berlin().toUnixMs(twice, first + 600_000)).toBe(first);
    expect(berlin().toUnixMs(twice, second - 600_000)).toBe(second);
  });

  test('an hour that no clock shows is read with the offset before the change', () => {
    expect(berlin().toUnixMs(fields('2026-03-29T02:30:00'), 0)).toBe(Date.UTC(2026, 2, 29, 1, 30));
  });

  test('a client that goes through both changes of a year never seems to step', () => {
    for (const [from, until] of [
      [Date.UTC(2026, 2, 28), Date.UTC(2026, 2, 30)],
      [Date.UTC(2026, 9, 24), Date.UTC(2026, 9, 26)],
    ] as const) {
      const zone = berlin();
      for (let nowMs = from; nowMs < until; nowMs += 600_000) {
        const offset =
          Temporal.Instant.fromEpochMilliseconds(nowMs).toZonedDateTimeISO('Europe/Berlin').offsetNanoseconds;
        expect(zone.toUnixMs(nowMs + offset / 1e6, nowMs)).toBe(nowMs);
      }
    }
  });

  test('what is kept of the zone changes no answer, in whatever order times come', () => {
    const anywhere = fc.date({
      min: new Date('0000-01-02T00:00:00Z'),
      max: new Date('9999-12-30T00:00:00Z'),
      noInvalidDate: true,
    });
    const recent = fc.date({ min: new Date('2025-01-01'), max: new Date('2027-01-01'), noInvalidDate: true });
    for (const name of ['Europe/Berlin', 'America/St_Johns', 'Australia/Lord_Howe', 'UTC', '+05:45']) {
      fc.assert(
        fc.property(fc.array(fc.oneof(anywhere, recent), { minLength: 1, maxLength: 8 }), (dates) => {
          const kept = new Zone(name);
          for (const date of dates) {
            expect(kept.toUnixMs(date.getTime(), 0)).toBe(new Zone(name).toUnixMs(date.getTime(), 0));
          }
        }),
        { seed: 5, numRuns: 100 },
      );
    }
  });
});
