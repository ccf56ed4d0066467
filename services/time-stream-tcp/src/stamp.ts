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

const [DOT, COMMA, PLUS, MINUS, COLON, UNDERSCORE, Z_UPPER, Z_LOWER] = [0x2e, 0x2c, 0x2b, 0x2d, 0x3a, 0x5f, 0x5a, 0x7a];

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
  /** The client's monotonic clock in nanoseconds. Exact up to 2^53 (104 days), to a microsecond beyond. */
  readonly mono: number | undefined;
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

const MAX_FRACTION_DIGITS = 9;
const MAX_KEY_BYTES = 32;
const MAX_VALUE_BYTES = 128;
/** A counter of 64 bits has at most 20 digits; those of seq are counted exactly. */
const MAX_MONO_DIGITS = 20;
const MAX_SEQ_DIGITS = 16;

/** What the last digit of a fraction stands for, by how many digits it has. */
const resolutionsMs = [1000, 100, 10, 1, 0.1, 0.01, 0.001, 1e-4, 1e-5, 1e-6] as const;

const EQUALS = 0x3d;

/**
 * Reads a record whose first 19 bytes match (`matchCore`) and whose line end was taken off. Byte by byte and not by
 * regular expressions, which took a third of a busy server's time.
 */
export function parseStamp(bytes: Buffer, start: number, end: number): Stamp | { readonly problem: StampProblem } {
  const two = (at: number): number => ((bytes[start + at] ?? 0) - 48) * 10 + ((bytes[start + at + 1] ?? 0) - 48);
  const year = two(0) * 100 + two(2);
  const month = two(5);
  const day = two(8);
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return { problem: 'no-such-date' };
  const [hour, minute, second] = [two(11), two(14), two(17)];
  if (hour > 23 || minute > 59 || second > 60) return { problem: 'no-such-time' };
  const wholeMs = daysFromEpoch(year, month, day) * 86_400_000 + ((hour * 60 + minute) * 60 + second) * 1000;

  const coreEnd = start + CORE_BYTES;
  const digits = countFraction(bytes, coreEnd, end);
  if (digits === 0 || digits > MAX_FRACTION_DIGITS) return { problem: 'bad-fraction' };
  const fractionEnd = digits === -1 ? coreEnd : coreEnd + 1 + digits;
  const zoneEnd = endOfWord(bytes, fractionEnd, end);
  const zoneOffsetMs = zoneEnd === fractionEnd ? undefined : parseZone(bytes, fractionEnd, zoneEnd);
  if (Number.isNaN(zoneOffsetMs)) return { problem: 'bad-zone' };
  const pairs = parsePairs(bytes, zoneEnd, end);
  if (pairs === undefined) return { problem: 'bad-pair' };
  const resolutionMs = resolutionsMs[Math.max(0, digits)] ?? 1000;
  const fractionMs = digits === -1 ? 0 : numberAt(bytes, coreEnd + 1, fractionEnd) * resolutionMs;
  return {
    text: bytes.toString('latin1', start, zoneEnd),
    fieldsMs: wholeMs + fractionMs,
    zoneOffsetMs,
    resolutionMs,
    seq: pairs.seq,
    mono: pairs.mono,
    pairs: pairs.others,
  };
}

/** How many digits a fraction has; -1 when there is none. */
function countFraction(bytes: Uint8Array, from: number, end: number): number {
  if (from >= end || (bytes[from] !== DOT && bytes[from] !== COMMA)) return -1;
  let at = from + 1;
  while (at < end && isDigit(bytes[at])) at += 1;
  return at - from - 1;
}

function endOfWord(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && bytes[at] !== SPACE) at += 1;
  return at;
}

/** Digits as a number; NaN when there are none or something else is among them. Exact up to 2^53. */
function numberAt(bytes: Uint8Array, from: number, end: number): number {
  if (from === end) return Number.NaN;
  let value = 0;
  for (let at = from; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte < 0x30 || byte > 0x39) return Number.NaN;
    value = value * 10 + (byte - 0x30);
  }
  return value;
}

/** NaN for what is no zone. */
function parseZone(bytes: Uint8Array, from: number, end: number): number {
  const { end: zoneEnd, hasZone, whole } = scanTail(bytes, from, end);
  if (zoneEnd !== end || !whole) return Number.NaN;
  const sign = bytes[from];
  if (sign === Z_UPPER || sign === Z_LOWER) return 0;
  const hours = numberAt(bytes, from + 1, from + 3);
  const minutes = hasZone ? numberAt(bytes, end - 2, end) : 0;
  if (hours > 23 || minutes > 59) return Number.NaN;
  return (sign === MINUS ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

interface Pairs {
  seq: number | undefined;
  mono: number | undefined;
  others: string | undefined;
}

/** `undefined` when something there is no pair, or seq or mono is no number or comes twice. */
function parsePairs(bytes: Buffer, from: number, end: number): Readonly<Pairs> | undefined {
  const pairs: Pairs = { seq: undefined, mono: undefined, others: undefined };
  for (let at = from; at < end; at++) {
    if (bytes[at] === SPACE) continue;
    const wordEnd = endOfWord(bytes, at, end);
    if (!addPair(pairs, bytes, at, wordEnd)) return undefined;
    at = wordEnd;
  }
  return pairs;
}

/** False when the word is no pair, or one of ours that it can't be. */
function addPair(pairs: Pairs, bytes: Buffer, from: number, end: number): boolean {
  const keyEnd = endOfKey(bytes, from, end);
  const valueStart = keyEnd + 1;
  if (keyEnd === -1 || !isValue(bytes, valueStart, end)) return false;
  if (isKey(bytes, from, keyEnd, 'seq')) {
    if (pairs.seq !== undefined || end - valueStart > MAX_SEQ_DIGITS) return false;
    pairs.seq = numberAt(bytes, valueStart, end);
    return Number.isSafeInteger(pairs.seq);
  }
  if (isKey(bytes, from, keyEnd, 'mono')) {
    if (pairs.mono !== undefined || end - valueStart > MAX_MONO_DIGITS) return false;
    pairs.mono = numberAt(bytes, valueStart, end);
    return !Number.isNaN(pairs.mono);
  }
  const other = bytes.toString('latin1', from, end);
  pairs.others = pairs.others === undefined ? other : `${pairs.others} ${other}`;
  return true;
}

/** Where the `=` after a key stands; -1 when there is no key or no `=`. */
function endOfKey(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && isKeyByte(bytes[at] as number)) at += 1;
  return at > from && at - from <= MAX_KEY_BYTES && at < end && bytes[at] === EQUALS ? at : -1;
}

function isKeyByte(byte: number): boolean {
  const letter = byte | 0x20;
  const isAlphanumeric = (letter >= 0x61 && letter <= 0x7a) || (byte >= 0x30 && byte <= 0x39);
  return isAlphanumeric || byte === MINUS || byte === UNDERSCORE || byte === DOT;
}

function isKey(bytes: Uint8Array, from: number, end: number, key: string): boolean {
  if (end - from !== key.length) return false;
  for (let index = 0; index < key.length; index++) {
    if (bytes[from + index] !== key.charCodeAt(index)) return false;
  }
  return true;
}

/** Printable ASCII, and neither nothing nor too much of it. */
function isValue(bytes: Uint8Array, from: number, end: number): boolean {
  if (from >= end || end - from > MAX_VALUE_BYTES) return false;
  for (let at = from; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte < 0x21 || byte > 0x7e) return false;
  }
  return true;
}

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
