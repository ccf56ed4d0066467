/**
 * A log line for a person: time, level, service, event, conn, peer, the event's own fields, and the
 * message last, so that nothing in it can be taken for a field. Each is one line of the terminal;
 * lines that belong to another (a stack trace) stand behind a bar.
 */
import type { Paint } from './colour.ts';
import { escapeJson, escapeText, escapeUpTo } from './escape.ts';
import { type LogLine, type LogRecord, leadingFields, recordTimeMs, textField } from './record.ts';

/** Longer values and lines of text are cut; `--json` has them whole. */
const MAX_VALUE_CHARACTERS = 2000;

const levelColours = { fatal: 'red', error: 'red', warn: 'yellow', info: 'green', debug: 'dim', trace: 'dim' } as const;
const LEVEL_WIDTH = 5;
const TIME_WIDTH = 'HH:MM:SS.mmm'.length;

/** Values that cannot be mistaken for anything else when they stand without quotes. */
const BARE = /^[\w.:+/@%~,[\]*-]+$/;

export interface PrinterOptions {
  readonly paint: Paint;
  /** Width of the column of services. */
  readonly serviceWidth: number;
}

export class Printer {
  readonly #paint: Paint;
  readonly #serviceWidth: number;
  #day = '';

  constructor({ paint, serviceWidth }: PrinterOptions) {
    this.#paint = paint;
    this.#serviceWidth = serviceWidth;
  }

  /** With its line end, and under a heading when it is the first line of a day (UTC). */
  format(line: LogLine): string {
    return `${this.heading(line.timeMs)}${this.formatLine(line)}`;
  }

  /** The same without the heading, which depends on the line before. */
  formatLine(line: LogLine): string {
    const service = this.#paint('cyan', this.serviceColumn(line.service));
    const time = this.#paint('dim', clockTime(line.timeMs));
    if (line.record === undefined) {
      return `${time} ${' '.repeat(LEVEL_WIDTH)} ${service} ${formatText(line, this.#paint)}\n`;
    }
    const level = formatLevel(line.record, this.#paint);
    const body = formatBody(line.record, line.service, this.#paint, []);
    return `${time} ${level} ${service} ${body}\n${this.#stack(line.record)}`;
  }

  serviceColumn(service: string): string {
    return escapeText(service).padEnd(this.#serviceWidth);
  }

  /** The day's heading before its first line, otherwise nothing. */
  heading(timeMs: number): string {
    const day = isoTime(timeMs).slice(0, 10);
    if (day === this.#day) return '';
    this.#day = day;
    return `${this.#paint('bold', `-- ${day} UTC --`)}\n`;
  }

  #stack(record: LogRecord): string {
    const indent = ' '.repeat(TIME_WIDTH + 1 + LEVEL_WIDTH + 1 + this.#serviceWidth + 1);
    return stackLines(record)
      .map((line) => `${indent}${this.#paint('dim', '|')} ${line}\n`)
      .join('');
  }
}

function isoTime(timeMs: number): string {
  const time = new Date(timeMs);
  return Number.isNaN(time.getTime()) ? '----------T--:--:--.---Z' : time.toISOString();
}

/** `HH:MM:SS.mmm` in UTC, as the files have it: it can be given to `--since`. */
export function clockTime(timeMs: number): string {
  return clockOf(isoTime(timeMs));
}

const clockOf = (iso: string): string => iso.slice(-'HH:MM:SS.mmmZ'.length, -1);

function formatLevel(record: LogRecord, paint: Paint): string {
  const level = textField(record, 'level') ?? '';
  const shown = escapeUpTo(level, 20).padEnd(LEVEL_WIDTH);
  return Object.hasOwn(levelColours, level) ? paint(levelColours[level as keyof typeof levelColours], shown) : shown;
}

/** A line that is no record. */
export function formatText({ text, cut }: LogLine, paint: Paint): string {
  const more = cut ? ' ... (the line goes on; too long to keep)' : '';
  return `${paint('dim', '|')} ${escapeUpTo(text, MAX_VALUE_CHARACTERS)}${more}`;
}

/** Everything of a record after level and service, without the fields named in `omitted`. */
export function formatBody(record: LogRecord, service: string, paint: Paint, omitted: readonly string[]): string {
  const shown = (name: string): boolean => record[name] !== undefined && !omitted.includes(name);
  const parts: string[] = [];
  if (shown('event')) parts.push(paint('bold', formatValue(record.event)));
  if (shown('conn')) parts.push(paint('magenta', formatValue(record.conn)));
  if (shown('peer')) parts.push(formatValue(record.peer));
  if (shown('service') && record.service !== service) parts.push(formatField('service', record.service, paint));
  for (const name of Object.keys(record)) {
    if (!shown(name) || name === 'msg' || (name === 'stack' && hasStack(record)) || hasColumn(record, name)) continue;
    parts.push(formatField(name, withoutStack(record[name]), paint));
  }
  if (shown('msg')) parts.push(paint('dim', '-'), formatMessage(record.msg));
  return parts.join(' ');
}

/** Whether a field is shown in a place of its own; a level or time that is not what it should be is not. */
function hasColumn(record: LogRecord, name: string): boolean {
  if (name === 'level') return typeof record.level === 'string';
  if (name === 'time') return recordTimeMs(record) !== undefined;
  return (leadingFields as readonly string[]).includes(name);
}

function formatField(name: string, value: unknown, paint: Paint): string {
  return `${paint('dim', `${escapeUpTo(name, 100)}=`)}${formatValue(value)}`;
}

function formatMessage(message: unknown): string {
  return typeof message === 'string' ? escapeUpTo(message, MAX_VALUE_CHARACTERS) : formatValue(message);
}

function formatValue(value: unknown): string {
  if (typeof value === 'string') return BARE.test(value) ? escapeUpTo(value, MAX_VALUE_CHARACTERS) : quoteValue(value);
  // Numbers, booleans, null; objects and arrays as JSON.
  const json = escapeJson(JSON.stringify(value));
  return json.length > MAX_VALUE_CHARACTERS ? `${json.slice(0, MAX_VALUE_CHARACTERS)}...` : json;
}

function quoteValue(value: string): string {
  return `"${escapeUpTo(value, MAX_VALUE_CHARACTERS).replaceAll('"', '\\"')}"`;
}

/** A logged error carries its stack, which is shown below the line. */
function withoutStack(value: unknown): unknown {
  if (!hasStack(value)) return value;
  const { stack: _, ...rest } = value;
  return rest;
}

function stackLines(record: LogRecord): readonly string[] {
  const stacks = [record, ...Object.values(record)].filter(hasStack);
  return stacks.flatMap(({ stack }) => stack.split(/\r?\n/).map((line) => escapeUpTo(line, MAX_VALUE_CHARACTERS)));
}

function hasStack(value: unknown): value is { readonly stack: string } {
  return typeof value === 'object' && value !== null && 'stack' in value && typeof value.stack === 'string';
}
