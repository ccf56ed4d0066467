import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../test/support/ntp-simulator.ts';
import { SteadyClock } from '../src/steady-clock.ts';
import { Ticker } from '../src/ticker.ts';
import { Machine, type MachineOptions, START_MS, World } from './world.ts';

function tick(options: MachineOptions & { intervalMs?: number } = {}) {
  const world = new World();
  const machine = new Machine(world, options);
  const clock = new SteadyClock(machine.clock);
  const ticks: { dueMs: number; lateMs: number; skipped: number }[] = [];
  const steps: number[] = [];
  const ticker = new Ticker({
    clock,
    timers: machine.timers,
    intervalMs: options.intervalMs ?? 1000,
    onTick: (dueMs, { wallMs }, skipped) => ticks.push({ dueMs, lateMs: wallMs - dueMs, skipped }),
    onStep: (stepMs) => steps.push(stepMs),
  });
  return { world, machine, ticks, steps, ticker };
}

describe('on the second', () => {
  test('ten minutes are 600 ticks, each at a whole second, none skipped, with timers that are late or early', async () => {
    const random = seededRandom(1);
    const { world, ticks } = tick({ aheadMs: 345.6, timerLateMs: () => 30 * random() - 1 });
    await world.pass(600_000);
    expect(ticks).toHaveLength(600);
    for (const [index, { dueMs, lateMs, skipped }] of ticks.entries()) {
      expect(dueMs).toBe(START_MS + 1000 * (index + 1));
      expect(skipped).toBe(0);
      expect(lateMs).toBeGreaterThanOrEqual(0);
      expect(lateMs).toBeLessThan(31);
    }
  });

  test('ticks stay on the wall clock of a machine that drifts', async () => {
    const { world, ticks } = tick({ driftRate: 200e-6 });
    await world.pass(3_600_000);
    expect(ticks.at(-1)?.lateMs).toBeLessThan(0.01);
    expect(ticks).toHaveLength(3600);
  });

  test.each([3_600_000, -3_600_000, 1500.25, -300])(
    'a clock set by %d ms is told once, and ticks go on at once',
    async (by) => {
      const { world, machine, ticks, steps } = tick();
      await world.pass(10_500);
      machine.step(by);
      await world.pass(10_000);
      expect(steps).toEqual([expect.closeTo(by, 3)]);
      expect(ticks.length).toBeGreaterThanOrEqual(19);
      const after = ticks.at(-1)?.dueMs ?? 0;
      expect(after % 1000).toBe(0);
      expect(Math.abs(after - (START_MS + 20_500 + by))).toBeLessThanOrEqual(1000);
    },
  );

  test('a process that could not run says how many it left out, and catches up with none', async () => {
    let late = 0;
    const { world, ticks } = tick({ timerLateMs: () => late });
    await world.pass(2_000);
    late = 3_700;
    await world.pass(1);
    await world.pass(1_000);
    late = 0;
    await world.pass(20_000);
    expect(ticks.reduce((sum, { skipped }) => sum + skipped, 0)).toBeGreaterThanOrEqual(3);
    for (const [index, { dueMs, skipped }] of ticks.entries()) {
      if (index > 0) expect(dueMs - (ticks[index - 1]?.dueMs ?? 0)).toBe(1000 * (skipped + 1));
    }
  });

  test('ends when it is stopped', async () => {
    const { world, ticks, ticker } = tick({ intervalMs: 100 });
    await world.pass(1_050);
    ticker.stop();
    await world.pass(1_000);
    expect(ticks).toHaveLength(10);
  });
});

describe('the two clocks of a machine', () => {
  test('a wall clock that is slewed is followed and is no step', async () => {
    const world = new World();
    const machine = new Machine(world);
    const clock = new SteadyClock(machine.clock);
    const steps: number[] = [];
    clock.onStep((stepMs) => steps.push(stepMs));
    for (let second = 0; second < 100; second++) {
      machine.step(0.4);
      await world.pass(1000);
      clock.now();
    }
    expect(steps).toEqual([]);
    expect(clock.now().wallMs).toBeCloseTo(START_MS + 100_040, 2);
  });
});
