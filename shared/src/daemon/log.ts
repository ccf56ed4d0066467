/**
 * Log records: NDJSON on stdout or in a file, one record a line, fields in the order `level time service pid event
 * conn peer`, then the event's own, then `msg` (docs/operations.md has the table of events).
 */
import { type DestinationStream, pino } from 'pino';
import { type LogLevel, logLevels } from './log-levels.ts';
import { fileOutput, type LogOutput, standardOutput } from './log-output.ts';

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

/** The time of a record as it is written; many records have the same millisecond. */
function timestamp(now: () => number): () => string {
  let lastMs = Number.NaN;
  let text = '';
  return () => {
    const nowMs = now();
    if (nowMs !== lastMs) text = `,"time":"${new Date(nowMs).toISOString()}"`;
    lastMs = nowMs;
    return text;
  };
}

/** One line; `undefined` when the fields can't be written as JSON. */
function formatRecord(
  head: string,
  time: string,
  identity: string,
  fields: RecordFields,
  message: string,
): string | undefined {
  try {
    return `${head}${time}${identity},${JSON.stringify(fields).slice(1, -1)},"msg":${JSON.stringify(message)}}\n`;
  } catch {
    return undefined;
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
  const time = timestamp(now);
  const heads = Object.fromEntries(logLevels.map((label) => [pino.levels.values[label], `{"level":"${label}"`]));
  const base = { service, pid: process.pid };
  const identity = `,${JSON.stringify(base).slice(1, -1)}`;
  const log = pino(
    {
      level,
      base,
      timestamp: time,
      formatters: { level: (label) => ({ level: label }) },
      hooks: {
        // pino's own way from fields to a line costs three times as much, which a record for each connection shows.
        logMethod(args, method, level) {
          const [fields, message] = args as unknown as [RecordFields, string];
          const line = formatRecord(heads[level] ?? '', time(), identity, fields, message);
          // What JSON can't say (a bigint, a circle) pino finds words for.
          if (line === undefined) method.apply(this, args);
          else output.write(line, level >= URGENT_LEVEL);
        },
      },
    },
    output as DestinationStream,
  ) as unknown as Log;
  const recovered = inFile?.recovered ?? 0;
  if (recovered > 0) {
    const message = `${recovered} records before this one are of a process that was ended before it could write them`;
    log.warn({ event: 'log-recovered', records: recovered }, message);
  }
  return log;
}
