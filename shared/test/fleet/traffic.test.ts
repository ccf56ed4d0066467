import { describe, expect, test } from 'vitest';
import { counter, type MetricFamily } from '../../src/daemon/metrics.ts';
import { ratesBetween, readTraffic, type Traffic } from '../../src/fleet/traffic.ts';
import { formatTraffic } from '../../src/fleet/traffic-table.ts';
import { EndedConnections, tcpFamilies } from '../../src/server/tcp-metrics.ts';

function tcp(numbers: { accepted: number; in: number; refused?: number }, startedAt = 100): readonly MetricFamily[] {
  return [
    counter('small_servers_process_start_time_seconds', '', startedAt),
    ...tcpFamilies({
      accepted: numbers.accepted,
      open: 2,
      maxConnections: 10,
      acceptErrors: 0,
      refused: new Map([['max-connections', numbers.refused ?? 0]]),
      ended: new EndedConnections(),
      openBytes: { in: numbers.in, out: 0 },
    }),
  ];
}

describe('traffic', () => {
  test('rates are the differences between two looks at one process, a second', () => {
    const before = readTraffic(tcp({ accepted: 10, in: 1_000 }), 5_000);
    const after = readTraffic(tcp({ accepted: 16, in: 5_000, refused: 4 }), 7_000);
    expect(ratesBetween(before, after)).toMatchObject({ overMs: 2_000, arrived: 3, bytes: 2_000, refused: 2 });
  });

  test('a process that took the place of another has no rates yet', () => {
    const before = readTraffic(tcp({ accepted: 10, in: 0 }), 5_000);
    const after = readTraffic(tcp({ accepted: 1, in: 0 }, 101), 7_000);
    expect(ratesBetween(before, after)).toBeUndefined();
  });

  test('a program that serves nobody has a process and no traffic', () => {
    const traffic = readTraffic([counter('small_servers_process_start_time_seconds', '', 7)], 0);
    expect(traffic).toMatchObject({ transport: 'none', startedAtSeconds: 7, peers: 0, bytes: 0 });
    expect(formatTraffic([{ name: 'client', traffic, rates: undefined }])).toBe('');
  });
});

test('one is one', () => {
  const traffic = { ...readTraffic([], 0), peers: 1 };
  const cellOf = (transport: 'tcp' | 'udp') =>
    formatTraffic([{ name: 'a', traffic: { ...traffic, transport }, rates: undefined }]);
  expect(cellOf('tcp')).toMatch(/ 1 connection {2}/);
  expect(cellOf('udp')).toMatch(/ 1 source {2}/);
});

test('the table says over which time rates are, and the reason most were refused for', () => {
  const before = readTraffic(tcp({ accepted: 0, in: 0 }), 0);
  const traffic = readTraffic(tcp({ accepted: 3, in: 3 * 2 ** 20, refused: 5_231 }), 1_000);
  const udp: Traffic = {
    ...traffic,
    transport: 'udp',
    refusedByReason: new Map([
      ['rate-limited', 7],
      ['loop-guard', 2],
    ]),
  };
  const table = formatTraffic([
    { name: 'echo-tcp', traffic, rates: ratesBetween(before, traffic) },
    { name: 'udp-echo', traffic: udp, rates: undefined },
  ]);
  expect(table.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
    ['service', 'open now', 'new, over 1.0 s', 'in and out', 'refused since start'],
    ['echo-tcp', '2 connections', '3 conn/s', '3 MiB/s', '5,231 (max-connections)'],
    ['udp-echo', '2 sources', '-', '-', '9 (rate-limited, ...)'],
    [''],
  ]);
});
