/** What becomes of commands and transfers: records for the log, numbers for the metrics. */
import type { Log } from '@small-servers/shared/daemon/log';
import { Histogram, histogram, type MetricFamily } from '@small-servers/shared/daemon/metrics';
import { RecordAllowance } from '@small-servers/shared/daemon/record-allowance';
import { errorCodes, type FileError, type FileErrorCode } from './protocol/codes.ts';
import { type VerbName, verbs } from './protocol/verbs.ts';

/** How a transfer ended: a closed union, documented in docs/operations.md. */
export const outcomes = {
  complete: 'every byte was sent, or stored for good',
  unchanged: 'the peer has it already: nothing was sent',
  refused: 'nothing was transferred; `code` says why',
  failed: 'it ended in the middle with an error; `code` says which',
  cut: 'the connection ended in the middle, and nothing was kept',
  suspended: 'the connection ended in the middle, and the upload can be resumed',
} as const;
export type Outcome = keyof typeof outcomes;

/** From a file of a web page to one of a night. */
const DURATION_BOUNDS_SECONDS = [0.001, 0.01, 0.1, 1, 10, 60, 600, 3_600, 36_000];

/** Refusals of one connection that have a record; and of all connections together, a second. */
const LOGGED_REFUSALS = 10;
const REFUSALS_A_SECOND = 100;

/** Codes of transfers that somebody should see to. */
const ALARMING: ReadonlySet<FileErrorCode> = new Set(['NOSPACE', 'INTERNAL']);

export interface Peer {
  readonly id: string;
  readonly peer: string;
}

/** A command of which nothing was done. What its line says is kept out of the log, but for its first word. */
export interface Refused {
  readonly verb?: VerbName | undefined;
  readonly path?: string | undefined;
  /** Where it is no verb. */
  readonly word?: string | undefined;
  /** How many there were on this connection, this one included. */
  readonly refusals: number;
}

/** One file on its way, from the command to its record. */
export interface Transfer {
  readonly verb: VerbName;
  readonly path: string;
  readonly startedMs: number;
  readonly peer: Peer;
  offset: number;
}

export class Transfers {
  readonly #log: Log;
  readonly #clock: () => number;
  readonly #commands = new Map<VerbName, number>();
  readonly #errors = new Map<FileErrorCode, number>();
  readonly #outcomes = new Map<Outcome, number>();
  readonly #refusalRecords = new RecordAllowance();
  readonly #durationSeconds = new Histogram(DURATION_BOUNDS_SECONDS);
  #sentBytes = 0;
  #receivedBytes = 0;
  #open = 0;

  /** @param clock monotonic, in milliseconds */
  constructor(log: Log, clock: () => number) {
    this.#log = log;
    this.#clock = clock;
  }

  command(verb: VerbName): void {
    this.#commands.set(verb, (this.#commands.get(verb) ?? 0) + 1);
  }

  error(code: FileErrorCode): void {
    this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1);
  }

  begin(verb: VerbName, path: string, peer: Peer): Transfer {
    this.#open += 1;
    return { verb, path, peer, startedMs: this.#clock(), offset: 0 };
  }

  /** Each transfer that was begun is ended once. `bytes`: those of the content that moved. */
  end({ verb, path, peer, startedMs, offset }: Transfer, outcome: Outcome, bytes: number, code?: FileErrorCode): void {
    const ms = this.#clock() - startedMs;
    this.#open -= 1;
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
    this.#durationSeconds.observe(ms / 1000);
    if (verbs[verb].needs === 'write') this.#receivedBytes += bytes;
    else this.#sentBytes += bytes;
    const level = code !== undefined && ALARMING.has(code) ? 'warn' : 'info';
    if (!this.#log.isLevelEnabled(level)) return;
    const durationMs = Math.round(ms);
    const rate = ms > 0 ? Math.round((bytes / ms) * 1000) : 0;
    this.#log[level](
      { event: 'transfer', conn: peer.id, peer: peer.peer, verb, path, bytes, offset, durationMs, rate, outcome, code },
      `${peer.peer} ${verb} ${path}: ${bytes} bytes, ${outcome}${code === undefined ? '' : ` (${code})`}`,
    );
  }

  /** Nobody fills the log with what is refused: see the numbers above. */
  refused({ id: conn, peer }: Peer, { verb, path, word, refusals }: Refused, { code, message }: FileError): void {
    if (refusals > LOGGED_REFUSALS || !this.#refusalRecords.take(this.#clock(), REFUSALS_A_SECOND)) return;
    const unlogged = this.#refusalRecords.takeUnlogged() || undefined;
    const what = [verb ?? 'a line', path].filter((part) => part !== undefined).join(' ');
    this.#log.info(
      { event: 'command-refused', conn, peer, verb, path, word, code, refusals, unlogged },
      `${peer} ${what}: ${code}, ${message}`,
    );
  }

  /** A change without content: something was made, moved or removed. */
  changed(verb: VerbName, path: string, { id, peer }: Peer, to?: string): void {
    const message = `${peer} ${verb} ${path}${to === undefined ? '' : ` to ${to}`}`;
    this.#log.info({ event: 'file-changed', conn: id, peer, verb, path, to }, message);
  }

  metrics(): readonly MetricFamily[] {
    return [
      {
        name: 'small_servers_file_commands_total',
        help: 'Commands that were understood, by verb',
        type: 'counter',
        samples: (Object.keys(verbs) as VerbName[]).map((verb) => ({
          labels: { verb },
          value: this.#commands.get(verb) ?? 0,
        })),
      },
      {
        name: 'small_servers_file_errors_total',
        help: 'Commands that were answered with an error, by its code',
        type: 'counter',
        samples: (Object.keys(errorCodes) as FileErrorCode[]).map((code) => ({
          labels: { code },
          value: this.#errors.get(code) ?? 0,
        })),
      },
      {
        name: 'small_servers_file_transfers_total',
        help: 'Transfers that ended, by outcome',
        type: 'counter',
        samples: (Object.keys(outcomes) as Outcome[]).map((outcome) => ({
          labels: { outcome },
          value: this.#outcomes.get(outcome) ?? 0,
        })),
      },
      {
        name: 'small_servers_file_transfers_open',
        help: 'Transfers under way',
        type: 'gauge',
        samples: [{ value: this.#open }],
      },
      {
        name: 'small_servers_file_bytes_total',
        help: 'Bytes of file content of transfers that ended, by direction',
        type: 'counter',
        samples: [
          { labels: { direction: 'sent' }, value: this.#sentBytes },
          { labels: { direction: 'received' }, value: this.#receivedBytes },
        ],
      },
      histogram(
        'small_servers_file_transfer_duration_seconds',
        'How long transfers that ended took',
        this.#durationSeconds,
      ),
    ];
  }
}
