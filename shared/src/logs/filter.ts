/**
 * Which lines to show. Each condition has up to three forms, from cheap to exact: bytes that every
 * matching line contains, a look at the text, and a judgement of the parsed line. The first two may
 * let too much through, never too little.
 */
import { requiredLiteral } from './literal.ts';
import { type LogLine, type LogRecord, peekField, textField } from './record.ts';

/** Least urgent first. */
export const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type Level = (typeof levels)[number];

export interface LineQuery {
  /** This level and the more urgent ones. A line of bare text has no level and is always shown. */
  readonly level?: Level | undefined;
  /** Any of these events. */
  readonly events?: readonly string[];
  readonly conn?: string | undefined;
  /** Whether the value of the field `peer` is one that is asked for. */
  readonly peer?: ((peer: string) => boolean) | undefined;
  /** Text that every such peer contains, to find the lines by. */
  readonly peerText?: string | undefined;
  /** Matched with the line as it stands in the file. */
  readonly grep?: RegExp | undefined;
  /** Milliseconds since 1970; from this one on. */
  readonly sinceMs?: number | undefined;
  /** Milliseconds since 1970; up to and with this one. */
  readonly untilMs?: number | undefined;
}

interface Condition {
  readonly literal?: string;
  readonly textIsEnough?: true;
  readonly mayMatch?: (text: string) => boolean;
  readonly matches: (line: LogLine) => boolean;
}

export interface LineFilter {
  /** Bytes that every matching line contains. */
  readonly literal: Buffer | undefined;
  /** True when `mayMatch` is as good as `matches`. */
  readonly textIsEnough: boolean;
  /** False when the text of a line shows that it cannot match. */
  readonly mayMatch: (text: string) => boolean;
  readonly matches: (line: LogLine) => boolean;
}

export function createFilter(query: LineQuery): LineFilter {
  // The most telling literal comes first.
  const conditions = [
    connCondition(query.conn),
    grepCondition(query.grep),
    peerCondition(query.peer, query.peerText),
    eventCondition(query.events ?? []),
    levelCondition(query.level),
    timeCondition(query.sinceMs, query.untilMs),
  ].filter((condition) => condition !== undefined);
  const sieves = conditions.map(({ mayMatch }) => mayMatch).filter((sieve) => sieve !== undefined);
  const literal = conditions.find((condition) => (condition.literal ?? '').length > 1)?.literal;
  return {
    literal: literal === undefined ? undefined : Buffer.from(literal),
    textIsEnough: conditions.every(({ textIsEnough }) => textIsEnough),
    mayMatch: sieveOf(sieves),
    matches: (line) => conditions.every((condition) => condition.matches(line)),
  };
}

function sieveOf(sieves: readonly ((text: string) => boolean)[]): (text: string) => boolean {
  const [only, ...others] = sieves;
  if (only === undefined) return () => true;
  return others.length === 0 ? only : (text) => sieves.every((sieve) => sieve(text));
}

function grepCondition(grep: RegExp | undefined): Condition | undefined {
  if (grep === undefined) return undefined;
  const literal = requiredLiteral(grep.source);
  const test = (text: string): boolean => grep.test(text);
  // An expression that is its own literal is not asked again about lines that were found by it.
  const sieve = literal.length > 1 && literal === grep.source ? {} : { mayMatch: test };
  return { literal, ...sieve, textIsEnough: true, matches: ({ text }) => test(text) };
}

function connCondition(conn: string | undefined): Condition | undefined {
  if (conn === undefined) return undefined;
  return { literal: JSON.stringify(conn), matches: ofRecord((record) => record.conn === conn) };
}

function peerCondition(isWanted: LineQuery['peer'], contained: string | undefined): Condition | undefined {
  if (isWanted === undefined) return undefined;
  return {
    ...(contained === undefined ? {} : { literal: contained }),
    mayMatch: fieldSieve('peer', isWanted),
    matches: ofRecord((record) => isWanted(textField(record, 'peer') ?? '')),
  };
}

function eventCondition(events: readonly string[]): Condition | undefined {
  if (events.length === 0) return undefined;
  const isWanted = (event: string): boolean => events.includes(event);
  return {
    ...(events.length === 1 ? { literal: JSON.stringify(events[0]) } : {}),
    mayMatch: fieldSieve('event', isWanted),
    matches: ofRecord((record) => isWanted(textField(record, 'event') ?? '')),
  };
}

function levelCondition(level: Level | undefined): Condition | undefined {
  if (level === undefined) return undefined;
  const lower = new Set<string>(levels.slice(0, levels.indexOf(level)));
  return {
    mayMatch: (text) => !text.startsWith('{"level":"') || !lower.has(text.slice(10, text.indexOf('"', 10))),
    matches: ({ record }) => record === undefined || !lower.has(textField(record, 'level') ?? ''),
  };
}

function timeCondition(sinceMs = -Infinity, untilMs = Infinity): Condition | undefined {
  if (sinceMs === -Infinity && untilMs === Infinity) return undefined;
  const since = isoText(sinceMs, '');
  const until = isoText(untilMs, '~');
  return {
    // Times of one form are in the order of their texts.
    mayMatch: (text) => {
      const time = text.startsWith('{') ? peekField(text, 'time') : undefined;
      return time === undefined || !ISO_MS_UTC.test(time) || (time >= since && time <= until);
    },
    // A time that is not known yet (NaN) is judged again when it is.
    matches: ({ timeMs }) => !(timeMs < sinceMs || timeMs > untilMs),
  };
}

const ISO_MS_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function isoText(timeMs: number, otherwise: string): string {
  return Number.isFinite(timeMs) ? new Date(timeMs).toISOString() : otherwise;
}

function ofRecord(test: (record: LogRecord) => boolean): Condition['matches'] {
  return ({ record }) => record !== undefined && test(record);
}

function fieldSieve(name: string, isWanted: (value: string) => boolean): (text: string) => boolean {
  return (text) => {
    const value = peekField(text, name);
    return value === undefined || isWanted(value);
  };
}
