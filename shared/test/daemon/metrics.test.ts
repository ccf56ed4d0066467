import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { counter, counterByReason, gauge, Histogram, histogram } from '../../src/daemon/metrics.ts';
import { formatMetrics } from '../../src/daemon/metrics-text.ts';

const lines = async (...families: Parameters<typeof formatMetrics>[0]): Promise<readonly string[]> =>
  (await formatMetrics(families)).text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe('Histogram', () => {
  test('a value on a bound is in the bucket of that bound, one above all bounds in the last', () => {
    const values = new Histogram([1, 10]);
    for (const value of [0, 1, 1.5, 10, 11]) values.observe(value);
    expect([values.counts, values.sum]).toEqual([[2, 2, 1], 23.5]);
  });

  test('every observation is in one bucket, and the buckets on the wire only grow', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.double({ min: 0, max: 100, noNaN: true })), async (observed) => {
        const values = new Histogram([0.5, 5, 50]);
        for (const value of observed) values.observe(value);
        const text = await lines(histogram('small_servers_h_seconds', 'h', values));
        const totals = text.slice(0, 4).map((line) => Number(line.split(' ')[1]));
        expect(totals).toEqual([
          ...[0.5, 5, 50].map((bound) => observed.filter((value) => value <= bound).length),
          observed.length,
        ]);
        expect(text.at(-1)).toBe(`small_servers_h_seconds_count ${observed.length}`);
      }),
      { numRuns: 30 },
    );
  });
});

describe('formatMetrics', () => {
  test('counters and gauges are one line each, with help and type above', async () => {
    const { text, contentType } = await formatMetrics([
      counter('small_servers_a_total', 'As so far', 3),
      gauge('small_servers_b', 'Bs now', -1),
    ]);
    expect(text).toBe(
      '# HELP small_servers_a_total As so far\n# TYPE small_servers_a_total counter\nsmall_servers_a_total 3\n\n' +
        '# HELP small_servers_b Bs now\n# TYPE small_servers_b gauge\nsmall_servers_b -1\n',
    );
    expect(contentType).toContain('version=0.0.4');
  });

  test('a closed union has a series for each member, 0 where nothing was counted', async () => {
    const family = counterByReason('small_servers_c_total', 'c', { idle: '', reset: '' }, new Map([['reset', 2]]));
    expect(await lines(family)).toEqual([
      'small_servers_c_total{reason="idle"} 0',
      'small_servers_c_total{reason="reset"} 2',
    ]);
  });

  test('a label value can not end its line or its quotes', async () => {
    const samples = [{ labels: { text: 'a"b\\c\nd' }, value: 1 }];
    expect(await lines({ name: 'small_servers_d', help: 'd', type: 'gauge', samples })).toEqual([
      'small_servers_d{text="a\\"b\\\\c\\nd"} 1',
    ]);
  });
});
