/** The watcher in virtual time: hours and months, with everything that can happen in them. */
import type { Log, RecordFields } from '@small-servers/shared/daemon/log';
import { formatMetrics } from '@small-servers/shared/daemon/metrics-text';
import { describe, expect, test } from 'vitest';
import { type SimulatedServer, seededRandom, simulatedProber, World } from '../../../test/support/ntp-simulator.ts';
import type { ExchangeOutcome } from '../src/exchange.ts';
import { metricsOf } from '../src/metrics.ts';
import { type PollMemory, volatileMemory } from '../src/poll-memory.ts';
import type { Outcome, Prober } from '../src/probe.ts';
import { Watcher } from '../src/watcher.ts';

const limits = { minPollSeconds: 64, maxPollSeconds: 1024 };
const DAY = 86_400;

type Entry = RecordFields & { readonly level: string; readonly msg: string };

/** A log that hands each record on as it is written. */
function logTo(take: (entry: Entry) => void): Log {
  const write = (level: string) => (fields: RecordFields, msg: string) => take({ ...fields, level, msg });
  return {
    level: 'debug',
    isLevelEnabled: () => true,
    ...Object.fromEntries(['fatal', 'error', 'warn', 'info', 'debug', 'trace'].map((level) => [level, write(level)])),
  } as unknown as Log;
}

const lan: SimulatedServer['path'] = { thereSeconds: 0.004, backSeconds: 0.005, queueSeconds: 0.0005, loss: 0 };

interface Setup {
  readonly world?: World;
  readonly servers: Readonly<Record<string, SimulatedServer | Prober>>;
  readonly memory?: PollMemory;
  readonly seed?: number;
  readonly onEntry?: (entry: Entry) => void;
}

function watch({
  world = new World({ aheadSeconds: 0.25, driftRate: 20e-6 }),
  servers,
  memory = volatileMemory(),
  seed = 1,
  onEntry = () => {},
}: Setup) {
  const random = seededRandom(seed);
  const entries: Entry[] = [];
  /** When each server was asked, in seconds of true time. */
  const asked = new Map<string, number[]>();
  const startNs = world.trueNs;
  const watcher = new Watcher({
    servers: Object.entries(servers).map(([name, server]) => {
      asked.set(name, []);
      const note = (): void => void asked.get(name)?.push(Number(world.trueNs - startNs) / 1e9);
      const inner = 'run' in server ? server : simulatedProber(world, server, random);
      const prober: Prober = {
        run: (options) => {
          note();
          return inner.run(options);
        },
      };
      return { name, prober };
    }),
    limits,
    log: logTo((entry) => {
      entries.push(entry);
      onEntry(entry);
    }),
    clock: world.clock,
    timers: world.timers,
    memory,
    random,
  });
  const of = (event: string): readonly Entry[] => entries.filter((entry) => entry.event === event);
  return { world, watcher, entries, asked, of };
}

/** A server that always ends the same way. */
const always = (outcome: Outcome): Prober => ({
  run: async ({ onEvent }) => onEvent({ outcome, remote: undefined, ignored: [] }),
});

const gapsOf = (times: readonly number[]): readonly number[] =>
  times.slice(1).map((time, index) => time - (times[index] ?? 0));

describe('polling', () => {
  test('begins with a burst, then 64 s with jitter, and slows down to 1024 s', async () => {
    const { world, asked, of } = watch({ servers: { a: { path: lan } } });
    await world.run(DAY);
    expect(
      of('poll')
        .slice(0, 4)
        .map(({ result }) => result),
    ).toEqual(['accepted', 'accepted', 'accepted', 'accepted']);
    const gaps = gapsOf(asked.get('a') ?? []);
    expect(gaps[0]).toBeGreaterThan(64);
    expect(gaps[0]).toBeLessThan(64 * 1.05 + 10);
    expect(Math.max(...gaps)).toBeGreaterThan(1024);
    expect(gaps.at(-1)).toBeGreaterThan(1000);
  });

  test('a `clock` record follows as soon as every server was asked, and says who was left out and why', async () => {
    const { world, of } = watch({
      servers: {
        a: { path: lan },
        b: { path: lan, rootDispersionSeconds: 0.01 },
        c: { path: lan },
        liar: { path: lan, lieSeconds: 5 },
        silent: always({ kind: 'timed-out' }),
      },
    });
    await world.run(20);
    const [clock] = of('clock');
    expect(clock).toMatchObject({
      result: 'selected',
      leftOut: [
        { server: 'liar', reason: 'falseticker' },
        { server: 'silent', reason: 'timed-out' },
      ],
    });
    expect(clock?.offsetMs).toBeCloseTo(-250, -1);
  });

  test('a clock that runs off steadily is no surprise: the interval grows from the eighth poll on', async () => {
    const world = new World({ aheadSeconds: 0, driftRate: 90e-6 });
    const { asked } = watch({ world, servers: { a: { path: lan } } });
    await world.run(3_600);
    const gaps = gapsOf(asked.get('a') ?? []);
    expect(gaps.findIndex((gap) => gap > 100)).toBe(7);
  });

  test('the same sample carried forward is no second opinion on the drift', async () => {
    let silent = false;
    const outcome = (): ExchangeOutcome | undefined => (silent ? { kind: 'timed-out' } : undefined);
    const { world, of } = watch({ servers: { a: { path: lan, outcome } } });
    await world.run(4 * 3_600);
    silent = true;
    await world.run(1_100);
    const known = of('clock').at(-1)?.driftUncertaintyPpm;
    await world.run(8 * 3_600);
    expect(known).toBeGreaterThan(0);
    expect(of('clock').at(-1)?.driftUncertaintyPpm).toBe(known);
  });

  test('no majority is a warning, and no offset', async () => {
    const { world, of } = watch({ servers: { a: { path: lan }, b: { path: lan, lieSeconds: 5 } } });
    await world.run(20);
    expect(of('clock')[0]).toMatchObject({ level: 'warn', result: 'no-majority' });
    expect(of('clock')[0]).not.toHaveProperty('offsetMs');
  });

  test('RATE stops the burst and silences four polls of a longer interval', async () => {
    let kissed = false;
    const outcome = (): ExchangeOutcome | undefined => {
      if (kissed) return undefined;
      kissed = true;
      return { kind: 'kiss', code: 'RATE', authenticated: false };
    };
    const { world, asked } = watch({ servers: { a: { path: lan, outcome } } });
    await world.run(3_600);
    const gaps = gapsOf(asked.get('a') ?? []);
    expect(gaps[0]).toBeGreaterThan(4 * 128);
    expect(gaps[1]).toBeGreaterThan(128);
  });

  test('a server that only ever denies is asked three times, then once a day', async () => {
    const { world, asked, of } = watch({
      servers: { a: always({ kind: 'kiss', code: 'DENY', authenticated: false }) },
    });
    await world.run(3 * DAY);
    expect(asked.get('a')?.length).toBeLessThan(12);
    expect(of('server-dropped').length).toBeGreaterThan(0);
  });
});

describe('the memory over restarts', () => {
  test('a hundred restarts in a row ask a server once', async () => {
    const memory = volatileMemory();
    const world = new World({ aheadSeconds: 0, driftRate: 0 });
    let count = 0;
    for (let restart = 0; restart < 100; restart++) {
      const { watcher, asked } = watch({ world, memory, servers: { a: { path: lan } } });
      await world.run(0.3);
      count += asked.get('a')?.length ?? 0;
      await watcher.stop();
    }
    expect(count).toBe(1);
  });

  test('what is asked is on disk before the first packet leaves', async () => {
    const order: string[] = [];
    const memory: PollMemory = {
      recall: () => undefined,
      remember: async () => {
        // A disk takes its time.
        await new Promise((resolve) => setImmediate(resolve));
        order.push('remembered');
      },
    };
    const prober: Prober = { run: async () => void order.push('asked') };
    const { world } = watch({ memory, servers: { a: prober } });
    await world.run(1);
    expect(order.slice(0, 2)).toEqual(['remembered', 'asked']);
  });

  test('a time that a wrong clock wrote years ahead silences a server for a day at most', async () => {
    const memory = volatileMemory();
    await memory.remember('a', { lastPollAt: '2099-01-01T00:00:00.000Z', notBefore: '2099-01-01T00:01:00.000Z' });
    const { world, asked } = watch({ memory, servers: { a: { path: lan } } });
    await world.run(1.1 * DAY);
    expect(asked.get('a')?.length).toBeGreaterThan(0);
  });
});

describe('without a network', () => {
  test('it says so once for each step of the backoff, and recovers by itself', async () => {
    let offline = true;
    const lost = (): Outcome => ({ kind: 'unresolved', code: 'EAI_AGAIN' });
    const world = new World({ aheadSeconds: 0.25, driftRate: 0 });
    const random = seededRandom(3);
    const server = (): Prober => {
      const inner = simulatedProber(world, { path: lan }, random);
      return {
        run: (options) => (offline ? always(lost()).run(options) : inner.run(options)),
      };
    };
    const { of, entries } = watch({ world, servers: { a: server(), b: server(), c: server(), d: server() } });
    await world.run(2 * 3_600);
    const attempts = of('no-network').map((entry) => entry.attempts);
    expect(attempts).toEqual(Array.from({ length: attempts.length }, (_, index) => index + 1));
    expect(attempts.length).toBeGreaterThan(6);
    expect(attempts.length).toBeLessThan(16);
    // Nothing else above debug but the one word that there is no time.
    expect(entries.filter(({ level, event }) => level !== 'debug' && event !== 'no-network')).toHaveLength(1);

    offline = false;
    await world.run(1_200);
    expect(of('network-back')).toHaveLength(1);
    expect(of('clock').at(-1)).toMatchObject({ result: 'selected' });
  });
});

describe('a clock that is set', () => {
  test('is noticed, everything measured before is forgotten, and it is measured anew', async () => {
    const { world, of } = watch({ servers: { a: { path: lan }, b: { path: lan }, c: { path: lan } } });
    await world.run(2_000);
    const before = of('clock').length;
    world.step(-30);
    await world.run(1_100);
    // Not one of them still mixes what was measured before with what is measured now.
    const after = of('clock').slice(before);
    expect(after.length).toBeGreaterThan(2);
    for (const { boundMs = 0 } of after) expect(boundMs).toBeLessThan(100);
    expect(of('clock-stepped')).toHaveLength(1);
    expect(of('clock-stepped')[0]?.stepMs).toBeCloseTo(-30_000, 0);
    const last = of('clock').at(-1);
    expect(last?.result).toBe('selected');
    expect(Math.abs(Number(last?.offsetMs) / 1000 - world.trueOffsetSeconds)).toBeLessThan(0.05);
  });
});

test('a stop ends every timer and lets nothing be asked any more', async () => {
  const { world, watcher, asked } = watch({ servers: { a: { path: lan }, b: { path: lan } } });
  await world.run(100);
  await watcher.stop();
  const before = [...asked.values()].flat().length;
  await world.run(DAY);
  expect([...asked.values()].flat().length).toBe(before);
});

test('metrics are there from the first moment, and carry the figures once they are known', async () => {
  const { world, watcher } = watch({ servers: { 'nts://a': { path: lan }, 'ntp://b': always({ kind: 'refused' }) } });
  expect((await formatMetrics(metricsOf(watcher))).text).toContain(
    'small_servers_sntp_system_poll_interval_seconds 64',
  );
  await world.run(100);
  const { text: page } = await formatMetrics(metricsOf(watcher));
  expect(page).toMatch(/^small_servers_sntp_system_offset_seconds -0\.2\d+$/m);
  expect(page).toMatch(
    /^small_servers_sntp_source_delay_seconds\{name="nts:\/\/a",address="192\.0\.2\.1:123"\} 0\.\d+$/m,
  );
  expect(page).toContain('small_servers_sntp_source_polls_total{name="ntp://b",result="refused"} 2');
  expect(page).toContain('small_servers_sntp_source_selected{name="ntp://b"} 0');
  expect(page).not.toContain('undefined');
});

test('a month: every answer holds the truth, nobody is hammered, nothing grows', async () => {
  const world = new World({ aheadSeconds: -3, driftRate: -35e-6 });
  let offline = false;
  const outage = (): ExchangeOutcome | undefined =>
    offline ? { kind: 'unreachable', code: 'ENETUNREACH' } : undefined;
  const wan: SimulatedServer['path'] = { thereSeconds: 0.02, backSeconds: 0.03, queueSeconds: 0.004, loss: 0.02 };
  const wrong: unknown[] = [];
  let clocks = 0;
  const { watcher, asked, of } = watch({
    world,
    seed: 12,
    servers: {
      a: { path: wan, rootDispersionSeconds: 0.003, lieSeconds: 0.002, outcome: outage },
      b: { path: lan, rootDispersionSeconds: 0.001, outcome: outage },
      c: { path: { ...wan, loss: 0.3 }, rootDispersionSeconds: 0.01, lieSeconds: -0.009, outcome: outage },
      liar: { path: wan, lieSeconds: 7, outcome: outage },
    },
    onEntry: ({ event, result, offsetMs, boundMs }) => {
      if (event !== 'clock' || result !== 'selected') return;
      clocks += 1;
      const error = Math.abs(Number(offsetMs) / 1000 - world.trueOffsetSeconds);
      if (error > Number(boundMs) / 1000 + 1e-6) wrong.push({ day: Number(world.trueNs) / 1e9 / DAY, error, boundMs });
    },
  });
  await world.run(10 * DAY);
  world.step(2);
  await world.run(5 * DAY);
  offline = true;
  await world.run(2 * DAY);
  offline = false;
  await world.run(13 * DAY);

  expect(wrong).toEqual([]);
  expect(clocks).toBeGreaterThan(1_500);
  for (const [server, times] of asked) {
    expect(Math.min(...gapsOf(times)), server).toBeGreaterThanOrEqual(15);
    expect(times.length, server).toBeLessThan((30 * DAY) / 64);
  }
  const last = of('clock').at(-1);
  expect(last?.leftOut).toContainEqual({ server: 'liar', reason: 'falseticker' });
  expect(last?.driftPpm).toBeCloseTo(35, 0);
  expect(of('clock-stepped')).toHaveLength(1);
  expect(of('network-back')).toHaveLength(1);
  // What the watcher keeps of a month is what it keeps of an hour.
  for (const { counts } of watcher.associations) expect(counts.size).toBeLessThan(8);
  expect(JSON.stringify(watcher.associations).length).toBeLessThan(8_000);
});
