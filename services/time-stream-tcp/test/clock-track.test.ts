/** What a client's clock is worth, against clocks and networks of which the truth is known. */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../test/support/ntp-simulator.ts';
import { ClockTrack, type Judgement } from '../src/clock-track.ts';
import type { Step } from '../src/steps.ts';

/** A client of which everything is chosen. Times are true time in ms from 0; the server's clocks are right. */
interface Client {
  readonly seconds: number;
  readonly intervalMs?: number;
  readonly driftRate?: number;
  readonly resolutionMs?: number;
  /** What its wall clock was set by before the stamp of that moment. */
  readonly setMs?: (trueMs: number) => number;
  /** How long a stamp is under way. */
  readonly delayMs?: (trueMs: number) => number;
  readonly sendsMono?: boolean;
}

const WALL_AT_START_MS = Date.UTC(2026, 10, 20, 10);

function play({
  seconds,
  intervalMs = 1000,
  driftRate = 0,
  resolutionMs = 0.001,
  setMs = () => 0,
  delayMs = () => 0,
  sendsMono = false,
}: Client) {
  const track = new ClockTrack();
  const steps: Step[] = [];
  let arrivedMs = 0;
  for (let trueMs = 0; trueMs < seconds * 1000; trueMs += intervalMs) {
    const shownMs = WALL_AT_START_MS + trueMs * (1 + driftRate) + setMs(trueMs);
    // A stream keeps its order: nothing overtakes what is late.
    arrivedMs = Math.max(arrivedMs, trueMs + delayMs(trueMs));
    const { step } = track.add(
      {
        clientMs: Math.floor(shownMs / resolutionMs) * resolutionMs,
        resolutionMs,
        seq: undefined,
        clientMonoMs: sendsMono ? 5e6 + trueMs * (1 + driftRate) : undefined,
      },
      arrivedMs,
    );
    if (step !== undefined) steps.push(step);
  }
  const nowMs = seconds * 1000;
  return { track, steps, summary: track.summary({ monoMs: nowMs, wallMs: WALL_AT_START_MS + nowMs }) };
}

describe('offset', () => {
  test('of a perfect clock over a perfect network is nothing, as is its drift', () => {
    const { summary } = play({ seconds: 120 });
    expect(summary.offsetMs).toBeCloseTo(0, 2);
    expect(Math.abs(summary.drift?.rate ?? 1)).toBeLessThanOrEqual(summary.drift?.uncertainty ?? 0);
    expect(summary).toMatchObject({ stamps: 120, missedSeconds: 0, steps: 0, seqMissing: 0 });
  });

  test('is of the stamp that was delayed least, not of the mean', () => {
    const random = seededRandom(1);
    const { summary } = play({ seconds: 120, setMs: () => 250, delayMs: () => 1 + 40 * random() });
    expect(summary.offsetMs).toBeGreaterThan(250 - 4);
    expect(summary.offsetMs).toBeLessThanOrEqual(250);
    expect(summary.jitterMs).toBeGreaterThan(5);
  });

  test('of whole seconds is known to a second', () => {
    for (const aheadMs of [0, 400, 999, -300]) {
      const { summary } = play({ seconds: 60, resolutionMs: 1000, setMs: () => aheadMs });
      expect(summary.resolutionMs).toBe(1000);
      expect(summary.offsetMs).toBeLessThanOrEqual(aheadMs + 0.01);
      expect(summary.offsetMs + summary.resolutionMs).toBeGreaterThan(aheadMs - 0.01);
    }
  });
});

describe('drift', () => {
  /** How many of 100 seeds have the true drift within what the estimate claims; and the widest claim in ppm. */
  function coverage(client: (random: () => number) => Client): { within: number; widestPpm: number } {
    let within = 0;
    let widestPpm = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const options = client(seededRandom(seed));
      const { drift } = play(options).summary;
      if (drift === undefined) continue;
      widestPpm = Math.max(widestPpm, drift.uncertainty * 1e6);
      if (Math.abs(drift.rate - (options.driftRate ?? 0)) <= drift.uncertainty) within += 1;
    }
    return { within, widestPpm };
  }

  const client = { driftRate: 50e-6, seconds: 600 };

  test('50 ppm with 20 ms of one-sided jitter: within its uncertainty in 95 of 100 runs', () => {
    const { within, widestPpm } = coverage((random) => ({ ...client, delayMs: () => 20 * random() }));
    expect(within).toBeGreaterThanOrEqual(95);
    expect(widestPpm).toBeLessThan(12);
  });

  test('the same when most delays are short and a few are long', () => {
    const { within } = coverage((random) => ({ ...client, delayMs: () => -20 * Math.log(1 - random()) }));
    expect(within).toBeGreaterThanOrEqual(95);
  });

  test('the same when a delay is like the one before it', () => {
    const { within, widestPpm } = coverage((random) => {
      let queueMs = 10;
      const delayMs = (): number => {
        queueMs = 0.9 * queueMs + 0.1 * 40 * random();
        return queueMs;
      };
      return { ...client, delayMs };
    });
    expect(within).toBeGreaterThanOrEqual(95);
    expect(widestPpm).toBeLessThan(60);
  });

  test('of whole seconds it claims no more than whole seconds tell, whenever they are cut off', () => {
    for (const seconds of [60, 600, 3600]) {
      const { within } = coverage((random) => {
        const startMs = 1000 * random();
        return { driftRate: 50e-6, seconds, resolutionMs: 1000, intervalMs: 1001, setMs: () => startMs };
      });
      expect(within).toBe(100);
    }
  });

  test('is not told before there is enough to tell it from', () => {
    expect(play({ seconds: 7 }).summary.drift).toBeUndefined();
    expect(play({ seconds: 8 }).summary.drift).toBeDefined();
  });

  test('of a client that stays for a week is known well, in as little memory', () => {
    const random = seededRandom(3);
    const { summary } = play({
      seconds: 7 * 86_400,
      intervalMs: 10_000,
      driftRate: -12e-6,
      delayMs: () => 20 * random(),
    });
    expect((summary.drift?.rate ?? 0) * 1e6).toBeCloseTo(-12, 0);
    expect((summary.drift?.uncertainty ?? 1) * 1e6).toBeLessThan(1);
  });
});

describe('steps', () => {
  const HOUR_MS = 3_600_000;
  const random = seededRandom(9);
  const delayMs = () => 20 * random();

  test.each([
    ['microseconds', 0.001, false],
    ['microseconds and a monotonic clock', 0.001, true],
    ['whole seconds', 1000, false],
    ['whole seconds and a monotonic clock', 1000, true],
  ])('an hour forwards and an hour back are one step each: %s', (_name, resolutionMs, sendsMono) => {
    for (const by of [HOUR_MS, -HOUR_MS]) {
      const setMs = (trueMs: number): number => (trueMs >= 300_000 ? by : 0);
      const { steps, summary } = play({ seconds: 600, resolutionMs, sendsMono, delayMs, setMs });
      expect(steps).toHaveLength(1);
      expect(steps[0]?.witness).toBe(sendsMono ? 'mono' : 'arrival');
      expect(Math.abs((steps[0]?.stepMs ?? 0) - by)).toBeLessThan(25 + resolutionMs);
      expect(summary).toMatchObject({ steps: 1, missedSeconds: 0 });
      expect(Math.abs(summary.offsetMs - by)).toBeLessThan(25 + (resolutionMs === 1000 ? 1000 : 0));
    }
  });

  test('there and back are two', () => {
    const setMs = (trueMs: number): number => (trueMs >= 100_000 && trueMs < 200_000 ? HOUR_MS : 0);
    expect(play({ seconds: 300, setMs, delayMs }).steps.map(({ stepMs }) => Math.round(stepMs / HOUR_MS))).toEqual([
      1, -1,
    ]);
  });

  test('a network that stalls for half a minute and then delivers everything at once is no step', () => {
    for (const intervalMs of [1000, 100, 10]) {
      const stalled = (trueMs: number): number => (trueMs >= 50_000 && trueMs < 80_000 ? 80_000 - trueMs : 0);
      const { steps, summary } = play({ seconds: 120, intervalMs, delayMs: stalled });
      expect(steps).toEqual([]);
      expect(Math.abs(summary.offsetMs)).toBeLessThan(1);
    }
  });

  test('queues of up to 100 ms that come and go are no step', () => {
    const queue = seededRandom(4);
    const { steps } = play({ seconds: 3600, delayMs: () => (queue() < 0.5 ? 100 * queue() : 2) });
    expect(steps).toEqual([]);
  });

  test('a clock set back by less than its interval is a step once half a minute has shown that it is no delay', () => {
    const setMs = (trueMs: number): number => (trueMs >= 100_000 ? -500 : 0);
    expect(play({ seconds: 125, setMs, delayMs }).steps).toEqual([]);
    const { steps, summary } = play({ seconds: 300, setMs, delayMs });
    expect(steps).toHaveLength(1);
    expect(Math.abs((steps[0]?.stepMs ?? 0) + 500)).toBeLessThan(25);
    expect(summary.steps).toBe(1);
  });

  test('such a step is found although a queue hid it at first', () => {
    const setMs = (trueMs: number): number => (trueMs >= 100_000 ? -500 : 0);
    const queueMs = (trueMs: number): number => (trueMs >= 100_000 && trueMs < 110_000 ? 1_000 : 0);
    const { steps } = play({ seconds: 200, setMs, delayMs: queueMs });
    expect(steps).toEqual([{ stepMs: expect.closeTo(-500, 0), witness: 'arrival' }]);
  });

  test('with a monotonic clock 20 ms are seen at once, and no delay is taken for a step', () => {
    const setMs = (trueMs: number): number => (trueMs >= 10_000 ? -20 : 0);
    const { steps } = play({ seconds: 20, setMs, sendsMono: true, delayMs: (ms) => (ms % 7000 === 0 ? 900 : 0) });
    expect(steps).toEqual([{ stepMs: expect.closeTo(-20, 1), witness: 'mono' }]);
  });
});

describe('missed seconds', () => {
  test('are those between the first stamp and the last that no stamp showed', () => {
    const track = new ClockTrack();
    const stamp = (second: number): Judgement =>
      track.add(
        { clientMs: WALL_AT_START_MS + second * 1000, resolutionMs: 1000, seq: undefined, clientMonoMs: undefined },
        second * 1000,
      );
    const missed = (): number => track.summary({ monoMs: 0, wallMs: 0 }).missedSeconds;
    for (const second of [0, 1, 2]) stamp(second);
    expect(missed()).toBe(0);
    stamp(5);
    expect(missed()).toBe(2);
    stamp(5);
    stamp(6);
    expect(missed()).toBe(2);
  });

  test('a client that sends every five seconds misses none; ten a second miss none', () => {
    expect(play({ seconds: 60, intervalMs: 5000 }).summary.missedSeconds).toBe(0);
    expect(play({ seconds: 60, intervalMs: 100 }).summary.missedSeconds).toBe(0);
  });

  test('a loop that sleeps a second and a bit misses one second in a thousand', () => {
    const { summary } = play({ seconds: 2002.5, intervalMs: 1001, resolutionMs: 1000 });
    expect(summary.missedSeconds).toBe(2);
  });
});

describe('sequence numbers', () => {
  const sequence = (...numbers: number[]) => {
    const track = new ClockTrack();
    const arrivals = numbers.map(
      (seq, index) =>
        track.add({ clientMs: WALL_AT_START_MS + index, resolutionMs: 1, seq, clientMonoMs: undefined }, index).arrival,
    );
    const { seqMissing, seqDuplicates, seqReordered } = track.summary({ monoMs: 0, wallMs: 0 });
    return { arrivals, missing: seqMissing, duplicates: seqDuplicates, reordered: seqReordered };
  };

  test('that are missing, repeated and late are told apart', () => {
    expect(sequence(7, 8, 10, 9, 10, 13)).toEqual({
      arrivals: ['next', 'next', 'next', 'reordered', 'duplicate', 'next'],
      missing: 2,
      duplicates: 1,
      reordered: 1,
    });
  });

  test('of any size are counted', () => {
    const most = Number.MAX_SAFE_INTEGER;
    expect(sequence(0, most, most, 1)).toEqual({
      arrivals: ['next', 'next', 'duplicate', 'reordered'],
      missing: most - 1,
      duplicates: 1,
      reordered: 1,
    });
  });

  test('a stamp that came twice says nothing of the clock', () => {
    const track = new ClockTrack();
    const add = (seq: number, clientMs: number, atMs: number) =>
      track.add({ clientMs: WALL_AT_START_MS + clientMs, resolutionMs: 0.001, seq, clientMonoMs: undefined }, atMs);
    add(0, 0, 0);
    add(1, 1000, 1000);
    expect(add(0, 0, 1500)).toEqual({ arrival: 'duplicate', step: undefined });
    expect(track.summary({ monoMs: 1500, wallMs: WALL_AT_START_MS + 1500 })).toMatchObject({ steps: 0, stamps: 3 });
  });
});
