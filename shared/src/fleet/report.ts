/** The fleet as a table for people. */

import { formatTable } from '../cli/table.ts';
import { formatEndpoint } from '../server/peer.ts';
import { fillIn, reachable } from './round-trip.ts';
import type { ServiceState } from './state.ts';

type Column = readonly [title: string, cell: (state: ServiceState, nowMs: number) => string];

const address: Column = [
  'address',
  ({ readiness }) =>
    readiness?.listeners
      .map((listener) => `${formatEndpoint(listener.address, listener.port)}/${listener.transport}`)
      .join(' ') || '-',
];

const status: Column = [
  'status',
  ({ trouble, process }) => (trouble === undefined ? 'ok' : (process?.status ?? 'not started')),
];

const roundTrip: Column = [
  'round trip',
  ({ roundTripMs }) => (roundTripMs === undefined ? '-' : `${roundTripMs.toFixed(2)} ms`),
];

const tryIt: Column = [
  'try',
  ({ readiness, service }) => {
    if (readiness === undefined) return '-';
    const [listener] = readiness.listeners;
    // Without a listener the line stands as it is: there is nothing to fill in.
    return listener === undefined ? service.manifest.try : fillIn(service.manifest.try, reachable(listener));
  },
];

const name: Column = ['service', ({ service }) => service.name];
const pid: Column = ['pid', ({ process }) => (process?.pid ? String(process.pid) : '-')];
const restarts: Column = ['restarts', ({ process }) => String(process?.restarts ?? '-')];
const uptime: Column = [
  'up',
  ({ process }, nowMs) => (process?.status === 'online' ? formatAge(nowMs - process.startedAtMs) : '-'),
];

export const startColumns: readonly Column[] = [name, address, status, roundTrip, tryIt];
export const statusColumns: readonly Column[] = [name, address, status, roundTrip, pid, uptime, restarts];

export function formatStates(columns: readonly Column[], states: readonly ServiceState[], nowMs: number): string {
  return formatTable(
    columns.map(([title]) => title),
    states.map((state) => columns.map(([, cell]) => cell(state, nowMs))),
  );
}

/** One line for each service of which there is more to know than that it serves. */
export function formatNotes(states: readonly ServiceState[]): string {
  return states
    .filter(({ note }) => note !== undefined)
    .map(({ service, note }) => `${service.name}: ${note}\n`)
    .join('');
}

/** One line for each service that does not serve. */
export function formatTroubles(states: readonly ServiceState[]): string {
  return states
    .filter(({ trouble }) => trouble !== undefined)
    .map(({ service, trouble }) => `${service.name}: ${trouble}\n`)
    .join('');
}

const ages = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

/** The two largest units: `3d 4h`, `12m 5s`, `0s`. */
export function formatAge(ms: number): string {
  const largest = ages.findIndex(([, factor]) => ms >= factor);
  if (largest === -1) return '0s';
  let left = ms;
  const parts: string[] = [];
  for (const [unit, factor] of ages.slice(largest, largest + 2)) {
    parts.push(`${Math.floor(left / factor)}${unit}`);
    left %= factor;
  }
  return parts.join(' ');
}
