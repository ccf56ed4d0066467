/**
 * Log records: NDJSON on stdout, one record a line, fields in the order `level time service pid event
 * conn peer`, then the event's own, then `msg` (docs/operations.md has the table of events).
 */
import { type DestinationStream, destination, pino } from 'pino';

/** Least urgent last, as `--log-level` takes them. */
export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof logLevels)[number];

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
  /** Where lines go; stdout, written synchronously, when left out. */
  readonly stream?: DestinationStream;
  /** Wall clock in milliseconds since 1970. */
  readonly now?: () => number;
}

/** What is kept of records that can't be written now (a full disk); what comes beyond is lost. */
const MAX_UNWRITTEN_BYTES = 1024 * 1024;

/** stdout, written synchronously. That it can't be written to must not end the service. */
function standardOutput(): DestinationStream {
  const stream = destination({ fd: 1, sync: true, maxLength: MAX_UNWRITTEN_BYTES });
  stream.on('error', () => {});
  return stream;
}

/**
 * A log that has written each record when the call returns: nothing is lost at exit or in a crash.
 * pino's own worker transports are not used because they lose lines there.
 */
export function createLog({ service, level, stream, now = Date.now }: LogOptions): Log {
  return pino(
    {
      level,
      base: { service, pid: process.pid },
      timestamp: () => `,"time":"${new Date(now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream ?? standardOutput(),
  ) as unknown as Log;
}
