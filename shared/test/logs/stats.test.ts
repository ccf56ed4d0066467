import { describe, expect, it } from 'vitest';
import { plain } from '../../src/logs/colour.ts';
import { ServiceStats } from '../../src/logs/stats.ts';
import { formatBytes, formatMs, formatStats, statsToJson } from '../../src/logs/stats-report.ts';
import { at, lineOf, record } from './support.ts';

function statsOf(service: string, ...texts: readonly string[]): ServiceStats {
  const stats = new ServiceStats(service);
  for (const text of texts) stats.add(lineOf(text, 0, service));
  return stats;
}

const closed = (seconds: number, peer: string, reason: string, durationMs: number): string =>
  record(seconds, { event: 'connection-closed', peer, bytesIn: 100, bytesOut: 50, durationMs, reason });

const echo = statsOf(
  'echo-tcp',
  closed(1, '192.0.2.1:9', 'peer-closed', 100),
  closed(2, '192.0.2.1:10', 'peer-closed', 200),
  closed(3, '[::1]:9', 'idle', 3000),
  record(4, { level: 'warn', event: 'connection-refused', peer: '192.0.2.1:9', reason: 'max-connections', refused: 1 }),
  record(14, {
    level: 'warn',
    event: 'connection-refused',
    peer: '192.0.2.1',
    reason: 'max-connections',
    refused: 5231,
  }),
  'Error: boom',
  record(15, { level: 'error', event: 'constructor' }),
);

const udp = statsOf(
  'udp-echo',
  record(10, {
    event: 'datagrams',
    peer: '192.0.2.7:9',
    received: 10,
    echoed: 8,
    dropped: 2,
    bytesIn: 1000,
    bytesOut: 800,
  }),
  record(10, { level: 'warn', event: 'datagram-dropped', peer: '192.0.2.7:9', reason: 'loop-guard' }),
);

describe('the numbers of a service', () => {
  it('count what its records say, a sum of refusals as what it stands for', () => {
    const [first, second] = (JSON.parse(statsToJson([echo, udp])) as { readonly services: readonly unknown[] })
      .services;
    expect(first).toEqual({
      service: 'echo-tcp',
      from: at(0),
      to: at(15),
      lines: 7,
      levels: { info: 3, warn: 2, error: 1 },
      textLines: 1,
      closed: { total: 3, byReason: { 'peer-closed': 2, idle: 1 } },
      refused: { total: 5232, byReason: { 'max-connections': 5232 } },
      datagrams: { received: 0, echoed: 0, dropped: 0, droppedByReason: {} },
      bytesIn: 300,
      bytesOut: 150,
      durationMs: { p50: expect.closeTo(200, -1), p90: 3000, p99: 3000, max: 3000 },
      topPeers: [
        { peer: '192.0.2.1', count: 2, bytes: 300 },
        { peer: '::1', count: 1, bytes: 150 },
      ],
      topPeersApproximate: false,
    });
    expect(second).toMatchObject({
      datagrams: { received: 10, echoed: 8, dropped: 2, droppedByReason: { 'loop-guard': 1 } },
      topPeers: [{ peer: '192.0.2.7', count: 10, bytes: 1800 }],
    });
  });

  it('are shown as tables', () => {
    const report = formatStats([echo, udp], plain);
    expect(report).toMatch(/^echo-tcp +7 +2 +1 +3 +5,232 +0 +0 +300 B +150 B$/m);
    expect(report).toMatch(/^echo-tcp +3 +\S+ ms +3\.0 s +3\.0 s +3\.0 s$/m);
    expect(report).toMatch(/^echo-tcp +max-connections +5,232$/m);
    expect(report).toMatch(/^udp-echo +loop-guard +1$/m);
    expect(report).toMatch(/^udp-echo +192\.0\.2\.7 +10 +1\.8 KiB$/m);
  });

  it('escape what a peer could have chosen', () => {
    const hostile = statsOf('echo-tcp', closed(1, '\x1b[2J\n', 'x\ny', 1));
    expect(formatStats([hostile], plain)).not.toContain('\x1b');
    expect(formatStats([hostile], plain)).not.toMatch(/^y/m);
    expect(statsToJson([statsOf('echo-tcp', closed(1, '\u202e', 'x', 1))])).not.toContain('\u202e');
  });

  it('are told to be none when there are none', () => {
    expect(formatStats([], plain)).toBe('no lines\n');
  });

  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [1024 ** 3, '1.0 GiB'],
  ])('writes %d bytes as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it.each([
    [0, '0 ms'],
    [1.25, '1.3 ms'],
    [250.4, '250 ms'],
    [1500, '1.5 s'],
    [90_000, '1.5 min'],
    [5_400_000, '1.5 h'],
  ])('writes %d ms as %s', (ms, text) => {
    expect(formatMs(ms)).toBe(text);
  });
});
