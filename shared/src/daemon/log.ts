/**
 * Log records: NDJSON on stdout or in a file, one record a line, fields in the order `level time service pid event
 * conn peer`, then the event's own, then `msg` (docs/operations.md has the table of events).
 */
import { type DestinationStream, pino } from 'pino';
import { type LogLevel, logLevels } from './log-levels.ts';
import { fileOutput, type LogOutput, standardOutput } from './log-output.ts';
import { formatRecord } from './record-line.ts';

/** A record's fields but for those that every record has. They are written in the order given. */
export interface RecordFields {
  readonly event: string;
  /** Short id of the connection, unique in the process. */
  readonly conn?: string;
  /** `ip:port` or `[ip6]:port`. */
  readonly peer?: string;
  readonly [field: string]: unknown;
}

type Write = (fields: RecordFields, message: string) => void;

/** What a service writes its records with. */
export interface Log extends Readonly<Record<LogLevel, Write>> {
  level: string;
  /** For the hot path: whether a record of this level would be written at all. */
  isLevelEnabled(level: LogLevel): boolean;
  /**
   * For a record so frequent that finding out what its fields are costs too much.
   *
   * @param own what follows `event`, `msg` included, as it stands in JSON, without the braces
   */
  writeOwn(level: LogLevel, record: { readonly event: string; readonly own: string }): void;
}

export interface LogOptions {
  readonly service: string;
  readonly level: LogLevel;
  /** A file that lines are added to, or `off` for stdout, which it is when left out. */
  readonly file?: string;
  /** Takes the lines in place of both. */
  readonly stream?: { write(line: string, urgent: boolean): void };
  /** Wall clock in milliseconds since 1970. */
  readonly now?: () => number;
}

/** How a line of each level begins at a time; many records have the same millisecond. */
class Heads {
  readonly #now: () => number;
  readonly #identity: string;
  /** What stands before the time, by pino's number of the level. */
  readonly #levels = new Map(logLevels.map((label) => [pino.levels.values[label] ?? 0, `{"level":"${label}"`]));
  readonly #heads = new Map<number, string>();
  #timeMs = Number.NaN;
  #time = '';

  constructor(identity: string, now: () => number) {
    this.#identity = identity;
    this.#now = now;
  }

  /** `,"time":"..."` of now. */
  time(): string {
    const nowMs = this.#now();
    if (nowMs !== this.#timeMs) {
      this.#timeMs = nowMs;
      this.#time = `,"time":"${new Date(nowMs).toISOString()}"`;
      this.#heads.clear();
    }
    return this.#time;
  }

  of(level: number): string {
    const time = this.time();
    const known = this.#heads.get(level);
    if (known !== undefined) return known;
    const head = `${this.#levels.get(level)}${time}${this.#identity}`;
    this.#heads.set(level, head);
    return head;
  }
}

/** Records of these levels are written at once. */
const URGENT_LEVEL = pino.levels.values.warn ?? 0;

/**
 * What a log loses at which end of the process is in line-writer.ts and log-output.ts. pino's own worker transports
 * are not used because they lose lines at an exit.
 *
 * @throws AppError LOG_UNWRITABLE
 */
export function createLog({ service, level, file = 'off', stream, now = Date.now }: LogOptions): Log {
  const reportLost = (lines: number): void => {
    log.warn({ event: 'log-lost', records: lines }, `${lines} records were lost: the log could not be written`);
  };
  const inFile = stream === undefined && file !== 'off' ? fileOutput(file, reportLost) : undefined;
  const output: Partial<LogOutput> & Pick<LogOutput, 'write'> = stream ?? inFile ?? standardOutput(reportLost);
  const base = { service, pid: process.pid };
  const heads = new Heads(`,${JSON.stringify(base).slice(1, -1)}`, now);
  const log = pino(
    {
      level,
      base,
      timestamp: () => heads.time(),
      formatters: { level: (label) => ({ level: label }) },
      hooks: {
        // pino's own way from fields to a line costs three times as much, which a record for each connection shows.
        logMethod(args, method, level) {
          const [fields, message] = args as unknown as [RecordFields, string];
          const line = formatRecord(heads.of(level), fields, message);
          // What JSON can't say (a bigint, a circle) pino finds words for.
          if (line === undefined) method.apply(this, args);
          else output.write(line, level >= URGENT_LEVEL);
        },
      },
    },
    output as DestinationStream,
  ) as unknown as Log;
  log.writeOwn = (label, { event, own }) => {
    if (!log.isLevelEnabled(label)) return;
    const number = pino.levels.values[label] ?? 0;
    output.write(`${heads.of(number)},"event":"${event}",${own}}\n`, number >= URGENT_LEVEL);
  };
  const recovered = inFile?.recovered ?? 0;
  if (recovered > 0) {
    const message = `${recovered} records before this one are of a process that was ended before it could write them`;
    log.warn({ event: 'log-recovered', records: recovered }, message);
  }
  return log;
}
