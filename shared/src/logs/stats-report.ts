/** The numbers of `pnpm logs stats` as tables and as JSON. */
import type { Paint } from './colour.ts';
import { escapeJson, escapeUpTo } from './escape.ts';
import type { ServiceStats } from './stats.ts';

const TOP_PEERS = 5;
const MAX_NAME_CHARACTERS = 40;

const number = (value: number): string => value.toLocaleString('en-US');
const sum = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((a, b) => a + b, 0);

/** `512 B`, `1.5 KiB`, `12.3 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1);
  return `${power === 0 ? bytes : (bytes / 1024 ** power).toFixed(1)} ${units[power]}`;
}

/** `0 ms`, `12.3 ms`, `1.2 s`, `3.5 min`, `26.1 h`. */
export function formatMs(ms: number): string {
  if (ms < 1000) return `${ms < 100 && !Number.isInteger(ms) ? ms.toFixed(1) : Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 3_600_000 ? `${(ms / 60_000).toFixed(1)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}

/** Largest first. */
function ranked(counts: ReadonlyMap<string, number>): readonly (readonly [string, number])[] {
  return [...counts].toSorted(([, a], [, b]) => b - a);
}

/** The report for a person. `stats` in the order in which they are shown. */
export function formatStats(stats: readonly ServiceStats[], paint: Paint): string {
  if (stats.length === 0) return 'no lines\n';
  const first = Math.min(...stats.map(({ firstMs }) => firstMs));
  const last = Math.max(...stats.map(({ lastMs }) => lastMs));
  const span = `${new Date(first).toISOString()} to ${new Date(last).toISOString()} (${formatMs(last - first)})\n`;
  const tables = [
    table(
      paint,
      ['service', 'lines', 'warn', 'error', 'closed', 'refused', 'received', 'dropped', 'in', 'out'],
      stats.map(totals),
    ),
    table(
      paint,
      ['duration', 'closed', 'p50', 'p90', 'p99', 'max'],
      stats.filter(({ durations }) => durations.count > 0).map(durations),
    ),
    reasons(stats, paint, 'closed', ({ closed }) => closed),
    reasons(stats, paint, 'refused', ({ refused }) => refused),
    reasons(stats, paint, 'dropped', ({ dropReasons }) => dropReasons),
    table(paint, ['top peers', 'peer', 'count', 'bytes'], stats.flatMap(peers)),
  ];
  return [span, ...tables.filter((text) => text !== '')].join('\n');
}

function totals(stats: ServiceStats): readonly string[] {
  const { levels, textLines, closed, refused, datagrams, bytesIn, bytesOut } = stats;
  const urgent = (levels.get('error') ?? 0) + (levels.get('fatal') ?? 0);
  const counts = [
    sum(levels) + textLines,
    levels.get('warn') ?? 0,
    urgent,
    sum(closed),
    sum(refused),
    datagrams.received,
    datagrams.dropped,
  ];
  return [stats.service, ...counts.map(number), formatBytes(bytesIn), formatBytes(bytesOut)];
}

function durations({ service, durations: histogram }: ServiceStats): readonly string[] {
  const percentiles = [50, 90, 99].map((percent) => formatMs(histogram.percentileMs(percent)));
  return [service, number(histogram.count), ...percentiles, formatMs(histogram.maxMs)];
}

function reasons(
  stats: readonly ServiceStats[],
  paint: Paint,
  title: string,
  countsOf: (of: ServiceStats) => ReadonlyMap<string, number>,
): string {
  const rows = stats.flatMap((of) =>
    ranked(countsOf(of)).map(([reason, times]) => [of.service, reason, number(times)]),
  );
  return table(paint, [title, 'reason', 'count'], rows);
}

function peers({ service, peers: counter }: ServiceStats): readonly (readonly string[])[] {
  const about = counter.approximate ? 'about ' : '';
  return counter
    .top(TOP_PEERS)
    .map(({ name, connections, bytes }) => [
      service,
      name,
      `${about}${number(connections)}`,
      `${about}${formatBytes(bytes)}`,
    ]);
}

/** Columns of numbers, which are those after the names, are aligned to the right. */
function table(paint: Paint, head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const names = head.includes('reason') || head.includes('peer') ? 2 : 1;
  const cells = rows.map((row) => row.map((cell) => escapeUpTo(cell, MAX_NAME_CHARACTERS)));
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)));
  const align = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column < names ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return `${paint('bold', align(head))}\n${cells.map((row) => `${align(row)}\n`).join('')}`;
}

/** One object for each service. Durations in milliseconds, times as in the logs. */
export function statsToJson(stats: readonly ServiceStats[]): string {
  const services = stats.map((of) => ({
    service: of.service,
    from: new Date(of.firstMs).toISOString(),
    to: new Date(of.lastMs).toISOString(),
    lines: sum(of.levels) + of.textLines,
    levels: Object.fromEntries(of.levels),
    textLines: of.textLines,
    closed: { total: sum(of.closed), byReason: Object.fromEntries(ranked(of.closed)) },
    refused: { total: sum(of.refused), byReason: Object.fromEntries(ranked(of.refused)) },
    datagrams: { ...of.datagrams, droppedByReason: Object.fromEntries(ranked(of.dropReasons)) },
    bytesIn: of.bytesIn,
    bytesOut: of.bytesOut,
    durationMs: {
      p50: round(of.durations.percentileMs(50)),
      p90: round(of.durations.percentileMs(90)),
      p99: round(of.durations.percentileMs(99)),
      max: of.durations.maxMs,
    },
    topPeers: of.peers
      .top(TOP_PEERS)
      .map(({ name, connections, bytes }) => ({ peer: name, count: connections, bytes })),
    topPeersApproximate: of.peers.approximate,
  }));
  return `${escapeJson(JSON.stringify({ services }))}\n`;
}

const round = (ms: number): number => Math.round(ms * 10) / 10;
