import { describe, expect, test } from 'vitest';
import { renderFrame, ServiceHistory } from '../../src/fleet/top-frame.ts';
import type { Traffic } from '../../src/fleet/traffic.ts';

const NOW_MS = Date.parse('2026-01-02T03:04:05Z');
const base: Traffic = {
  atMs: 0,
  startedAtSeconds: NOW_MS / 1000 - 3_725,
  transport: 'tcp',
  peers: 0,
  arrived: 0,
  bytes: 0,
  refusedByReason: new Map(),
  lagSumMs: 0,
  lagCount: 0,
  residentBytes: 60 * 2 ** 20,
};

function history(name: string, looks: number, traffic: (look: number) => Partial<Traffic>): ServiceHistory {
  const service = new ServiceHistory(name);
  for (let look = 0; look < looks; look += 1) service.add({ ...base, atMs: look * 1_000, ...traffic(look) });
  return service;
}

const tcp = (looks = 5) => history('echo-tcp', looks, (look) => ({ peers: look, bytes: look * 2_048 }));
const at = { nowMs: NOW_MS, hint: 'q quits' };

describe('a frame of top', () => {
  test('is what a person reads off: figures at the right of their bars, 80 columns', () => {
    const udp = history('udp-echo', 2, (look) => ({ transport: 'udp', peers: 3, lagSumMs: look * 15, lagCount: look }));
    const gone = new ServiceHistory('gone');
    expect(`\n${renderFrame([tcp(), udp, gone], { columns: 80, rows: 24 }, at).join('\n')}\n`).toBe(`
small-servers 03:04:05 UTC                                               q quits

echo-tcp  up 1h 2m
open                    ▁▃▅▇█         4  new/s                    ▁▁▁▁         0
bytes/s                  ████     2 KiB  refused/s                ▁▁▁▁         0
memory                  █████    60 MiB  loop lag                 ▁▁▁▁      0 ms

udp-echo  up 1h 2m
sources                    ██         3  datagrams/s                 ▁         0
bytes/s                     ▁       0 B  dropped/s                   ▁         0
memory                     ██    60 MiB  loop lag                    █     15 ms

gone  does not answer
`);
  });

  test.each([
    [80, 24],
    [40, 10],
    [20, 3],
    [200, 50],
    [1, 1],
  ])('fits %d columns and %d rows, whatever there is to show', (columns, rows) => {
    const lines = renderFrame([tcp(), tcp(100), tcp(0)], { columns, rows }, at);
    expect(lines.length).toBeLessThanOrEqual(rows);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
  });

  test('what does not fit is said to be missing', () => {
    expect(renderFrame([tcp()], { columns: 80, rows: 4 }, at).at(-1)).toBe('(more: the window is too low)');
  });

  test('five services fit a terminal of 24 rows', () => {
    const lines = renderFrame([tcp(), tcp(), tcp(), tcp(), tcp()], { columns: 80, rows: 24 }, at);
    expect(lines.at(-1)).not.toContain('more');
  });
});
