/** What the logs say in numbers, per service: connections, bytes, refusals, drops, durations, peers. */
import { DurationHistogram } from './duration-histogram.ts';
import { peerAddress } from './peer-query.ts';
import { type LogLine, type LogRecord, numberField, textField } from './record.ts';
import { TopCounter } from './top-counter.ts';

/** Names and their numbers, in the order of their first appearance. */
type Counts = Map<string, number>;

export class ServiceStats {
  readonly service: string;
  readonly levels: Counts = new Map();
  /** Lines that are not records. */
  textLines = 0;
  firstMs = Number.POSITIVE_INFINITY;
  lastMs = Number.NEGATIVE_INFINITY;
  /** Connections that ended, by reason. */
  readonly closed: Counts = new Map();
  /** Connections that were refused, by reason. */
  readonly refused: Counts = new Map();
  /** Datagrams that were dropped, by reason, as far as records of their own tell. */
  readonly dropReasons: Counts = new Map();
  readonly datagrams = { received: 0, echoed: 0, dropped: 0 };
  bytesIn = 0;
  bytesOut = 0;
  readonly durations = new DurationHistogram();
  readonly peers = new TopCounter();

  constructor(service: string) {
    this.service = service;
  }

  add({ record, timeMs }: LogLine): void {
    this.firstMs = Math.min(this.firstMs, timeMs);
    this.lastMs = Math.max(this.lastMs, timeMs);
    if (record === undefined) {
      this.textLines += 1;
      return;
    }
    count(this.levels, textField(record, 'level') ?? 'none');
    const event = textField(record, 'event') ?? '';
    if (Object.hasOwn(readers, event)) readers[event]?.(this, record);
  }
}

/** How each event counts. Events that are not named count as lines of their level only. */
const readers: Readonly<Record<string, (stats: ServiceStats, record: LogRecord) => void>> = {
  'connection-closed': (stats, record) => {
    count(stats.closed, textField(record, 'reason') ?? 'none');
    const durationMs = numberField(record, 'durationMs');
    if (durationMs !== undefined) stats.durations.add(durationMs);
    stats.peers.add(addressOf(record), 1, countBytes(stats, record));
  },
  // A flood is summed: one record stands for `refused` connections.
  'connection-refused': (stats, record) => {
    count(stats.refused, textField(record, 'reason') ?? 'none', numberField(record, 'refused') ?? 1);
  },
  datagrams: (stats, record) => {
    for (const kind of ['received', 'echoed', 'dropped'] as const)
      stats.datagrams[kind] += numberField(record, kind) ?? 0;
    stats.peers.add(addressOf(record), numberField(record, 'received') ?? 0, countBytes(stats, record));
  },
  'datagram-dropped': (stats, record) => {
    count(stats.dropReasons, textField(record, 'reason') ?? 'none', numberField(record, 'dropped') ?? 1);
  },
};

function count(counts: Counts, name: string, by = 1): void {
  counts.set(name, (counts.get(name) ?? 0) + by);
}

function addressOf(record: LogRecord): string {
  return peerAddress(textField(record, 'peer') ?? 'none');
}

function countBytes(stats: ServiceStats, record: LogRecord): number {
  const bytesIn = numberField(record, 'bytesIn') ?? 0;
  const bytesOut = numberField(record, 'bytesOut') ?? 0;
  stats.bytesIn += bytesIn;
  stats.bytesOut += bytesOut;
  return bytesIn + bytesOut;
}
