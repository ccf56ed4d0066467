/**
 * Refusals, counted exactly and logged at a bounded rate: the first of a source and reason at once,
 * the rest as one sum an interval. A flood of any size costs a bounded number of lines and bytes.
 */
import type { Log } from '../daemon/log.ts';
import type { RefusalReason } from './reasons.ts';

export const REFUSAL_INTERVAL_MS = 10_000;

/** Sources told apart in one interval; those beyond are summed under one name. */
const MAX_SOURCES = 100;
const OTHER_SOURCES = 'other sources';

interface Tally {
  readonly source: string;
  readonly reason: RefusalReason;
  /** Refused since the last record. */
  unreported: number;
}

export class RefusalLog {
  readonly #log: Log;
  readonly #clock: () => number;
  #reportedAtMs: number;
  readonly #tallies = new Map<string, Tally>();
  readonly #counts = new Map<RefusalReason, number>();

  /** @param clock monotonic, in milliseconds */
  constructor(log: Log, clock: () => number) {
    this.#log = log;
    this.#clock = clock;
    this.#reportedAtMs = clock();
  }

  /** Exact counts since the start, by reason. */
  get counts(): ReadonlyMap<RefusalReason, number> {
    return this.#counts;
  }

  refuse(peer: string, source: string, reason: RefusalReason): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    const known = this.#tallies.get(`${reason} ${source}`);
    if (known !== undefined) {
      known.unreported += 1;
    } else if (this.#tallies.size < MAX_SOURCES) {
      this.#tallies.set(`${reason} ${source}`, { source, reason, unreported: 0 });
      this.#log.warn({ event: 'connection-refused', peer, reason, refused: 1 }, `${source}: refused, ${reason}`);
    } else {
      this.#countOther(reason);
    }
  }

  #countOther(reason: RefusalReason): void {
    const key = `${reason} ${OTHER_SOURCES}`;
    const other = this.#tallies.get(key) ?? { source: OTHER_SOURCES, reason, unreported: 0 };
    other.unreported += 1;
    this.#tallies.set(key, other);
  }

  /** Called once an interval and at the end: one record for each source that was refused again. */
  report(): void {
    const nowMs = this.#clock();
    const intervalMs = Math.round(nowMs - this.#reportedAtMs);
    this.#reportedAtMs = nowMs;
    for (const [key, tally] of this.#tallies) {
      const { source, reason, unreported } = tally;
      if (unreported === 0) {
        this.#tallies.delete(key);
        continue;
      }
      tally.unreported = 0;
      const refused = unreported.toLocaleString('en-US');
      this.#log.warn(
        { event: 'connection-refused', peer: source, reason, refused: unreported, intervalMs },
        `${source}: ${refused} refused in ${Math.round(intervalMs / 1000)} s, ${reason}`,
      );
    }
  }
}
