/** What is printed without parsing is what parsing would have printed; whatever it is not sure of, it leaves. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plain } from '../../src/logs/colour.ts';
import { FlatTimes, isFlatRecord, printFlatRecord } from '../../src/logs/flat-record.ts';
import { formatJsonLine } from '../../src/logs/json-line.ts';
import { Printer } from '../../src/logs/printer.ts';
import { parseRecord, recordTimeMs } from '../../src/logs/record.ts';
import { lineOf, record } from './support.ts';

const printer = new Printer({ paint: plain, serviceWidth: 15 });
const print = (text: string) => printFlatRecord(text, 'echo-tcp', printer.serviceColumn('echo-tcp'));

const value = fc.oneof(
  fc.string(),
  fc.constantFrom('idle', '[::1]:9', 'a,b', 'x y', '', '-', 'a"b', 'ü', '\u202e', '\\', '\x7f', 'constructor'),
  fc.integer(),
  fc.double(),
  fc.constantFrom(-0, 0.1, 1e21, 1e-7, 0.000001, 123456789.123456, true, false, null),
  fc.array(fc.integer(), { maxLength: 2 }),
);
const key = fc.constantFrom(
  'bytesIn',
  'reason',
  'msg',
  'stack',
  '__proto__',
  '1',
  'a b',
  'err',
  'time',
  'level',
  'pid',
);
const entry = fc.tuple(key, value).map(([name, what]) => `,${JSON.stringify(name)}:${JSON.stringify(what)}`);

/** Records of all kinds, many as services write them, some with fields twice or of the wrong type. */
const someRecord = fc
  .tuple(
    fc.constantFrom('info', 'warn', 'debug', 'strange', '', 'INFO'),
    fc.constantFrom('echo-tcp', 'other'),
    fc.subarray([',"conn":"a1"', ',"peer":"192.0.2.1:1000"', ',"peer":"[::1]:9"']),
    fc.array(entry, { maxLength: 3 }),
    fc.string(),
  )
  .map(([level, service, who, fields, message]) => {
    const head = record(5, { level, service, event: 'connection-closed' }).slice(0, -1);
    return `${head}${who.join('')}${fields.join('')},"msg":${JSON.stringify(message)}}`;
  });

/** A record that somebody has bitten: a character taken out, doubled, or put in the place of another. */
const damaged = fc
  .tuple(someRecord, fc.nat(), fc.constantFrom('', '"', '\\', ',', ':', '}', '{', '0', '\t', 'é'))
  .map(([text, place, put]) => `${text.slice(0, place % text.length)}${put}${text.slice((place % text.length) + 1)}`);

describe('a record that needs no parsing', () => {
  it('is most of what services write', () => {
    const text = record(1, {
      event: 'connection-closed',
      conn: '2f',
      peer: '[2001:db8::1]:4711',
      bytesIn: 0,
      rate: 1.5,
      reason: 'peer-closed',
      last: true,
      msg: '[2001:db8::1]:4711 closed after 0 bytes in: peer-closed',
    });
    expect(isFlatRecord(text)).toBe(true);
    expect(print(text)).toBe(printer.formatLine(lineOf(text)));
    expect(print(record(1, { event: 'x', msg: 'a "quoted" word' }))).toBeUndefined();
    expect(isFlatRecord(record(1, { event: 'x', msg: 'a "quoted" word\n' }))).toBe(true);
  });

  it('is printed for a program and for a person as the parsed one is, with the same time', () => {
    const times = new FlatTimes();
    fc.assert(
      fc.property(fc.oneof(someRecord, damaged), (text) => {
        if (isFlatRecord(text)) {
          const parsed = parseRecord(text);
          expect(parsed).toBeDefined();
          expect(formatJsonLine(lineOf(text))).toBe(`${text}\n`);
          expect(times.timeMs(text)).toBe(recordTimeMs(parsed ?? {}) ?? Number.NaN);
        }
        // A day that is none is left to the printer too (line-format.ts).
        const printed = Number.isNaN(times.timeMs(text)) ? undefined : print(text);
        // Of a field that is there twice JSON takes the last, and a person sees both.
        const names = [...text.matchAll(/[{,]("\w+"):/g)].map(([, name]) => name);
        if (printed !== undefined && new Set(names).size === names.length) {
          expect(printed).toBe(printer.formatLine(lineOf(text)));
        }
      }),
      { numRuns: 5000 },
    );
  });

  it.each(['2026-02-30', '2026-13-01', '2024-02-29', '0000-01-01', '9999-12-31'])(
    'has the time of its day: %s',
    (day) => {
      const text = `{"level":"info","time":"${day}T23:59:59.999Z"}`;
      expect(new FlatTimes().timeMs(text)).toBe(recordTimeMs({ time: `${day}T23:59:59.999Z` }) ?? Number.NaN);
    },
  );
});
