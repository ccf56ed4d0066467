import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { advance, FLOOR_SECONDS, type PollOutcome, startSchedule, withJitter } from '../src/schedule.ts';

const limits = { minPollSeconds: 64, maxPollSeconds: 1024 };

/** Waits after each outcome. */
function waits(outcomes: readonly PollOutcome[], from = startSchedule(limits)): readonly number[] {
  let schedule = from;
  return outcomes.map((outcome) => {
    const step = advance(schedule, outcome, limits);
    schedule = step.schedule;
    return step.waitSeconds;
  });
}

const good: PollOutcome = { kind: 'answered', surprise: false };
const odd: PollOutcome = { kind: 'answered', surprise: true };
const lost: PollOutcome = { kind: 'lost' };
const unreachable: PollOutcome = { kind: 'unreachable' };
const kiss = (code: 'RATE' | 'DENY' | 'RSTR', authenticated = false): PollOutcome => ({
  kind: 'kiss',
  code,
  authenticated,
});
const times = <T>(count: number, value: T): readonly T[] => Array.from({ length: count }, () => value);

describe('while all is well', () => {
  test('the interval doubles after every eighth good poll, up to the longest', () => {
    const all = waits(times(64, good));
    expect(all[6]).toBe(64);
    expect(all[7]).toBe(128);
    expect(all[15]).toBe(256);
    expect(all[23]).toBe(512);
    expect(all[31]).toBe(1024);
    expect(all[63]).toBe(1024);
  });

  test('a surprise halves it at once, and never below the shortest', () => {
    const all = waits([...times(16, good), odd, odd, odd]);
    expect(all.slice(15)).toEqual([256, 128, 64, 64]);
  });
});

describe('when nothing comes back', () => {
  test('each further loss waits twice as long, up to the longest', () => {
    expect(waits(times(7, lost))).toEqual([64, 128, 256, 512, 1024, 1024, 1024]);
  });

  test('an answer ends the backoff', () => {
    expect(waits([lost, lost, lost, good])).toEqual([64, 128, 256, 64]);
  });

  test('without a network it tries sooner: no server is troubled by what can not be sent', () => {
    expect(waits(times(8, unreachable))).toEqual([16, 32, 64, 128, 256, 512, 1024, 1024]);
  });

  test('years of it overflow nothing', () => {
    expect(waits(times(10_000, lost)).at(-1)).toBe(1024);
  });
});

describe('kisses', () => {
  test('RATE doubles the shortest interval and silences four polls', () => {
    const first = advance(startSchedule(limits), kiss('RATE'), limits);
    expect(first.schedule.minPollSeconds).toBe(128);
    expect(first.waitSeconds).toBe(4 * 128);
    expect(advance(first.schedule, good, limits).waitSeconds).toBe(128);
  });

  test('RATE again and again ends at the longest interval', () => {
    expect(waits(times(9, kiss('RATE'))).at(-1)).toBe(4 * 1024);
  });

  test('unproven DENY drops a server at the third time if it never answered', () => {
    expect(waits(times(3, kiss('DENY'))).at(-1)).toBe(86_400);
  });

  test('unproven DENY never drops a server that answers at times: anybody can send one', () => {
    const all = waits([good, ...times(20, kiss('RSTR'))]);
    expect(Math.max(...all)).toBe(1024);
  });

  test('proven DENY drops at once, and a day later the server starts anew', () => {
    const dropped = advance(startSchedule(limits), kiss('DENY', true), limits);
    expect(dropped).toMatchObject({ waitSeconds: 86_400, schedule: { dropped: true } });
    expect(advance(dropped.schedule, good, limits)).toMatchObject({ waitSeconds: 64, schedule: { dropped: false } });
  });
});

test('whatever happens, no server is asked again within 15 s or left alone for longer than a day', () => {
  const outcome = fc.constantFrom<PollOutcome>(
    good,
    odd,
    lost,
    unreachable,
    kiss('RATE'),
    kiss('DENY'),
    kiss('RSTR', true),
  );
  fc.assert(
    fc.property(fc.array(outcome, { maxLength: 100 }), (outcomes) => {
      for (const wait of waits(outcomes)) {
        expect(wait).toBeGreaterThanOrEqual(FLOOR_SECONDS);
        expect(wait).toBeLessThanOrEqual(86_400);
      }
    }),
    { seed: 7, numRuns: 500 },
  );
});

test('jitter only ever adds, 1 to 5%', () => {
  expect(withJitter(100, 0)).toBeCloseTo(101);
  expect(withJitter(100, 1)).toBeCloseTo(105);
});
