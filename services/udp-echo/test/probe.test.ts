import { describe, expect, test } from 'vitest';
import { createProbe } from '../src/probe.ts';
import type { ProbeConfig } from '../src/probe-settings.ts';
import { openRelay } from './relay.ts';

const defaults: ProbeConfig = {
  sizeBytes: 64,
  rate: 2_000,
  intervalMs: 0,
  count: 1_500,
  durationMs: 0,
  // Far above any delay here: what is not back was never sent back.
  timeoutMs: 1_000,
  sweep: false,
  maxLoss: 'off',
  maxP50Ms: 0,
  maxP90Ms: 0,
  maxP99Ms: 0,
  maxP999Ms: 0,
  maxRoundTripMs: 0,
};

const none = { drop: 0, copy: 0, damage: 0, hold: 0, holdBy: 0 };

/** What RFC 4737 says about an order of arrival, by the letter: every pair is looked at. */
function orderOf(arrivals: readonly number[]) {
  const extents = arrivals.flatMap((sequence, at) => {
    const earliestAfter = arrivals.findIndex((other, before) => before < at && other > sequence);
    return earliestAfter === -1 ? [] : [at - earliestAfter];
  });
  return { reordered: extents.length, max: extents.length === 0 ? null : Math.max(...extents) };
}

const firstOfEach = (sequences: readonly number[]): number[] => [...new Set(sequences.filter((each) => each >= 0))];

describe('the probe on a path with faults', () => {
  test.each([
    ['nothing', 1, none],
    ['loss', 2, { ...none, drop: 0.1 }],
    ['copies', 3, { ...none, copy: 0.1 }],
    ['damage', 4, { ...none, damage: 0.1 }],
    ['a changed order', 5, { ...none, hold: 0.05, holdBy: 7 }],
    ['all of them', 6, { drop: 0.05, copy: 0.05, damage: 0.05, hold: 0.1, holdBy: 20 }],
  ])('with %s its counts are the path’s, exactly', async (_name, seed, faults) => {
    await using relay = await openRelay(seed, faults);
    const probe = createProbe({ host: '127.0.0.1', port: relay.port }, defaults, new AbortController().signal);
    const report = await probe.run();
    const back = firstOfEach(relay.sentBack);
    const { reordered, max } = orderOf(back);
    expect(report).toMatchObject({
      sent: 1_500,
      lost: 1_500 - back.length,
      duplicated: relay.sentBack.filter((each) => each >= 0).length - back.length,
      corrupted: relay.counts.damaged,
      stray: 0,
      reordered,
    });
    expect(report.received + report.late).toBe(back.length);
    expect(report.reorderExtent.max).toBe(max);
    expect(relay.counts.dropped > 0).toBe(faults.drop > 0);
    expect(reordered > 0).toBe(faults.hold > 0);
  });

  test('an interrupted probe reports what it knows', async () => {
    await using relay = await openRelay(1, none);
    const interrupt = new AbortController();
    const config = { ...defaults, count: 0, durationMs: 3_600_000 };
    const probe = createProbe({ host: '127.0.0.1', port: relay.port }, config, interrupt.signal);
    const running = probe.run();
    while (probe.returned < 20) await new Promise(setImmediate);
    interrupt.abort();
    const report = await running;
    expect(report.received).toBeGreaterThanOrEqual(20);
    expect(report.sent).toBe(report.received + report.late + report.lost);
  });

  test('a name that has no address is said so', async () => {
    const endpoint = { host: 'no-such-name.invalid', port: 7 };
    const probe = createProbe(endpoint, defaults, new AbortController().signal);
    await expect(probe.run()).rejects.toMatchObject({ code: 'NAME_NOT_FOUND' });
  });
});
