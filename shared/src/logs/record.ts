/**
 * One line of a log: a record (a JSON object) or bare text, such as the stack trace of a crash. Text
 * has no time of its own; it takes the time of the record before it, and so keeps its place.
 */

/** The fields that every record of ours has, in the order of the file; any other may follow. */
export const leadingFields = ['level', 'time', 'service', 'pid', 'event', 'conn', 'peer'] as const;

export type LogRecord = Readonly<Record<string, unknown>>;

export interface LogLine {
  /** The service whose file the line is in. */
  readonly service: string;
  /** Milliseconds since 1970: the record's own, or that of the record before. */
  readonly timeMs: number;
  /** The line as it stands in the file, without its line end. */
  readonly text: string;
  /** `undefined` when the line is not a record. */
  readonly record: LogRecord | undefined;
  /** True when the line was longer than a reader keeps: `text` is its beginning. */
  readonly cut: boolean;
}

/** The object on a line, or `undefined` when the line holds anything else. */
export function parseRecord(text: string): LogRecord | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text) as LogRecord;
  } catch {
    return undefined;
  }
}

/** A record's time in milliseconds since 1970, or `undefined` when it has none that can be read. */
export function recordTimeMs({ time }: LogRecord): number | undefined {
  return typeof time === 'string' ? isoTimeMs(time) : undefined;
}

/** ISO 8601 with a zone; text without one would be read in the zone of the reader. */
export function isoTimeMs(text: string): number | undefined {
  const timeMs = /^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

/** A field with text as its value. */
export function textField(record: LogRecord, name: string): string | undefined {
  const value = record[name];
  return typeof value === 'string' ? value : undefined;
}

/** A field with a finite number as its value. */
export function numberField(record: LogRecord, name: string): number | undefined {
  const value = record[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/**
 * A text field read from a line that has not been parsed: a sieve, not a parser. `undefined` means
 * "cannot tell": the field is absent or holds an escape. The fields that every record begins with
 * stand before any object, so the first match is the record's own.
 */
export function peekField(text: string, name: string): string | undefined {
  const key = `"${name}":"`;
  const start = text.indexOf(key);
  if (start < 0) return undefined;
  const end = text.indexOf('"', start + key.length);
  const value = text.slice(start + key.length, Math.max(end, 0));
  return end < 0 || value.includes('\\') ? undefined : value;
}
