/**
 * Dropped datagrams, logged at a bounded rate: the first of a source and reason at once, the rest as one sum an
 * interval. A flood of any size, from any number of sources, costs a bounded number of lines and bytes. How many
 * were dropped altogether is counted elsewhere, exactly.
 */
import type { Log } from '../daemon/log.ts';
import { type DropReason, dropReasonNames, dropReasons } from './datagram-reasons.ts';
import { formatSource, SourceAddress } from './source-address.ts';
import { mix } from './source-table.ts';

/** Sources told apart in one interval; those beyond are summed by reason. */
const MAX_TALLIES = 100;

interface Tally {
  readonly source: SourceAddress;
  readonly peer: string;
  readonly reason: DropReason;
  /** Dropped since the last record. */
  unreported: number;
}

export class DropLog {
  readonly #log: Log;
  /** By a hash of source and reason; sources whose hashes are equal share a list. */
  readonly #tallies = new Map<number, Tally[]>();
  #size = 0;
  /** Dropped from sources beyond those told apart, by reason. */
  readonly #others = new Map<DropReason, number>();

  constructor(log: Log) {
    this.#log = log;
  }

  drop(source: SourceAddress, reason: DropReason): void {
    // Small integers are the fastest keys of a Map.
    const key = mix(source.w0 ^ source.w1 ^ source.w2 ^ source.w3 ^ dropReasonNames.indexOf(reason)) >>> 2;
    const tallies = this.#tallies.get(key);
    const known = tallies?.find((tally) => tally.reason === reason && isSameAddress(tally.source, source));
    if (known !== undefined) {
      known.unreported += 1;
    } else if (this.#size < MAX_TALLIES) {
      const kept = new SourceAddress();
      kept.copy(source);
      const peer = formatSource(source);
      const tally = { source: kept, peer, reason, unreported: 0 };
      if (tallies === undefined) this.#tallies.set(key, [tally]);
      else tallies.push(tally);
      this.#size += 1;
      this.#log.info({ event: 'datagram-dropped', peer, reason, dropped: 1 }, `${peer}: ${dropReasons[reason]}`);
    } else {
      this.#others.set(reason, (this.#others.get(reason) ?? 0) + 1);
    }
  }

  /** The end of an interval: one record for each source that more was dropped from, then all are forgotten. */
  report(intervalMs: number): void {
    const write = (peer: string, reason: DropReason, dropped: number): void => {
      if (dropped === 0) return;
      const count = dropped.toLocaleString('en-US');
      this.#log.info(
        { event: 'datagram-dropped', peer, reason, dropped, intervalMs },
        `${peer}: ${count} more dropped in ${Math.round(intervalMs / 1000)} s: ${dropReasons[reason]}`,
      );
    };
    for (const { peer, reason, unreported } of [...this.#tallies.values()].flat()) write(peer, reason, unreported);
    for (const [reason, dropped] of this.#others) write('other sources', reason, dropped);
    this.#tallies.clear();
    this.#others.clear();
    this.#size = 0;
  }
}

/** Ports may change from one datagram to the next; a flood from one address is one matter. */
function isSameAddress(one: SourceAddress, other: SourceAddress): boolean {
  return (
    one.w3 === other.w3 &&
    one.w2 === other.w2 &&
    one.w1 === other.w1 &&
    one.w0 === other.w0 &&
    one.family === other.family
  );
}
