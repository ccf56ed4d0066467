import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { plannedMessages, runOpenLoop } from '../../src/client/open-loop.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const never = (): AbortSignal => new AbortController().signal;

describe('runOpenLoop', () => {
  test('message k is sent at start + k / rate, the first one at once', async () => {
    const moments: number[] = [];
    const startMs = performance.now();
    const running = runOpenLoop({
      rate: 4,
      count: 5,
      durationMs: Number.POSITIVE_INFINITY,
      signal: never(),
      send: () => moments.push(performance.now() - startMs),
    });
    expect(moments).toEqual([0]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(moments).toEqual([0, 250, 500, 750, 1_000]);
    expect(await running).toEqual({ sent: 5, durationMs: 1_000, maxLatenessMs: 0 });
  });

  test('a duration ends it before the next message would be due', async () => {
    const sent: number[] = [];
    const running = runOpenLoop({
      rate: 10,
      count: Number.POSITIVE_INFINITY,
      durationMs: 1_000,
      signal: never(),
      send: (index) => sent.push(index),
    });
    await vi.advanceTimersByTimeAsync(10_000);
    expect((await running).sent).toBe(10);
    expect(sent).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('time lost is not taken out of the schedule: what is overdue goes out at once, and the delay is told', async () => {
    const time = { ms: 0 };
    const sent: number[] = [];
    const running = runOpenLoop({
      rate: 100,
      count: 50,
      durationMs: Number.POSITIVE_INFINITY,
      signal: never(),
      send: (index) => {
        sent.push(time.ms);
        if (index === 0) time.ms += 305;
      },
      clock: () => time.ms,
    });
    // 305 ms passed inside the first send: those due at 10, 20, ... 300 are sent now.
    expect(sent).toHaveLength(31);
    time.ms = 490;
    await vi.advanceTimersByTimeAsync(200);
    expect(await running).toEqual({ sent: 50, durationMs: 490, maxLatenessMs: 295 });
  });

  test('while it is late, replies and signals still have their turn', async () => {
    const interrupt = new AbortController();
    let sent = 0;
    const running = runOpenLoop({
      rate: 1_000_000,
      count: Number.POSITIVE_INFINITY,
      durationMs: Number.POSITIVE_INFINITY,
      signal: interrupt.signal,
      send: () => {
        sent += 1;
      },
      // A clock on which everything is always overdue.
      clock: () => sent + 1_000,
    });
    await setImmediate();
    const before = sent;
    await setImmediate();
    expect(sent).toBeGreaterThan(before);
    interrupt.abort();
    expect((await running).sent).toBe(sent);
  });

  test('an interrupt ends it between two messages, and nothing is sent afterwards', async () => {
    const interrupt = new AbortController();
    let sent = 0;
    const running = runOpenLoop({
      rate: 1,
      count: 10,
      durationMs: Number.POSITIVE_INFINITY,
      signal: interrupt.signal,
      send: () => {
        sent += 1;
      },
    });
    await vi.advanceTimersByTimeAsync(2_500);
    interrupt.abort();
    expect((await running).sent).toBe(3);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(sent).toBe(3);
  });

  test('interrupted before it starts it sends nothing', async () => {
    const result = await runOpenLoop({
      rate: 1,
      count: 10,
      durationMs: 1,
      signal: AbortSignal.abort(),
      send: () => {
        throw new Error('sent');
      },
    });
    expect(result.sent).toBe(0);
  });
});

describe('plannedMessages', () => {
  test.each([
    [{}, 10],
    [{ count: 3 }, 3],
    [{ durationMs: 2_500 }, 25],
    [{ durationMs: 1 }, 1],
    [{ count: 3, durationMs: 60_000 }, 3],
    [{ count: 1_000, durationMs: 1_000 }, 10],
  ])('%j plans %i', (asked, messages) => {
    expect(plannedMessages({ count: 0, durationMs: 0, rate: 10, ...asked })).toBe(messages);
  });
});
