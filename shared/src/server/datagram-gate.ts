/**
 * What happens to each datagram of a listener, whatever way it was read: which ones are answered, what is counted,
 * what is said about it in the log. Does no I/O of its own and reads no clock: time comes in with `tick`.
 *
 *     admit -> (the service makes the answer) -> answered -> (it is sent) -> failed, if the system refused
 *
 * Everything that it remembers is bounded: the table of sources, the places of the loop watch, the tallies of the
 * drop log, and the number of summary records in an interval.
 */
import type { Log } from '../daemon/log.ts';
import { formatAddress, type IpAddress } from '../inet/address.ts';
import type { AccessList } from './access.ts';
import { broadcastAddresses, guardedPorts, isBadSource } from './datagram-guards.ts';
import { type DropReason, dropReasonNames } from './datagram-reasons.ts';
import { DropLog } from './drop-log.ts';
import { LoopWatch } from './loop-watch.ts';
import { addressOfWords, type SourceAddress } from './source-address.ts';
import { type SourceActivity, SourceTable } from './source-table.ts';
import { AUTO_RATE_PER_SOURCE, type RatePerSource } from './udp-settings.ts';

export interface DatagramLimits {
  readonly ratePerSource: RatePerSource;
  /** Rows of the table of sources, at least 1. */
  readonly maxSources: number;
  readonly access: AccessList;
}

export interface DatagramGateOptions extends DatagramLimits {
  readonly log: Log;
  readonly ownPort: number;
  /** Secret number for hashes. */
  readonly seed: number;
  readonly nowMs: number;
  /** The broadcast addresses of this machine's networks, as words; looked up again at every report. */
  readonly readBroadcasts?: () => ReadonlySet<number>;
}

/** Exact counts since the start. */
export interface DatagramCounts {
  readonly received: number;
  readonly echoed: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
  /** Sources remembered now. */
  readonly sources: number;
}

/** Sources with a summary record of their own in one interval; what all others did is one more record. */
const MAX_SUMMARIES = 100;

/** `admit` says this when the datagram gets no answer. */
export const DROPPED = -1;

export class DatagramGate {
  readonly #log: Log;
  readonly #guardedPorts: Uint8Array;
  readonly #table: SourceTable;
  readonly #loopWatch: LoopWatch;
  readonly #dropLog: DropLog;
  readonly #readBroadcasts: () => ReadonlySet<number>;
  #broadcasts: ReadonlySet<number>;
  #access: AccessList;
  #limitsLoopback = false;
  #nowMs: number;
  #intervalStartMs: number;
  readonly #dropped: Record<DropReason, number>;
  #received = 0;
  #echoed = 0;
  #bytesIn = 0;
  #bytesOut = 0;
  /** What sources did in this interval that were forgotten in the midst of it. */
  #forgotten = new Sum();
  /** Filled for each look-up in the access list. */
  readonly #ipv4 = scratchAddress(4);
  readonly #ipv6 = scratchAddress(6);

  constructor({ log, ownPort, seed, nowMs, maxSources, readBroadcasts, ...limits }: DatagramGateOptions) {
    this.#log = log;
    this.#guardedPorts = guardedPorts(ownPort);
    this.#readBroadcasts = readBroadcasts ?? (() => broadcastAddresses());
    this.#broadcasts = this.#readBroadcasts();
    this.#access = limits.access;
    this.#nowMs = nowMs;
    this.#intervalStartMs = nowMs;
    this.#dropLog = new DropLog(log);
    this.#loopWatch = new LoopWatch(seed);
    this.#dropped = Object.fromEntries(dropReasonNames.map((name) => [name, 0])) as Record<DropReason, number>;
    this.#table = new SourceTable({
      capacity: maxSources,
      ratePerSecond: 0,
      seed,
      onForgotten: (row) => this.#forgotten.add(this.#table.activity(row)),
    });
    this.setLimits(limits);
  }

  get counts(): DatagramCounts {
    return {
      received: this.#received,
      echoed: this.#echoed,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      dropped: { ...this.#dropped },
      sources: this.#table.size,
    };
  }

  /** Takes other limits while it runs; the size of the table stays. */
  setLimits({ ratePerSource, access }: Omit<DatagramLimits, 'maxSources'>): void {
    this.#access = access;
    this.#limitsLoopback = ratePerSource !== 'auto';
    this.#table.ratePerSecond = ratePerSource === 'auto' ? AUTO_RATE_PER_SOURCE : ratePerSource;
  }

  /** The time from now on, in monotonic milliseconds; read once for a batch. */
  tick(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  /**
   * Decides on a datagram that has arrived. Gives its source's row, or `DROPPED`.
   *
   * @param memory holds the payload, from `offset`, `length` bytes
   */
  admit(source: SourceAddress, memory: Uint8Array, offset: number, length: number): number {
    this.#received += 1;
    this.#bytesIn += length;
    const refusal = this.#judgeSource(source);
    if (refusal !== undefined) return this.#drop(source, refusal);
    let row = this.#table.find(source);
    if (row < 0) {
      if (source.family === 4 && this.#broadcasts.has(source.w3)) return this.#drop(source, 'bad-source');
      row = this.#table.add(source, this.#nowMs, !this.#limitsLoopback && source.isLoopback);
      if (row < 0) return this.#drop(source, 'too-many-sources');
    }
    this.#table.count(row, source, length);
    if (!this.#table.take(row, this.#nowMs)) return this.#dropKnown(row, source, 'rate-limited');
    if (this.#loopWatch.shouldBreak(source, memory, offset, length)) return this.#dropKnown(row, source, 'loop-guard');
    return row;
  }

  #judgeSource(source: SourceAddress): DropReason | undefined {
    if (source.port === 0) return 'source-port-zero';
    if (this.#guardedPorts[source.port] === 1) return 'loop-guard';
    if (isBadSource(source)) return 'bad-source';
    if (!this.#access.open && !this.#access.allows(this.#addressOf(source))) return 'denied';
    return undefined;
  }

  #addressOf({ family, w0, w1, w2, w3 }: SourceAddress): IpAddress {
    if (family === 4) {
      this.#ipv4.view.setUint32(0, w3);
      return this.#ipv4.address;
    }
    const { view, address } = this.#ipv6;
    view.setUint32(0, w0);
    view.setUint32(4, w1);
    view.setUint32(8, w2);
    view.setUint32(12, w3);
    return address;
  }

  /** Notes an answer that is now sent, to the source of a datagram that was admitted just before. */
  answered(row: number, memory: Uint8Array, offset: number, length: number): void {
    this.#loopWatch.answered(memory, offset, length);
    this.#countAnswer(row, 1, length);
  }

  /** Takes back an answer that the system refused to send after all. */
  failed(source: SourceAddress, length: number): void {
    const row = this.#table.find(source);
    this.#countAnswer(row, -1, -length);
    this.#dropKnown(row, source, 'send-failed');
  }

  #countAnswer(row: number, count: 1 | -1, bytes: number): void {
    this.#echoed += count;
    this.#bytesOut += bytes;
    const { echoed, bytesOut } = this.#table;
    // The source may have been forgotten before the system refused.
    if (row < 0) return;
    echoed[row] = (echoed[row] ?? 0) + count;
    bytesOut[row] = (bytesOut[row] ?? 0) + bytes;
  }

  #dropKnown(row: number, source: SourceAddress, reason: DropReason): number {
    const { dropped } = this.#table;
    if (row >= 0) dropped[row] = (dropped[row] ?? 0) + 1;
    return this.#drop(source, reason);
  }

  #drop(source: SourceAddress, reason: DropReason): number {
    this.#dropped[reason] += 1;
    this.#dropLog.drop(source, reason);
    return DROPPED;
  }

  /** The end of an interval: one record for each source that sent something, and the sums of what was dropped. */
  report(nowMs: number): void {
    const intervalMs = Math.max(1, Math.round(nowMs - this.#intervalStartMs));
    this.#intervalStartMs = nowMs;
    this.#broadcasts = this.#readBroadcasts();
    const { summaries, others } = this.#collect(nowMs);
    for (const activity of summaries) this.#writeSummary(describePeer(activity), activity, intervalMs);
    if (others.received > 0) this.#writeSummary('other sources', others, intervalMs);
    this.#dropLog.report(intervalMs);
  }

  /** The activity of the busiest sources, and the sum of all others'. */
  #collect(nowMs: number): { summaries: readonly SourceActivity[]; others: Sum } {
    const others = this.#forgotten;
    this.#forgotten = new Sum();
    const active: SourceActivity[] = [];
    this.#table.endInterval(nowMs, (row) => active.push(this.#table.activity(row)));
    active.sort((left, right) => right.received - left.received);
    for (const activity of active.slice(MAX_SUMMARIES)) others.add(activity);
    return { summaries: active.slice(0, MAX_SUMMARIES), others };
  }

  #writeSummary(
    peer: string,
    sum: Omit<SourceActivity, 'words' | 'port' | 'severalAddresses'>,
    intervalMs: number,
  ): void {
    const { received, echoed, dropped, bytesIn, bytesOut } = sum;
    this.#log.info(
      { event: 'datagrams', peer, received, echoed, dropped, bytesIn, bytesOut, intervalMs },
      `${peer}: ${received.toLocaleString('en-US')} received, ${echoed.toLocaleString('en-US')} echoed`,
    );
  }
}

class Sum {
  received = 0;
  echoed = 0;
  dropped = 0;
  bytesIn = 0;
  bytesOut = 0;

  add({ received, echoed, dropped, bytesIn, bytesOut }: SourceActivity): void {
    this.received += received;
    this.echoed += echoed;
    this.dropped += dropped;
    this.bytesIn += bytesIn;
    this.bytesOut += bytesOut;
  }
}

/** A source as a record names it: its endpoint while it used only one, else its address, else its /64. */
export function describePeer({ words, port, severalAddresses }: SourceActivity): string {
  if (severalAddresses) return `${formatAddress(addressOfWords([...words.slice(0, 2), 0, 0]))}/64`;
  const address = formatAddress(addressOfWords(words));
  if (port === 0) return address;
  return words.length === 1 ? `${address}:${port}` : `[${address}]:${port}`;
}

function scratchAddress(family: 4 | 6): { readonly view: DataView; readonly address: IpAddress } {
  const bytes = new Uint8Array(family === 4 ? 4 : 16);
  return { view: new DataView(bytes.buffer), address: { family, bytes } };
}
