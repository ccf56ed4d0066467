/** Names, addresses, figures and files: what people type and what they read. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readClocks, stepSeconds } from '@small-servers/shared/clock/clock';
import { ctime, formatOffset, isoTime } from '@small-servers/shared/clock/display';
import type { LogLine, LogRecord } from '@small-servers/shared/logs/record';
import { describe, expect, test } from 'vitest';
import { curvesOf, plotSvg, plotText } from '../src/plot.ts';
import { collectPoints } from '../src/plot-records.ts';
import { fileMemory, readPolls } from '../src/poll-memory.ts';
import { corrected } from '../src/query-report.ts';
import { interleave } from '../src/resolve.ts';
import { formatServerName, parseServerName } from '../src/server-name.ts';
import { defaultServers } from '../src/settings.ts';

describe('names of servers', () => {
  test.each([
    ['time.example', 'ntp://time.example'],
    ['time.example:1123', 'ntp://time.example:1123'],
    ['192.0.2.1', 'ntp://192.0.2.1'],
    ['[2001:db8::1]:1123', 'ntp://[2001:db8::1]:1123'],
    ['2001:db8::1', 'ntp://[2001:db8::1]'],
    ['ntp://time.example:123', 'ntp://time.example'],
    ['nts://time.example', 'nts://time.example'],
    ['nts://time.example:4460/', 'nts://time.example'],
    ['nts://[::1]:14460', 'nts://[::1]:14460'],
    ['pool.ntp.org', 'ntp://pool.ntp.org'],
  ])('%s is %s', (text, expected) => {
    const name = parseServerName(text);
    expect(name && formatServerName(name)).toBe(expected);
    expect(name && parseServerName(formatServerName(name))).toEqual(name);
  });

  test.each([
    '',
    ' ',
    'a b',
    'http://time.example',
    'time.example:0',
    'time.example:65536',
    'time.example:x',
    '1.2.3',
    '[time]:123',
    'a..b',
    '-a',
    'ntp://',
    'x'.repeat(64),
    'a/b',
    'ntp://a/b',
  ])('%j is none', (text) => {
    expect(parseServerName(text)).toBeUndefined();
  });

  test('the defaults are four, all with NTS, none of the pool', () => {
    expect(defaultServers.map(({ scheme }) => scheme)).toEqual(['nts', 'nts', 'nts', 'nts']);
    expect(defaultServers.filter(({ host }) => host.endsWith('pool.ntp.org'))).toEqual([]);
    expect(new Set(defaultServers.map(({ host }) => host.split('.').slice(-2).join('.'))).size).toBe(4);
  });
});

test('addresses of the two families take turns, in the order the resolver gave', () => {
  const found = (...texts: readonly string[]) =>
    texts.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  expect(interleave(found('::1', '::2', '::3', '1.1.1.1', '2.2.2.2'))).toEqual([
    '::1',
    '1.1.1.1',
    '::2',
    '2.2.2.2',
    '::3',
  ]);
  expect(interleave(found('1.1.1.1', '::1'))).toEqual(['1.1.1.1', '::1']);
  expect(interleave([])).toEqual([]);
});

describe('times', () => {
  test('ctime, with a day of one digit padded', () => {
    const local = BigInt(new Date(2025, 5, 1, 9, 5, 7).getTime()) * 1_000_000n;
    expect(ctime(local)).toBe('Sun Jun  1 09:05:07 2025');
  });

  test('ISO 8601 keeps the nanoseconds', () => {
    expect(isoTime(1_780_000_000_123_456_789n)).toBe('2026-05-28T20:26:40.123456789Z');
  });

  test('an offset is added without losing nanoseconds, however large it is', () => {
    expect(corrected(5n, 1e-9)).toBe(6n);
    expect(corrected(0n, 2_500_000_000.25)).toBe(2_500_000_000_250_000_000n);
    expect(corrected(0n, -1.5)).toBe(-1_500_000_000n);
  });

  test.each([
    [1.5, '+1.500 s'],
    [-0.0123456, '-12.346 ms'],
    [0.00000087, '+0.870 us'],
    [0, '+0.000 us'],
  ])('%d is written %s', (seconds, text) => {
    expect(formatOffset(seconds)).toBe(text);
  });
});

test('two clocks read while something interrupts are read again', () => {
  let mono = 0n;
  const gaps = [5_000_000n, 3_000_000n, 10n];
  const clock = {
    monoNs: () => mono,
    wallNs: () => {
      mono += gaps.shift() ?? 10n;
      return mono + 1_000n;
    },
  };
  const stamp = readClocks(clock);
  expect(stamp.wallNs - stamp.monoNs).toBe(1_005n);
  expect(stepSeconds({ wallNs: 0n, monoNs: 0n }, { wallNs: 3_000_000_000n, monoNs: 1_000_000_000n })).toBe(2);
});

describe('the memory of polls', () => {
  const poll = { lastPollAt: '2026-06-01T00:00:00.000Z', notBefore: '2026-06-01T00:01:04.000Z' };

  test('is read back by the next process; servers no longer configured are forgotten', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sntp-memory-'));
    const path = join(folder, 'state.json');
    const memory = await fileMemory(path, ['a', 'b'], () => {});
    await Promise.all([
      memory.remember('a', poll),
      memory.remember('b', poll),
      memory.remember('a', { ...poll, result: 'accepted' }),
    ]);
    const next = await fileMemory(path, ['a'], () => {});
    expect(next.recall('a')).toEqual({ ...poll, result: 'accepted' });
    expect(next.recall('b')).toBeUndefined();
    expect([...(await readPolls(path)).keys()]).toEqual(['a', 'b']);
    await rm(folder, { recursive: true });
  });

  test.each([
    '',
    '{',
    '[]',
    'null',
    '{"version":2,"servers":{}}',
    '{"version":1,"servers":{"a":{"lastPollAt":5}}}',
    '{"version":1,"servers":{"a":null}}',
  ])('a file of %j remembers nothing and stops nothing', async (text) => {
    const folder = await mkdtemp(join(tmpdir(), 'sntp-memory-'));
    await writeFile(join(folder, 'state.json'), text);
    expect((await fileMemory(join(folder, 'state.json'), ['a'], () => {})).recall('a')).toBeUndefined();
    await rm(folder, { recursive: true });
  });

  test('a file that can not be written is said once, and polls go on', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sntp-memory-'));
    await writeFile(join(folder, 'file'), '');
    const failures: Error[] = [];
    const memory = await fileMemory(join(folder, 'file', 'state.json'), ['a'], (error) => failures.push(error));
    await memory.remember('a', poll);
    await memory.remember('a', poll);
    expect(failures).toHaveLength(1);
    expect(memory.recall('a')).toEqual(poll);
    await rm(folder, { recursive: true });
  });
});

describe('plots', () => {
  const START_MS = Date.UTC(2026, 5, 1);
  const line = (seconds: number, record?: LogRecord): LogLine => ({
    service: 'sntp-client',
    timeMs: START_MS + seconds * 1000,
    text: '',
    record,
    cut: false,
  });
  const log = [
    line(0, { event: 'clock', offsetMs: 1, boundMs: 0.5 }),
    line(10, { event: 'poll', server: 'ntp://a', result: 'accepted', delayMs: 20 }),
    line(20, { event: 'poll', server: 'ntp://a', result: 'timed-out' }),
    line(20),
    line(60, { event: 'clock', offsetMs: 3, boundMs: 0.25 }),
    line(90, { event: 'clock', result: 'no-majority' }),
    line(95, { event: 'poll', server: 7, delayMs: 'long' }),
  ];

  async function data() {
    async function* batches() {
      yield log.slice(0, 3);
      yield log.slice(3);
    }
    return collectPoints(batches());
  }

  test('are made of `clock` records with an offset and of accepted `poll` records', async () => {
    const { offset, delays } = await data();
    expect(offset).toEqual([
      { atMs: START_MS, value: 0.001, bound: 0.0005 },
      { atMs: START_MS + 60_000, value: 0.003, bound: 0.00025 },
    ]);
    expect([...delays]).toEqual([['ntp://a', [{ atMs: START_MS + 10_000, value: 0.02 }]]]);
  });

  test('in a terminal: the first point at the left, the last at the right, extremes named', async () => {
    const [curve] = curvesOf(await data());
    const text = curve === undefined ? '' : plotText(curve, 60, 6);
    const lines = text.split('\n');
    expect(lines[1]).toContain('3.250 ms');
    expect(lines[6]).toContain('500.000 us');
    expect(lines.filter((line) => line.includes('*'))).toHaveLength(2);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(60);
    expect(lines.at(-2)).toContain('2026-06-01 00:00');
  });

  test('as SVG: one polyline a curve, and names that can break no markup', () => {
    const svg = plotSvg([
      {
        title: 'a <b> & "c"',
        points: [
          { atMs: 0, value: 1 },
          { atMs: 5, value: 1 },
        ],
      },
    ]);
    expect(svg).toContain('a &lt;b&gt; &amp; &quot;c&quot;');
    expect(svg.match(/<polyline/g)).toHaveLength(1);
    expect(svg).not.toContain('NaN');
  });
});
