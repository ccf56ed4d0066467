/**
 * A stamp: the time on a clock, as a client writes it. Pure.
 *
 *   stamp    = date ("T" / "t" / SP) time [fraction] [zone]
 *   date     = 4DIGIT "-" 2DIGIT "-" 2DIGIT           ; the years 0000 to 9999
 *   time     = 2DIGIT ":" 2DIGIT ":" 2DIGIT           ; 60 is a leap second, read as the one after :59
 *   fraction = ("." / ",") 1*9DIGIT
 *   zone     = "Z" / "z" / ("+" / "-") 2DIGIT [[":"] 2DIGIT]
 *   pairs    = 1*(1*SP key "=" value)                 ; after the stamp
 *   key      = 1*32(ALPHA / DIGIT / "-" / "_" / ".")
 *   value    = 1*128(%x21-7E)
 *
 *   bytes  0    4 5  7 8  10 11 13 14 16 17 19
 *          YYYY - MM - DD SP HH :  MM :  SS          the 19 bytes of strftime("%Y-%m-%d %H:%M:%S")
 */

/** The shortest stamp, and the part that all begin with. */
export const CORE_BYTES = 19;

const DIGIT = 0;
const SEPARATOR = 1;

/** What may stand at each of the first 19 bytes: a digit, the separator of date and time, or that very byte. */
const core: readonly number[] = Array.from('dddd-dd-ddTdd:dd:dd', (sign) => {
  if (sign === 'd') return DIGIT;
  return sign === 'T' ? SEPARATOR : sign.charCodeAt(0);
});

const [SPACE, T_UPPER, T_LOWER] = [0x20, 0x54, 0x74];

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;

/** How many of the first 19 bytes from `start` are there and as a stamp has them; -1 as soon as one is not. */
export function matchCore(bytes: Uint8Array, start: number, end: number): number {
  const length = Math.min(CORE_BYTES, end - start);
  for (let index = 0; index < length; index++) {
    const byte = bytes[start + index] as number;
    const expected = core[index];
    if (expected === DIGIT) {
      if (byte < 0x30 || byte > 0x39) return -1;
    } else if (expected === SEPARATOR) {
      if (byte !== SPACE && byte !== T_UPPER && byte !== T_LOWER) return -1;
    } else if (byte !== expected) return -1;
  }
  return length;
}

export interface StampTail {
  /** Just after fraction and zone, as far as they go. */
  readonly end: number;
  /** Whether a zone stands there: nothing can make the stamp longer then. */
  readonly hasZone: boolean;
  /** Whether it may be all: neither the fraction nor the zone stops in the middle. */
  readonly whole: boolean;
}

const [DOT, COMMA, PLUS, MINUS, COLON, Z_UPPER, Z_LOWER] = [0x2e, 0x2c, 0x2b, 0x2d, 0x3a, 0x5a, 0x7a];

/** Where fraction and zone of a stamp end whose first 19 bytes end at `from`. What is no zone is left alone. */
export function scanTail(bytes: Uint8Array, from: number, end: number): StampTail {
  let at = from;
  if (at < end && (bytes[at] === DOT || bytes[at] === COMMA)) {
    at += 1;
    while (at < end && isDigit(bytes[at])) at += 1;
    if (at === from + 1) return { end: at, hasZone: false, whole: false };
  }
  const sign = at < end ? bytes[at] : undefined;
  if (sign === Z_UPPER || sign === Z_LOWER) return { end: at + 1, hasZone: true, whole: true };
  if (sign !== PLUS && sign !== MINUS) return { end: at, hasZone: false, whole: true };
  at += 1;
  const hours = digitsFrom(bytes, at, end);
  at += hours;
  if (hours < 2) return { end: at, hasZone: false, whole: false };
  const hasColon = at < end && bytes[at] === COLON;
  if (hasColon) at += 1;
  const minutes = digitsFrom(bytes, at, end);
  return { end: at + minutes, hasZone: minutes === 2, whole: minutes === 2 || (minutes === 0 && !hasColon) };
}

/** How many digits stand there, up to two. */
function digitsFrom(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end || !isDigit(bytes[at])) return 0;
  return at + 1 < end && isDigit(bytes[at + 1]) ? 2 : 1;
}

export interface Stamp {
  /** As it was sent, from the year to the zone. */
  readonly text: string;
  /** Milliseconds since 1970 on the client's clock, as if the fields were UTC. */
  readonly fieldsMs: number;
  /** East of UTC; `undefined` when no zone was sent. */
  readonly zoneOffsetMs: number | undefined;
  /** What the last digit stands for: 1000 without a fraction, 0.001 with six digits. The clock may be later by that. */
  readonly resolutionMs: number;
  /** From 0 to 2^53 - 1. */
  readonly seq: number | undefined;
  /** The client's monotonic clock in nanoseconds, as it was sent: it may be beyond 2^53. */
  readonly mono: string | undefined;
  /** The other pairs, as they were sent; printable ASCII. */
  readonly pairs: string | undefined;
}

export const stampProblems = {
  'no-such-date': 'the calendar has no such date',
  'no-such-time': 'a day has no such time',
  'bad-zone': 'a zone is Z, +HH:MM or -HH:MM',
  'bad-fraction': 'a fraction has one to nine digits',
  'bad-pair': 'after the time come pairs such as seq=1 mono=1500000000, seq and mono whole numbers, each once',
} as const;
export type StampProblem = keyof typeof stampProblems;

const FRACTION = /^[.,](\d*)/;
const ZONE = /^(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)$/;
const PAIR = /^([A-Za-z0-9._-]{1,32})=([\x21-\x7e]{1,128})$/;
const MAX_FRACTION_DIGITS = 9;

/** Reads a record whose first 19 bytes match (`matchCore`) and whose line end was taken off. */
export function parseStamp(bytes: Buffer, start: number, end: number): Stamp | { readonly problem: StampProblem } {
  const two = (at: number): number => ((bytes[start + at] ?? 0) - 48) * 10 + ((bytes[start + at + 1] ?? 0) - 48);
  const year = two(0) * 100 + two(2);
  const [month, day, hour, minute, second] = [two(5), two(8), two(11), two(14), two(17)];
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return { problem: 'no-such-date' };
  if (hour > 23 || minute > 59 || second > 60) return { problem: 'no-such-time' };
  const wholeMs = daysFromEpoch(year, month, day) * 86_400_000 + ((hour * 60 + minute) * 60 + second) * 1000;
  const coreText = asciiText(bytes, start, start + CORE_BYTES);
  if (start + CORE_BYTES === end) return makeStamp(coreText, wholeMs);

  const rest = asciiText(bytes, start + CORE_BYTES, end);
  const space = rest.indexOf(' ');
  const suffix = space === -1 ? rest : rest.slice(0, space);
  const digits = FRACTION.exec(suffix)?.[1];
  if (digits !== undefined && (digits === '' || digits.length > MAX_FRACTION_DIGITS))
    return { problem: 'bad-fraction' };
  const zone = digits === undefined ? suffix : suffix.slice(digits.length + 1);
  const zoneOffsetMs = zone === '' ? undefined : parseZone(zone);
  if (Number.isNaN(zoneOffsetMs)) return { problem: 'bad-zone' };
  const pairs = space === -1 ? {} : parsePairs(rest.slice(space));
  if (pairs === undefined) return { problem: 'bad-pair' };
  const exactMs = digits === undefined ? wholeMs : wholeMs + Number(`0.${digits}`) * 1000;
  return makeStamp(coreText + suffix, exactMs, { ...pairs, zoneOffsetMs, fractionDigits: digits?.length ?? 0 });
}

function makeStamp(
  text: string,
  fieldsMs: number,
  { zoneOffsetMs, fractionDigits = 0, seq, mono, pairs }: Partial<Stamp> & { fractionDigits?: number } = {},
): Stamp {
  return { text, fieldsMs, zoneOffsetMs, resolutionMs: 1000 / 10 ** fractionDigits, seq, mono, pairs };
}

/** NaN for what is no zone. */
function parseZone(text: string): number {
  const match = ZONE.exec(text);
  if (match === null) return Number.NaN;
  const [, sign, hours = '0', minutes = '0'] = match;
  if (Number(hours) > 23 || Number(minutes) > 59) return Number.NaN;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
}

/** A 64-bit counter of nanoseconds has at most 20 digits. */
const MONO = /^\d{1,20}$/;

/** `undefined` when something there is no pair, or seq or mono is no number or comes twice. */
function parsePairs(text: string): Pick<Stamp, 'seq' | 'mono' | 'pairs'> | undefined {
  let seq: number | undefined;
  let mono: string | undefined;
  const others: string[] = [];
  for (const part of text.split(' ')) {
    if (part === '') continue;
    const match = PAIR.exec(part);
    if (match === null) return undefined;
    const [, key, value = ''] = match;
    if (key === 'seq') {
      if (seq !== undefined || !/^\d{1,16}$/.test(value) || !Number.isSafeInteger(Number(value))) return undefined;
      seq = Number(value);
    } else if (key === 'mono') {
      if (mono !== undefined || !MONO.test(value)) return undefined;
      mono = value;
    } else {
      others.push(part);
    }
  }
  return { seq, mono, pairs: others.length === 0 ? undefined : others.join(' ') };
}

/** One character a byte: bytes that are not ASCII become characters that no rule above takes. */
const asciiText = (bytes: Buffer, start: number, end: number): string => bytes.toString('latin1', start, end);

const daysInMonth = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

function daysIn(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && isLeap ? 29 : (daysInMonth[month - 1] ?? 0);
}

/**
 * Days from 1970-01-01 in the proleptic Gregorian calendar; `Date.UTC` takes the years 0 to 99 for 1900 to 1999. Years
 * are counted from March, so that the leap day is the last day of its year.
 */
function daysFromEpoch(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
