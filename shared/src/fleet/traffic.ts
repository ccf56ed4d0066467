/** What a service's metrics say of its traffic: one look, and the rates between two. */
import type { MetricFamily } from '../daemon/metrics.ts';

/** One look at the counters of a process. */
export interface Traffic {
  readonly atMs: number;
  /** Tells one process from its successor, whose counters begin again. */
  readonly startedAtSeconds: number;
  /** What the service counts its peers in. */
  readonly transport: 'tcp' | 'udp' | 'none';
  /** TCP: connections open. UDP: sources remembered. */
  readonly peers: number;
  /** TCP: connections accepted. UDP: datagrams received. Since the start. */
  readonly arrived: number;
  readonly bytes: number;
  /** Refused or dropped since the start, by reason; only those that happened. */
  readonly refusedByReason: ReadonlyMap<string, number>;
  readonly lagSumMs: number;
  readonly lagCount: number;
  readonly residentBytes: number;
}

/** Between two looks, a second. */
export interface Rates {
  readonly overMs: number;
  readonly arrived: number;
  readonly bytes: number;
  readonly refused: number;
  /** Mean lateness of the event loop. */
  readonly lagMs: number;
}

/** Reads `GET /metrics.json`. What a service does not have is 0. */
export function readTraffic(families: readonly MetricFamily[], atMs: number): Traffic {
  const byName = new Map(families.map((family) => [family.name.replace('small_servers_', ''), family]));
  const samples = (name: string) => {
    const family = byName.get(name);
    return family === undefined || family.type === 'histogram' ? [] : family.samples;
  };
  const total = (...names: readonly string[]): number =>
    names.flatMap(samples).reduce((sum, { value }) => sum + value, 0);
  const lag = byName.get('event_loop_lag_seconds');
  const { sum, counts } = lag?.type === 'histogram' ? lag.histogram : { sum: 0, counts: [] };
  const refusals = [...samples('tcp_connections_refused_total'), ...samples('udp_dropped_datagrams_total')];
  return {
    atMs,
    startedAtSeconds: total('process_start_time_seconds'),
    transport: byName.has('tcp_connections_open') ? 'tcp' : byName.has('udp_sources') ? 'udp' : 'none',
    peers: total('tcp_connections_open', 'udp_sources'),
    arrived: total('tcp_connections_accepted_total', 'udp_received_datagrams_total'),
    bytes: total(
      'tcp_received_bytes_total',
      'tcp_sent_bytes_total',
      'udp_received_bytes_total',
      'udp_sent_bytes_total',
    ),
    refusedByReason: new Map(
      refusals.filter(({ value }) => value > 0).map(({ labels, value }) => [labels?.reason ?? '', value]),
    ),
    lagSumMs: sum * 1000,
    lagCount: counts.reduce((all, count) => all + count, 0),
    residentBytes: total('process_resident_memory_bytes'),
  };
}

export const refusedIn = ({ refusedByReason }: Traffic): number =>
  [...refusedByReason.values()].reduce((sum, count) => sum + count, 0);

/** `undefined` when the two looks are not at one process, or at one moment. */
export function ratesBetween(before: Traffic, after: Traffic): Rates | undefined {
  const overMs = after.atMs - before.atMs;
  if (before.startedAtSeconds !== after.startedAtSeconds || overMs <= 0) return undefined;
  const aSecond = (difference: number): number => (difference * 1000) / overMs;
  const looks = after.lagCount - before.lagCount;
  return {
    overMs,
    arrived: aSecond(after.arrived - before.arrived),
    bytes: aSecond(after.bytes - before.bytes),
    refused: aSecond(refusedIn(after) - refusedIn(before)),
    lagMs: looks > 0 ? (after.lagSumMs - before.lagSumMs) / looks : 0,
  };
}
