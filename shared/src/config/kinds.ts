/**
 * The kinds of value a setting can have. Flags, environment variables and the configuration file all
 * give text (a JSON scalar is taken as its text), so each kind reads and writes one text form.
 */
import { formatDurationMs, formatSizeBytes, parseCount, parseDurationMs, parseSizeBytes } from './units.ts';

export interface Kind<T> {
  /** What is allowed, as the end of the sentence "expected ...". */
  readonly allowed: string;
  /** What `--help` shows in place of the value; empty for a switch. */
  readonly placeholder: string;
  /** The unit that names of properties of this kind end with. */
  readonly unitSuffix: '' | 'Ms' | 'Bytes';
  /** True when the setting may be given several times. */
  readonly list: boolean;
  /** `undefined` when the text is not allowed. */
  parse(text: string): T | undefined;
  format(value: T): string;
  /** JSON Schema of the value in the configuration file. */
  readonly jsonSchema: Readonly<Record<string, unknown>>;
}

interface Range {
  readonly min: number;
  readonly max: number;
}

interface Limit extends Range {
  /** `0` and `off` switch the limit off; the value is then 0. */
  readonly off?: boolean;
}

function isOff(text: string, limit: Limit): boolean {
  return limit.off === true && (text === '0' || text === 'off');
}

function ranged(value: number | undefined, { min, max }: Range): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

const orOff = (limit: Limit): string => (limit.off === true ? ', or 0 or off for no limit' : '');

const LONGEST_MS = 2 ** 31 - 1;

/** A duration in milliseconds; timers of Node end at 2^31 - 1 ms (24.8 days). */
export function duration(limit: Partial<Limit> = {}): Kind<number> {
  const range = { min: 1, max: LONGEST_MS, ...limit };
  return {
    allowed: `a duration from ${formatDurationMs(range.min)} to ${range.max === LONGEST_MS ? '24d' : formatDurationMs(range.max)} with its unit (us, ms, s, m, h, d), such as 250ms, 30s, 5m${orOff(range)}`,
    placeholder: 'DURATION',
    unitSuffix: 'Ms',
    list: false,
    parse: (text) => (isOff(text, range) ? 0 : ranged(parseDurationMs(text), range)),
    format: (value) => (value === 0 && range.off === true ? 'off' : formatDurationMs(value)),
    jsonSchema: {
      type: range.off === true ? ['string', 'number'] : 'string',
      pattern: `^(\\d+(\\.\\d+)?(us|ms|s|m|h|d)${range.off === true ? '|0|off' : ''})$`,
      ...(range.off === true ? { maximum: 0, minimum: 0 } : {}),
    },
  };
}

/** A size in bytes. */
export function size(limit: Partial<Limit> = {}): Kind<number> {
  const range = { min: 1, max: Number.MAX_SAFE_INTEGER, ...limit };
  return {
    allowed: `a size ${range.max === Number.MAX_SAFE_INTEGER ? `of at least ${formatSizeBytes(range.min)}` : `from ${formatSizeBytes(range.min)} to ${formatSizeBytes(range.max)}`} with its unit (B, KiB, MiB, GiB, TiB), such as 64KiB${orOff(range)}`,
    placeholder: 'SIZE',
    unitSuffix: 'Bytes',
    list: false,
    parse: (text) => (isOff(text, range) ? 0 : ranged(parseSizeBytes(text), range)),
    format: (value) => (value === 0 && range.off === true ? 'off' : formatSizeBytes(value)),
    jsonSchema: {
      type: range.off === true ? ['string', 'number'] : 'string',
      pattern: `^(\\d+(\\.\\d+)?(B|KiB|MiB|GiB|TiB)${range.off === true ? '|0|off' : ''})$`,
      ...(range.off === true ? { maximum: 0, minimum: 0 } : {}),
    },
  };
}

/** A whole number. */
export function count(limit: Partial<Limit> = {}): Kind<number> {
  const range = { min: 1, max: Number.MAX_SAFE_INTEGER, ...limit };
  return {
    allowed: `a whole number ${range.max === Number.MAX_SAFE_INTEGER ? `of at least ${range.min}` : `from ${range.min} to ${range.max}`}${orOff(range)}`,
    placeholder: 'N',
    unitSuffix: '',
    list: false,
    parse: (text) => (isOff(text, range) ? 0 : ranged(parseCount(text), range)),
    format: (value) => (value === 0 && range.off === true ? 'off' : String(value)),
    jsonSchema: {
      type: range.off === true ? ['integer', 'string'] : 'integer',
      minimum: range.off === true ? 0 : range.min,
      ...(range.max === Number.MAX_SAFE_INTEGER ? {} : { maximum: range.max }),
      ...(range.off === true ? { pattern: '^(0|[1-9]\\d*|off)$' } : {}),
    },
  };
}

/** A TCP or UDP port to listen on; 0 takes a free one. */
export function port(): Kind<number> {
  const range = { min: 0, max: 65_535 };
  return {
    allowed: 'a port from 0 to 65535 (0 takes a free one)',
    placeholder: 'PORT',
    unitSuffix: '',
    list: false,
    parse: (text) => ranged(parseCount(text), range),
    format: String,
    jsonSchema: { type: 'integer', minimum: range.min, maximum: range.max },
  };
}

/** A switch: the flag alone turns it on, `=false` turns it off. */
export function toggle(): Kind<boolean> {
  const values = new Map([
    ['true', true],
    ['false', false],
  ]);
  return {
    allowed: 'true or false',
    placeholder: '',
    unitSuffix: '',
    list: false,
    parse: (text) => values.get(text),
    format: String,
    jsonSchema: { type: 'boolean' },
  };
}

/** One of a few words. */
export function choice<const T extends string>(...words: readonly T[]): Kind<T> {
  return {
    allowed: `one of ${words.join(', ')}`,
    placeholder: words.join('|'),
    unitSuffix: '',
    list: false,
    parse: (text) => words.find((word) => word === text),
    format: String,
    jsonSchema: { enum: words },
  };
}

interface TextRule {
  readonly allowed: string;
  readonly placeholder: string;
  readonly maxLength?: number;
  /** Called with text of at most `maxLength` characters without control characters. */
  readonly accepts?: (text: string) => boolean;
}

/** Free text on one line. Control characters are refused: the text is shown in logs and on terminals. */
export function text({ allowed, placeholder, maxLength = 1024, accepts = () => true }: TextRule): Kind<string> {
  return {
    allowed,
    placeholder,
    unitSuffix: '',
    list: false,
    parse: (raw) => (raw.length <= maxLength && !/\p{Cc}/u.test(raw) && accepts(raw) ? raw : undefined),
    format: String,
    jsonSchema: { type: 'string', maxLength, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$' },
  };
}

/** Any number of values of one kind: a flag given several times, a variable with commas, a JSON array. */
export function listOf<T>(item: Kind<T>): Kind<readonly T[]> {
  return {
    allowed: `${item.allowed}; several may be given`,
    placeholder: item.placeholder,
    unitSuffix: '',
    list: true,
    parse: (raw) => {
      const values = raw === '' ? [] : raw.split(',').map((part) => item.parse(part.trim()));
      return values.some((value) => value === undefined) ? undefined : (values as T[]);
    },
    format: (values) => values.map((value) => item.format(value)).join(','),
    jsonSchema: { type: ['array', 'string'], items: item.jsonSchema },
  };
}
