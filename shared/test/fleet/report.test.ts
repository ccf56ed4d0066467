import { describe, expect, test } from 'vitest';
import {
  formatAge,
  formatNotes,
  formatStates,
  formatTroubles,
  startColumns,
  statusColumns,
} from '../../src/fleet/report.ts';
import type { ServiceState } from '../../src/fleet/state.ts';

const NOW_MS = 1_000_000;

const service = {
  name: 'echo-tcp',
  manifest: { check: [], latency: '', try: 'nc {host} {port}' },
} as unknown as ServiceState['service'];
const process = { id: 0, name: 'echo-tcp', pid: 4711, status: 'online', restarts: 2, startedAtMs: NOW_MS - 65_000 };
const listeners = [{ transport: 'tcp', address: '::', port: 7007 }] as const;
const readiness = { service: 'echo-tcp', pid: 4711, state: 'ready', uptimeSeconds: 65, listeners } as const;

const serving: ServiceState = { service, process, readiness, roundTripMs: 1.234, trouble: undefined };
const missing: ServiceState = {
  service,
  process: undefined,
  readiness: undefined,
  roundTripMs: undefined,
  trouble: 'not started',
};
const mute: ServiceState = { ...missing, process, trouble: 'does not answer on its admin socket' };

describe('the table', () => {
  test('of a start has the line to paste, to an address that can be connected to', () => {
    expect(formatStates(startColumns, [serving, missing], NOW_MS)).toBe(
      [
        'service   address        status       round trip  try',
        'echo-tcp  [::]:7007/tcp  ok           1.23 ms     nc 127.0.0.1 7007',
        'echo-tcp  -              not started  -           -',
        '',
      ].join('\n'),
    );
  });

  test('of a status has pid, age and restarts', () => {
    expect(formatStates(statusColumns, [serving, mute], NOW_MS)).toBe(
      [
        'service   address        status  round trip  pid   up     restarts',
        'echo-tcp  [::]:7007/tcp  ok      1.23 ms     4711  1m 5s  2',
        'echo-tcp  -              online  -           4711  1m 5s  2',
        '',
      ].join('\n'),
    );
  });

  test('what is wrong is one line a service, and nothing where all is well', () => {
    expect(formatTroubles([serving, missing])).toBe('echo-tcp: not started\n');
    expect(formatTroubles([serving])).toBe('');
    expect(formatNotes([{ ...serving, note: 'and more' }, missing])).toBe('echo-tcp: and more\n');
    expect(formatNotes([serving])).toBe('');
  });
});

test.each([
  [0, '0s'],
  [999, '0s'],
  [1_000, '1s'],
  [59_999, '59s'],
  [60_000, '1m 0s'],
  [725_000, '12m 5s'],
  [3_600_000, '1h 0m'],
  [273_600_000, '3d 4h'],
  [-5, '0s'],
])('an age of %d ms is written %s', (ms, text) => expect(formatAge(ms)).toBe(text));
