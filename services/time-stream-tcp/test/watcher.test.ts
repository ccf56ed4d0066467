import { describe, expect, test } from 'vitest';
import { exchangeOf } from '../src/exchange.ts';
import type { LineEvents } from '../src/sender.ts';
import { SteadyClock } from '../src/steady-clock.ts';
import { type WatchedLine, Watcher, type WatcherOptions } from '../src/watcher.ts';
import { TestHost } from './host.ts';
import { Machine, type MachineOptions, World } from './world.ts';

describe('one question', () => {
  test('bounds the offset by half its round trip, however the time under way was split', () => {
    for (const thereMs of [0, 3, 10]) {
      const trueOffsetMs = 250;
      const asked = { wallMs: 1_000_000, monoMs: 5_000 };
      const answered = { wallMs: 1_000_010, monoMs: 5_010 };
      const exchange = exchangeOf(asked, 1_000_000 + thereMs + trueOffsetMs, answered, 0);
      expect(exchange.roundTripMs).toBe(10);
      expect(Math.abs(exchange.offsetMs - trueOffsetMs)).toBeLessThanOrEqual(exchange.boundMs);
    }
  });

  test('a local clock that is set in between does not make a wrong offset of it', () => {
    const exchange = exchangeOf({ wallMs: 0, monoMs: 100 }, 7_205, { wallMs: 7_210, monoMs: 110 }, 0);
    expect(exchange.offsetMs).toBe(0);
  });
});

/** A watcher on a machine of its own, and a session as its far end, 4 ms away each way. */
function start(options: Partial<WatcherOptions> = {}, machineOptions: MachineOptions = {}) {
  const world = new World();
  const server = new TestHost({}, world);
  const machine = new Machine(world, machineOptions);
  const lines: WatchedLine[] = [];
  const steps: number[] = [];
  const stop = new AbortController();
  const far: { events?: LineEvents & { onRead(): void } } = {};
  const say = (text: string): void => {
    far.events?.onRead();
    far.events?.onLine(text);
  };
  server.connection.write = (text) => void world.after(4, () => String(text).trimEnd().split('\r\n').forEach(say));
  const watcher = new Watcher({
    clock: new SteadyClock(machine.clock),
    timers: machine.timers,
    timeoutMs: 5_000,
    count: 0,
    now: false,
    signal: stop.signal,
    target: 'there',
    onLine: (line) => lines.push(line),
    onStep: (stepMs) => steps.push(stepMs),
    connect: async (events) => {
      far.events = events;
      return { unsentBytes: 0, write: (text) => void world.after(4, () => server.receive(text)), end: () => {} };
    },
    ...options,
  });
  return { world, server, machine, lines, steps, stop, say, far, run: watcher.run() };
}

describe('watching', () => {
  test('each line has the offset to the local clock, and a bound that holds', async () => {
    const { world, lines, run } = start({ count: 3 }, { aheadMs: -250 });
    await world.pass(3_500);
    await run;
    expect(lines.map(({ time, seq }) => [time, seq])).toEqual([
      ['2026-11-20T10:00:01.000000Z', 0],
      ['2026-11-20T10:00:02.000000Z', 1],
      ['2026-11-20T10:00:03.000000Z', 2],
    ]);
    for (const { offsetMs, boundMs, roundTripMs } of lines) {
      expect(roundTripMs).toBeCloseTo(8, 3);
      expect(Math.abs(offsetMs - 250)).toBeLessThanOrEqual(boundMs);
      expect(boundMs).toBeLessThan(4.1);
    }
  });

  test('--now is one question and no stream', async () => {
    const { world, lines, run } = start({ now: true });
    await world.pass(100);
    await run;
    expect(lines).toMatchObject([{ time: '2026-11-20T10:00:00.004000Z', seq: undefined }]);
  });

  test('a step of the far clock is told', async () => {
    const { world, server, steps, stop, run } = start();
    await world.pass(2_500);
    server.server.step(3_600_000);
    await world.pass(2_000);
    stop.abort();
    await run;
    expect(steps).toEqual([3_600_000]);
  });

  test.each([
    ['TIME', 'there: answered "TIME"; this is no time stream'],
    ['HTTP/1.1 400 Bad Request', 'no time stream'],
    ['\x1b[2J', '"\\u001b[2J"'],
    ['2026-11-20 10:00:00', 'no time stream'],
  ])('a far end that says %j is no time stream', async (text, message) => {
    const { say, run } = start({ now: true });
    await null;
    say(text);
    await expect(run).rejects.toMatchObject({ code: 'NOT_A_TIME_STREAM', message: expect.stringContaining(message) });
  });

  test('a far end that is silent or ends is told so', async () => {
    const silent = start({ timeoutMs: 5_000 });
    silent.server.connection.write = () => {};
    const timedOut = expect(silent.run).rejects.toMatchObject({ code: 'CONNECTION_TIMED_OUT' });
    await silent.world.pass(6_000);
    await timedOut;

    const ended = start();
    await null;
    ended.far.events?.onClosed();
    await expect(ended.run).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
  });
});
