/** What LIST prints: a table of the clocks of all connected clients, the worst first. Pure. */

import { formatTable } from '@small-servers/shared/cli/table';
import { formatOffset, formatSeconds } from '@small-servers/shared/clock/display';
import type { ClockTrack } from './clock-track.ts';
import type { Drift } from './offset-window.ts';
import type { Moment } from './steady-clock.ts';

export interface ListedClient {
  readonly conn: string;
  readonly peer: string;
  readonly track: ClockTrack;
  /** When its last stamp came, on the monotonic clock. */
  readonly lastStampMs: number;
}

/** More than fits a screen is of no use there, and must not fill memory either. */
const MAX_ROWS = 100;

const header = ['conn', 'peer', 'stamps', 'offset', 'drift', 'jitter', 'missed', 'steps', 'last stamp'];

/** Text with line feeds. */
export function formatClients(clients: readonly ListedClient[], now: Moment): string {
  const connected = clients.length === 1 ? '1 client sends its time' : `${clients.length} clients send their time`;
  if (clients.length === 0) return 'nobody sends a time now\n';
  const byOffset = clients
    .map((client) => ({ client, off: Math.abs(client.track.offsetMs(now) ?? 0) }))
    .toSorted((a, b) => b.off - a.off)
    .slice(0, MAX_ROWS)
    .map(({ client }) => client);
  const left = clients.length - byOffset.length;
  const more = left === 0 ? '' : `, the ${left} with the smallest offsets are not shown`;
  return `${formatTable(
    header,
    byOffset.map((client) => rowOf(client, now)),
  )}${connected}${more}\n`;
}

function rowOf({ conn, peer, track, lastStampMs }: ListedClient, now: Moment): readonly string[] {
  const { stamps, offsetMs, resolutionMs, drift, jitterMs, missedSeconds, seqMissing, steps } = track.summary(now);
  return [
    conn,
    peer,
    String(stamps),
    formatMeasuredOffset(offsetMs, resolutionMs),
    formatDrift(drift) ?? '-',
    formatSeconds(jitterMs / 1000),
    String(Math.max(missedSeconds, seqMissing)),
    String(steps),
    `${formatSeconds(Math.max(0, now.monoMs - lastStampMs) / 1000)} ago`,
  ];
}

/** An offset no finer than it is known: whole tenths of a second for stamps of whole seconds. */
export function formatMeasuredOffset(offsetMs: number, resolutionMs: number): string {
  if (resolutionMs < 1_000) return formatOffset(offsetMs / 1000);
  const tenths = Math.round(offsetMs / 100);
  return `${tenths < 0 ? '-' : '+'}${(Math.abs(tenths) / 10).toFixed(1)} s`;
}

/** Known worse than this a rate says nothing of a clock: crystals are within 100 ppm, and most within 20. */
const TELLING_RATE = 1000e-6;

/** `+50.12 +- 4.20 ppm`; `undefined` while it is not known well enough to say anything. */
export function formatDrift(drift: Drift | undefined): string | undefined {
  if (drift === undefined || drift.uncertainty > TELLING_RATE) return undefined;
  const { rate, uncertainty } = drift;
  return `${rate < 0 ? '' : '+'}${(rate * 1e6).toFixed(2)} +- ${(uncertainty * 1e6).toFixed(2)} ppm`;
}
