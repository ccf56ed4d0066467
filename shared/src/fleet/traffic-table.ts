/** The second table of `status`: who is connected, what moves, who was refused. */

import { formatTable } from '../cli/table.ts';
import { formatBytes, formatFigure } from './figures.ts';
import { type Rates, refusedIn, type Traffic } from './traffic.ts';

export interface ServiceTraffic {
  readonly name: string;
  readonly traffic: Traffic;
  readonly rates: Rates | undefined;
}

const words = {
  tcp: { peer: 'connection', arrived: 'conn/s' },
  udp: { peer: 'source', arrived: 'datagrams/s' },
  none: { peer: '', arrived: '' },
} as const;

/** Services without peers of their own (clients) are left out; '' when none is left. */
export function formatTraffic(services: readonly ServiceTraffic[]): string {
  const rows = services
    .filter(({ traffic }) => traffic.transport !== 'none')
    .map(({ name, traffic, rates }) => {
      const { peer, arrived } = words[traffic.transport];
      return [
        name,
        `${formatFigure(traffic.peers)} ${peer}${traffic.peers === 1 ? '' : 's'}`,
        rates === undefined ? '-' : `${formatFigure(rates.arrived)} ${arrived}`,
        rates === undefined ? '-' : `${formatBytes(rates.bytes)}/s`,
        formatRefused(traffic),
      ];
    });
  if (rows.length === 0) return '';
  const overMs = Math.max(...services.map(({ rates }) => rates?.overMs ?? 0));
  const over = `over ${(overMs / 1000).toFixed(1)} s`;
  return formatTable(['service', 'open now', `new, ${over}`, `in and out`, 'refused since start'], rows);
}

/** How many, and the reason that most of them had. */
function formatRefused(traffic: Traffic): string {
  const [most] = [...traffic.refusedByReason].toSorted(([, a], [, b]) => b - a);
  if (most === undefined) return '0';
  const others = traffic.refusedByReason.size > 1 ? ', ...' : '';
  return `${formatFigure(refusedIn(traffic))} (${most[0]}${others})`;
}
