/**
 * Lines as services write them, read without parsing: a record with the usual fields first and values that are no
 * objects, in printable ASCII. That is most lines of most logs. Any other line is no error, only slower.
 */

/** Printable ASCII that stands for itself in a text of JSON. */
const PLAIN = '[\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]*';
const TEXT = `"${PLAIN}(?:\\\\(?:["\\\\/bfnrt]|u[0-9a-fA-F]{4})${PLAIN})*"`;
/** Not the time again: of two, JSON takes the last. */
const KEY = `(?!"time")"${PLAIN}"`;
const NUMBER = '-?(?:0|[1-9]\\d*)(?:\\.\\d+)?(?:[eE][+-]?\\d+)?';
const TIME = '(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d\\.\\d{3}';

/** JSON by RFC 8259, of one object without white space whose first fields are `level` and `time`. */
const FLAT_RECORD = new RegExp(
  `^\\{"level":"[a-z]*","time":"\\d{4}-\\d\\d-\\d\\dT${TIME}Z"(?:,${KEY}:(?:${TEXT}|${NUMBER}|true|false|null))*\\}$`,
);

/** Whether a line is a record of printable ASCII; false also for some that are. */
export function isFlatRecord(text: string): boolean {
  return FLAT_RECORD.test(text);
}

const TIME_AT = ',"time":"'.length;
const DAY_LENGTH = '2026-11-20'.length;
const CLOCK_AT = '2026-11-20T'.length;

/** Reads the times of records that are known to be flat; most are of the same day. */
export class FlatTimes {
  #day = '';
  #midnightMs = Number.NaN;

  /** Milliseconds since 1970; NaN when there is no such day. */
  timeMs(text: string): number {
    const at = text.indexOf('"', '{"level":"'.length) + 1 + TIME_AT;
    const day = text.slice(at, at + DAY_LENGTH);
    if (day !== this.#day) {
      this.#day = day;
      this.#midnightMs = Date.parse(`${day}T00:00:00.000Z`);
    }
    const clock = at + CLOCK_AT;
    const two = (from: number): number => text.charCodeAt(from) * 10 + text.charCodeAt(from + 1) - 528;
    const ms = text.charCodeAt(clock + 9) * 100 + two(clock + 10) - 4800;
    return this.#midnightMs + ((two(clock) * 60 + two(clock + 3)) * 60 + two(clock + 6)) * 1000 + ms;
  }
}

// 528 is 11 times the code of '0', 4800 a hundred times.

const BARE = '[\\w.:+/@%~[\\]*-]+';
/** Whole numbers and short fractions, which are written again as they stand. */
const PLAIN_NUMBER = '-?[1-9]\\d{0,14}|0|(?:0|-?[1-9]\\d{0,7})\\.\\d{0,5}[1-9]';
const OTHER_KEY = '(?!(?:level|time|service|pid|event|conn|peer|msg|stack|__proto__)")[A-Za-z]\\w*';

/** Of which every value is printed as it stands. */
const PRINTED_AS_IT_IS = new RegExp(
  `^\\{"level":"([a-z]{1,20})","time":"\\d{4}-\\d\\d-\\d\\dT(${TIME})Z","service":"(${BARE})","pid":(?:0|[1-9]\\d*),"event":"(${BARE})"` +
    `(?:,"conn":"(${BARE})")?(?:,"peer":"(${BARE})")?` +
    `((?:,"${OTHER_KEY}":(?:"${BARE}"|${PLAIN_NUMBER}|true|false|null))*)` +
    `,"msg":"(${PLAIN})"\\}$`,
);

const LEVEL_WIDTH = 5;

/** Longer values are cut when they are printed for a person. */
const MAX_LENGTH = 2000;

/**
 * A record for a person, without colour, as the printer has it; `undefined` when it takes the printer to tell.
 *
 * @param serviceColumn the service as it is printed, with the space that fills its column
 */
export function printFlatRecord(text: string, service: string, serviceColumn: string): string | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const match = PRINTED_AS_IT_IS.exec(text);
  if (match === null || match[3] !== service) return undefined;
  const [, level = '', clock, , event, conn, peer, fields = '', message] = match;
  const who = `${conn === undefined ? '' : ` ${conn}`}${peer === undefined ? '' : ` ${peer}`}`;
  return `${clock} ${level.padEnd(LEVEL_WIDTH)} ${serviceColumn} ${event}${who}${printFields(fields)} - ${message}\n`;
}

/** `,"bytes":5,"reason":"idle"` as ` bytes=5 reason=idle`; by hand in half the time of an expression. */
function printFields(fields: string): string {
  let printed = '';
  for (let at = 0; at < fields.length; ) {
    const keyEnd = fields.indexOf('"', at + 2);
    const isText = fields.charAt(keyEnd + 2) === '"';
    const from = keyEnd + (isText ? 3 : 2);
    const found = fields.indexOf(isText ? '"' : ',', from);
    const to = found < 0 ? fields.length : found;
    printed += ` ${fields.slice(at + 2, keyEnd)}=${fields.slice(from, to)}`;
    at = isText ? to + 1 : to;
  }
  return printed;
}
