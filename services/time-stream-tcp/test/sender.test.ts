/** `send` in virtual time: the schedule, what is missed, and how a lost connection is made again. */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../test/support/ntp-simulator.ts';
import { backoffMs } from '../src/backoff.ts';
import { type LineEvents, type SendEvent, Sender, type SenderOptions } from '../src/sender.ts';
import { SteadyClock } from '../src/steady-clock.ts';
import { TestHost } from './host.ts';
import { Machine, type MachineOptions, World } from './world.ts';

/** A sender on a machine of its own, and a far end that can go away. */
function start(options: Partial<SenderOptions> & { machine?: MachineOptions; onText?: (text: string) => void } = {}) {
  const world = new World();
  const machine = new Machine(world, options.machine);
  const stop = new AbortController();
  const events: SendEvent[] = [];
  const received: string[] = [];
  const farEnd = { up: true, attempts: 0, unsentBytes: 0, current: undefined as LineEvents | undefined };
  const sender = new Sender({
    clock: new SteadyClock(machine.clock),
    timers: machine.timers,
    intervalMs: 1000,
    format: 'iso',
    count: 0,
    giveUpAfterMs: 0,
    signal: stop.signal,
    random: () => 0.5,
    onEvent: (event) => events.push(event),
    connect: async (lineEvents) => {
      farEnd.attempts += 1;
      if (!farEnd.up) throw new Error('nobody is there');
      farEnd.current = lineEvents;
      return {
        get unsentBytes() {
          return farEnd.unsentBytes;
        },
        write: (text) => {
          received.push(text);
          options.onText?.(text);
        },
        end: () => {},
      };
    },
    ...options,
  });
  const goDown = (): void => {
    farEnd.up = false;
    farEnd.current?.onClosed();
  };
  return { world, machine, stop, events, received, farEnd, goDown, run: sender.run() };
}

const of = <E extends SendEvent['kind']>(events: readonly SendEvent[], name: E) =>
  events.filter((event): event is Extract<SendEvent, { kind: E }> => event.kind === name);

test('ten minutes are 600 stamps on the second, in order, and the server finds nothing wrong with them', async () => {
  const server = new TestHost();
  const random = seededRandom(5);
  const { world, stop, run, received } = start({
    machine: { driftRate: 20e-6, timerLateMs: () => 3 * random() },
    onText: (text) =>
      void server.world.after(world.nowMs + 1 + 10 * random() - server.world.nowMs, () => server.receive(text)),
  });
  for (let second = 0; second < 600; second++) {
    await world.pass(1000);
    await server.world.pass(1000);
  }
  await server.world.pass(100);
  stop.abort();
  expect(await run).toMatchObject({ sent: 600, missed: 0, reconnects: 0 });
  expect(received).toHaveLength(600);
  server.session.onClose();
  expect(server.of('stamp')).toHaveLength(600);
  const [summary] = server.of('clock-summary');
  expect(summary).toMatchObject({ missedSeconds: 0, seqMissing: 0, steps: 0, wrong: false });
  expect(Math.abs(Number(summary?.driftPpm) - 20)).toBeLessThanOrEqual(Number(summary?.driftUncertaintyPpm));
});

test('plain is the 19 bytes of the course and nothing else', async () => {
  const { world, run, received } = start({ format: 'plain', count: 2 });
  await world.pass(2_500);
  expect(await run).toMatchObject({ sent: 2 });
  for (const text of received) expect(text).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
});

test('ten a second are at whole tenths', async () => {
  const { world, run, received } = start({ intervalMs: 100, count: 3, machine: { aheadMs: 42 } });
  await world.pass(1_000);
  await run;
  expect(received.map((text) => text.slice(0, 34))).toEqual([
    '2026-11-20T10:00:00.100000Z seq=0 ',
    '2026-11-20T10:00:00.200000Z seq=1 ',
    '2026-11-20T10:00:00.300000Z seq=2 ',
  ]);
  const mono = received.map((text) => Number(/mono=(\d+)\n$/.exec(text)?.[1]));
  // A wall clock in doubles of milliseconds is known to a quarter of a microsecond.
  for (const [index, ns] of mono.entries()) expect(Math.abs(ns - (58 + 100 * index) * 1e6)).toBeLessThan(300);
});

describe('a server that goes away', () => {
  test('is tried again after ever longer waits; what was missed is said, its numbers are left out', async () => {
    const { world, stop, run, events, received, farEnd, goDown } = start();
    await world.pass(3_500);
    goDown();
    await world.pass(10_000);
    expect(of(events, 'disconnected')).toEqual([{ kind: 'disconnected', why: 'the server ended the connection' }]);
    const waits = of(events, 'waiting').map(({ waitMs }) => waitMs);
    expect(waits).toEqual([375, 750, 1500, 3000, 6000]);
    farEnd.up = true;
    await world.pass(10_000);
    const [again] = of(events, 'reconnected');
    expect(again).toMatchObject({ firstSeq: 3 });
    expect(again?.missed).toBe((again?.lastSeq ?? 0) - 3 + 1);
    const numbers = received.map((text) => Number(/seq=(\d+)/.exec(text)?.[1]));
    expect(numbers.slice(0, 4)).toEqual([0, 1, 2, (again?.lastSeq ?? 0) + 1]);
    stop.abort();
    const report = await run;
    expect(report).toMatchObject({ missed: again?.missed, reconnects: 1 });
    expect(report.sent + report.missed).toBe(23);
  });

  test('that was never there is an error at once', async () => {
    const { run, farEnd } = start({ connect: () => Promise.reject(new Error('nobody is there')) });
    await expect(run).rejects.toThrow('nobody is there');
    expect(farEnd.attempts).toBe(0);
  });

  test('for --give-up-after ends it, and says so', async () => {
    const { world, run, goDown } = start({ giveUpAfterMs: 5_000 });
    await world.pass(1_500);
    goDown();
    await world.pass(20_000);
    expect(await run).toMatchObject({ sent: 1, gaveUp: expect.stringContaining('gave up after') });
  });

  test('for a moment between two stamps: nothing was missed', async () => {
    const { world, stop, run, events, farEnd, goDown } = start({ random: () => 1 });
    await world.pass(3_100);
    goDown();
    farEnd.up = true;
    await world.pass(800);
    stop.abort();
    expect(await run).toMatchObject({ missed: 0, reconnects: 1 });
    expect(of(events, 'reconnected')).toMatchObject([{ missed: 0 }]);
  });

  test('waits double up to half a minute, less a random part of up to a half', () => {
    expect([0, 1, 2, 6, 7, 1000].map((attempt) => backoffMs(attempt, 0))).toEqual([
      500, 1_000, 2_000, 30_000, 30_000, 30_000,
    ]);
    expect(backoffMs(3, 1)).toBe(2_000);
  });
});

test('a server that takes nothing gets nothing more: what can not leave in time is missed', async () => {
  const { world, stop, run, farEnd, received } = start();
  await world.pass(2_500);
  farEnd.unsentBytes = 100_000;
  await world.pass(3_000);
  farEnd.unsentBytes = 0;
  await world.pass(1_000);
  stop.abort();
  expect(await run).toMatchObject({ sent: 3, missed: 3 });
  expect(received.at(-1)).toContain('seq=5');
});

test('stamps that were due while the process could not run are missed, and their numbers are left out', async () => {
  let lateMs = 0;
  const { world, stop, run, received } = start({ machine: { timerLateMs: () => lateMs } });
  await world.pass(1_500);
  lateMs = 3_000;
  await world.pass(600);
  lateMs = 0;
  await world.pass(10_000);
  stop.abort();
  const { sent, missed } = await run;
  expect(missed).toBeGreaterThanOrEqual(2);
  expect(sent + missed).toBe(Number(/seq=(\d+)/.exec(received.at(-1) ?? '')?.[1]) + 1);
});

test('what the server refuses is passed on', async () => {
  const { world, stop, run, events, farEnd } = start();
  await world.pass(1_500);
  farEnd.current?.onLine('ERR bad-zone: a zone is Z');
  farEnd.current?.onLine('hello');
  stop.abort();
  expect(await run).toMatchObject({ refused: 1 });
  expect(of(events, 'refused')).toEqual([{ kind: 'refused', line: 'ERR bad-zone: a zone is Z' }]);
});

test('the local clock being set is said, and stamps go on with the new time', async () => {
  const { world, machine, stop, run, events, received } = start();
  await world.pass(2_500);
  machine.step(-3_600_000);
  await world.pass(3_000);
  stop.abort();
  expect(await run).toMatchObject({ steps: 1, missed: 0 });
  expect(of(events, 'clock-stepped')).toEqual([{ kind: 'clock-stepped', stepMs: expect.closeTo(-3_600_000, 3) }]);
  expect(received.at(-1)).toContain('2026-11-20T09:00:05');
});
