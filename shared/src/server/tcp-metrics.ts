/** What a TCP listener counts, as metric families. */
import { counter, counterByReason, gauge, Histogram, histogram, type MetricFamily } from '../daemon/metrics.ts';
import { type CloseReason, closeReasons, type RefusalReason, refusalReasons } from './reasons.ts';
import type { ConnectionEnd } from './tcp-connection.ts';

/** From a scan of ports to a session of a day. */
const DURATION_BOUNDS_SECONDS = [0.001, 0.01, 0.1, 1, 10, 60, 600, 3_600, 86_400];

/** Nothing at all, then powers of 16 from 64 B to 1 GiB. */
const BYTES_BOUNDS = [0, 2 ** 6, 2 ** 10, 2 ** 14, 2 ** 18, 2 ** 22, 2 ** 26, 2 ** 30];

/** Connections that have ended; those still open are asked at a scrape. */
export class EndedConnections {
  readonly closed = new Map<CloseReason, number>();
  readonly durationSeconds = new Histogram(DURATION_BOUNDS_SECONDS);
  readonly bytesIn = new Histogram(BYTES_BOUNDS);
  readonly bytesOut = new Histogram(BYTES_BOUNDS);

  count({ reason, durationMs, bytesIn, bytesOut }: ConnectionEnd): void {
    this.closed.set(reason, (this.closed.get(reason) ?? 0) + 1);
    this.durationSeconds.observe(durationMs / 1000);
    this.bytesIn.observe(bytesIn);
    this.bytesOut.observe(bytesOut);
  }
}

export interface TcpNumbers {
  readonly accepted: number;
  readonly open: number;
  readonly maxConnections: number;
  readonly acceptErrors: number;
  readonly refused: ReadonlyMap<RefusalReason, number>;
  readonly ended: EndedConnections;
  /** Of the connections that are open now. */
  readonly openBytes: { readonly in: number; readonly out: number };
}

export function tcpFamilies(numbers: TcpNumbers): readonly MetricFamily[] {
  const { accepted, open, maxConnections, acceptErrors, refused, ended, openBytes } = numbers;
  return [
    counter('small_servers_tcp_connections_accepted_total', 'Connections that were let in', accepted),
    gauge('small_servers_tcp_connections_open', 'Connections open now', open),
    gauge('small_servers_tcp_connections_max', 'Connections that may be open at a time', maxConnections),
    counterByReason(
      'small_servers_tcp_connections_closed_total',
      'Connections that ended, by reason',
      closeReasons,
      ended.closed,
    ),
    counterByReason(
      'small_servers_tcp_connections_refused_total',
      'Connections that were closed as soon as they were accepted, by reason',
      refusalReasons,
      refused,
    ),
    counter(
      'small_servers_tcp_accept_errors_total',
      'Times that the system could not accept a connection',
      acceptErrors,
    ),
    counter('small_servers_tcp_received_bytes_total', 'Bytes read from connections', ended.bytesIn.sum + openBytes.in),
    counter(
      'small_servers_tcp_sent_bytes_total',
      'Bytes that the system took for sending',
      ended.bytesOut.sum + openBytes.out,
    ),
    histogram(
      'small_servers_tcp_connection_duration_seconds',
      'How long connections that ended had been open',
      ended.durationSeconds,
    ),
    histogram(
      'small_servers_tcp_connection_received_bytes',
      'Bytes read over the whole life of connections that ended',
      ended.bytesIn,
    ),
    histogram(
      'small_servers_tcp_connection_sent_bytes',
      'Bytes sent over the whole life of connections that ended',
      ended.bytesOut,
    ),
  ];
}
