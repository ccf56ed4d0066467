import { describe, expect, it } from 'vitest';
import { choosePaint, coloured, plain } from '../../src/logs/colour.ts';
import { DurationHistogram } from '../../src/logs/duration-histogram.ts';
import { parseLogName } from '../../src/logs/names.ts';
import { parsePeerQuery, peerAddress } from '../../src/logs/peer-query.ts';
import { peekField } from '../../src/logs/record.ts';
import { TopCounter } from '../../src/logs/top-counter.ts';
import { parseWhen } from '../../src/logs/when.ts';

describe('names of log files', () => {
  it.each([
    ['echo-tcp.log', false, false],
    ['echo-tcp.log.1', true, false],
    ['echo-tcp.log.14.gz', true, true],
    ['echo-tcp.log-20261120', true, false],
    ['echo-tcp.log-20261120.gz', true, true],
    ['echo-tcp.log-20261120-1795132800', true, false],
    ['echo-tcp.log.2026-11-20T05', true, false],
    ['echo-tcp.log.gz', true, true],
  ])('%s belongs to echo-tcp', (name, rotated, compressed) => {
    expect(parseLogName(name)).toEqual({ service: 'echo-tcp', rotated, compressed });
  });

  it.each(['echo-tcp.log.1.tmp', 'echo-tcp.txt', '.log', 'echo-tcp.log.bak', '.echo-tcp.log.swp'])(
    '%s is no log',
    (name) => {
      expect(parseLogName(name)).toBeUndefined();
    },
  );
});

describe('--since and --until', () => {
  const now = Date.parse('2026-11-20T05:00:00Z');
  it.each([
    ['10m', '2026-11-20T04:50:00.000Z'],
    ['2d', '2026-11-18T05:00:00.000Z'],
    ['now', '2026-11-20T05:00:00.000Z'],
    ['2026-11-20', '2026-11-20T00:00:00.000Z'],
    ['2026-11-20 04:30', '2026-11-20T04:30:00.000Z'],
    ['2026-11-20T04:30:01.250Z', '2026-11-20T04:30:01.250Z'],
    ['2026-11-20T04:30+02:00', '2026-11-20T02:30:00.000Z'],
  ])('%s is %s', (text, time) => {
    expect(new Date(parseWhen(text, now) ?? Number.NaN).toISOString()).toBe(time);
  });

  it.each(['10', '', 'yesterday', '2026-02-31', '2026-13-01', '2026-11-20T25:00', '04:30', '-5m'])(
    '%j is refused',
    (text) => {
      expect(parseWhen(text, now)).toBeUndefined();
    },
  );
});

describe('--peer', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1:5000', true],
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1', '127.0.0.11:5000', false],
    ['127.0.0.1:5000', '127.0.0.1:5000', true],
    ['127.0.0.1:5000', '127.0.0.1:50001', false],
    ['::1', '[::1]:7', true],
    ['0:0:0:0:0:0:0:1', '[::1]:7', true],
    ['[::1]:7', '[::1]:7', true],
    ['[::1]:7', '[::1]:70', false],
    ['::ffff:192.0.2.1', '192.0.2.1:9', true],
    ['192.0.2.0/24', '192.0.2.200:9', true],
    ['192.0.2.0/24', '192.0.3.1:9', false],
    ['2001:db8::/32', '[2001:db8:1::5]:9', true],
    ['2001:db8::/32', '192.0.2.1:9', false],
    ['::/0', '192.0.2.1:9', false],
    ['0.0.0.0/0', 'other sources', false],
  ])('%s and a record of %s: %s', (query, peer, matches) => {
    expect(parsePeerQuery(query)?.matches(peer)).toBe(matches);
  });

  it.each(['', 'localhost', '1.2.3', '1.2.3.4:99999', '1.2.3.4/33', '::1/129', '[::1', '1.2.3.4/'])(
    '%j is refused',
    (text) => {
      expect(parsePeerQuery(text)).toBeUndefined();
    },
  );

  it('counts peers by address', () => {
    expect(['192.0.2.1:9', '[::1]:9', '::1', 'other sources'].map(peerAddress)).toEqual([
      '192.0.2.1',
      '::1',
      '::1',
      'other sources',
    ]);
  });
});

describe('a field of a line that was not parsed', () => {
  it('is found, or not told', () => {
    const line = '{"level":"info","conn":"a1","peer":"x\\"y","n":5}';
    expect(['conn', 'peer', 'n', 'none'].map((name) => peekField(line, name))).toEqual([
      'a1',
      undefined,
      undefined,
      undefined,
    ]);
    expect(peekField('{"conn":"a', 'conn')).toBeUndefined();
  });
});

describe('colour', () => {
  it.each([
    [true, {}, coloured],
    [false, {}, plain],
    [true, { NO_COLOR: '1' }, plain],
    [true, { NO_COLOR: '' }, coloured],
    [false, { FORCE_COLOR: '1' }, coloured],
    [true, { FORCE_COLOR: '0' }, plain],
    [true, { NO_COLOR: '1', FORCE_COLOR: '1' }, coloured],
    [true, { TERM: 'dumb' }, plain],
  ])('on a terminal: %s, with %j', (isTerminal, environment, paint) => {
    expect(choosePaint(isTerminal, environment)).toBe(paint);
  });
});

describe('percentiles of durations', () => {
  it('are within 1% of the true ones, and the maximum is exact', () => {
    const histogram = new DurationHistogram();
    for (let ms = 1; ms <= 10_000; ms += 1) histogram.add(ms);
    for (const percent of [1, 50, 90, 99, 99.9]) {
      expect(Math.abs(histogram.percentileMs(percent) / (percent * 100) - 1)).toBeLessThan(0.0101);
    }
    expect(histogram.maxMs).toBe(10_000);
  });

  it('of nothing and of less than a millisecond are 0', () => {
    const histogram = new DurationHistogram();
    expect(histogram.percentileMs(99)).toBe(0);
    histogram.add(0.4);
    expect(histogram.percentileMs(50)).toBe(0);
  });
});

describe('top peers', () => {
  it('are by connections, then by bytes', () => {
    const counter = new TopCounter();
    counter.add('a', 1, 10);
    counter.add('b', 2, 1);
    counter.add('a', 1, 10);
    expect(counter.top(2)).toEqual([
      { name: 'a', connections: 2, bytes: 20 },
      { name: 'b', connections: 2, bytes: 1 },
    ]);
    expect(counter.approximate).toBe(false);
  });

  it('are found among any number of peers in bounded memory, and said to be approximate', () => {
    const counter = new TopCounter();
    for (let index = 0; index < 100_000; index += 1) {
      counter.add(`made up ${index}`, 1, 1);
      if (index % 10 === 0) counter.add('busy', 1, 1);
    }
    expect(counter.top(1)).toEqual([{ name: 'busy', connections: 10_000, bytes: 10_000 }]);
    expect(counter.size).toBeLessThanOrEqual(20_000);
    expect(counter.approximate).toBe(true);
  });
});
