import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coloured, plain } from '../../src/logs/colour.ts';
import { formatJsonLine } from '../../src/logs/json-line.ts';
import { Printer } from '../../src/logs/printer.ts';
import type { LogLine } from '../../src/logs/record.ts';
import { formatOffset, Timeline } from '../../src/logs/timeline.ts';
import { DAY, lineOf, record } from './support.ts';

const print = (...printed: readonly LogLine[]): string => {
  const printer = new Printer({ paint: plain, serviceWidth: 8 });
  return printed.map((line) => printer.format(line)).join('');
};

/** Printed without the heading of the day. */
const body = (text: string): string => print(lineOf(text)).replace(/^.*\n/, '');

const closed = record(3.25, {
  event: 'connection-closed',
  conn: 'a1',
  peer: '192.0.2.1:9',
  bytesIn: 5,
  reason: 'idle',
  msg: 'closed: idle',
});

describe('a record, for a person', () => {
  it('is one line: the columns, the fields, the message last', () => {
    expect(print(lineOf(closed))).toBe(
      `-- ${DAY} UTC --\n00:00:03.250 info  echo-tcp connection-closed a1 192.0.2.1:9 bytesIn=5 reason=idle - closed: idle\n`,
    );
  });

  it('stands under a heading when a day begins', () => {
    const printed = print(lineOf(record(1)), lineOf(record(2)), lineOf(record(86_400)));
    expect(printed.match(/^--.*/gm)).toEqual([`-- ${DAY} UTC --`, '-- 2026-11-21 UTC --']);
  });

  it('quotes values that could be taken for more than they are', () => {
    const text = record(0, {
      event: 'payload',
      preview: 'x reason=idle',
      empty: '',
      quote: '"',
      none: null,
      list: [1, { a: 'b' }],
    });
    expect(body(text)).toBe(
      '00:00:00.000 info  echo-tcp payload preview="x reason=idle" empty="" quote="\\"" none=null list=[1,{"a":"b"}]\n',
    );
  });

  it('shows fields of any event, and a level or time that is not what it should be', () => {
    const text = '{"level":30,"time":1795132800,"service":"other","event":"stamp","offsetMs":-1.5}';
    expect(body(text)).toBe('00:00:00.000       echo-tcp stamp service=other level=30 time=1795132800 offsetMs=-1.5\n');
  });

  it('has the stack of a logged error below it, behind a bar', () => {
    const stack = 'Error: boom\n    at x (y.ts:1)\n05:00:00.000 info forged';
    const indent = ' '.repeat('00:00:00.000 info  echo-tcp '.length);
    for (const fields of [{ stack }, { err: { type: 'Error', stack } }]) {
      const [first, ...rest] = body(record(0, { event: 'internal-error', ...fields })).split('\n');
      expect(first).not.toContain('boom');
      expect(rest).toEqual([
        `${indent}| Error: boom`,
        `${indent}|     at x (y.ts:1)`,
        `${indent}| 05:00:00.000 info forged`,
        '',
      ]);
    }
  });

  it('is cut where it is too long for a terminal', () => {
    expect(body(record(0, { preview: 'x'.repeat(5000) }))).toMatch(
      /preview=x{2000}\.\.\. \(3,000 more characters\)\n$/,
    );
    expect(body(record(0, { list: ['x'.repeat(5000)] })).length).toBeLessThan(2100);
  });
});

describe('text, for a person', () => {
  it('stands in its place behind a bar', () => {
    expect(body('    at x (y.ts:1)')).toBe('00:00:00.000       echo-tcp |     at x (y.ts:1)\n');
  });

  it('says that it goes on when it was too long to keep', () => {
    expect(print({ ...lineOf('x'), cut: true })).toMatch(/\| x \.\.\. \(the line goes on; too long to keep\)\n$/);
  });
});

describe('whatever a peer sent', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('\x1b[2J', '\r', '\n00:00:00.000 info forged', '\u202e', '\x9b', '"'),
  );
  const value = fc.oneof(
    hostile,
    fc.array(hostile),
    fc.record({ stack: hostile, a: hostile }),
    fc.integer(),
    fc.constant(null),
  );
  const line = fc.oneof(
    hostile.map((text) => lineOf(text.replace(/\n/g, ''))),
    fc
      .dictionary(
        fc.oneof(hostile, fc.constantFrom('event', 'conn', 'peer', 'msg', 'level', 'time', 'stack', 'err')),
        value,
      )
      .map((fields) => lineOf(JSON.stringify(fields))),
  );

  it('is printed on lines that are all marked as ours, in characters that all show', () => {
    fc.assert(
      fc.property(line, (given) => {
        const [, ...printed] = print(given).split('\n').slice(0, -1);
        for (const [index, text] of printed.entries()) {
          expect(text).toMatch(index === 0 ? /^\d\d:\d\d:\d\d\.\d{3} / : /^ {28}\|/);
          expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('colours nothing that is not ours', () => {
    const printer = new Printer({ paint: coloured, serviceWidth: 8 });
    const printed = printer.format(lineOf(record(0, { event: '\x1b[31mred', msg: '\x1b[2J' })));
    const painted = printed.split('\x1b').slice(1);
    expect(painted.filter((part) => /^\[\d+m/.test(part))).toEqual(painted);
    expect(printed).not.toContain('\x1b[2J');
    expect(printed).toContain('\\x1b[31mred');
  });

  it('is one JSON object a line with --json, the same value, in characters that all show', () => {
    fc.assert(
      fc.property(line, (given) => {
        const json = formatJsonLine(given);
        expect(json.slice(0, -1)).not.toMatch(/[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u);
        const parsed = JSON.parse(json) as Record<string, unknown>;
        if (given.record === undefined) expect(parsed.text).toBe(given.text);
        else expect(parsed).toEqual(JSON.parse(given.text));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a record, for a program', () => {
  it('is what the service wrote, byte for byte, when that is safe', () => {
    const text = '{"level":"info",  "n":1.0}';
    expect(formatJsonLine(lineOf(text))).toBe(`${text}\n`);
  });

  it('has no carriage return between its values', () => {
    expect(formatJsonLine(lineOf('{"a":1,\r"b":2}'))).toBe('{"a":1,"b":2}\n');
  });

  it('that is text has the time and service it is attached to', () => {
    expect(JSON.parse(formatJsonLine(lineOf('Error: boom', 1)))).toEqual({
      time: `${DAY}T00:00:01.000Z`,
      service: 'echo-tcp',
      text: 'Error: boom',
    });
  });
});

describe('the story of a connection', () => {
  const story = (...printed: readonly string[]): string => {
    const timeline = new Timeline(new Printer({ paint: plain, serviceWidth: 8 }), plain);
    return printed.map((text) => timeline.format(lineOf(text))).join('') + timeline.end();
  };
  const of = { conn: 'a1', peer: '192.0.2.1:9' };
  const opened = record(1, { event: 'connection-opened', ...of });

  it('has each record with the time since the first', () => {
    expect(story(opened, record(3.5, { event: 'connection-closed', ...of, durationMs: 2500, reason: 'idle' }))).toBe(
      [
        'echo-tcp a1  192.0.2.1:9  pid 42',
        `-- ${DAY} UTC --`,
        '00:00:01.000            +0 ms connection-opened',
        '00:00:03.500         +2.500 s connection-closed durationMs=2500 reason=idle',
        '',
      ].join('\n'),
    );
  });

  it('begins when the connection was opened, though that was not logged', () => {
    const printed = story(record(3.5, { event: 'connection-closed', ...of, durationMs: 2500 }));
    expect(printed).toContain('00:00:01.000            +0 ms (opened, by the durationMs of its last record)\n');
    expect(printed).toContain('00:00:03.500         +2.500 s connection-closed');
  });

  it('says when there is no end of it', () => {
    expect(story(opened)).toMatch(
      /\necho-tcp a1: no connection-closed in these logs: it is open, or its process was killed\n$/,
    );
  });

  it('is another story in another process, which used the same id', () => {
    const printed = story(
      opened,
      record(2, { event: 'connection-opened', ...of, pid: 43 }),
      record(4, { event: 'payload', ...of }),
    );
    expect(printed.match(/^echo-tcp a1 {2}.*/gm)).toEqual([
      'echo-tcp a1  192.0.2.1:9  pid 42',
      'echo-tcp a1  192.0.2.1:9  pid 43',
      'echo-tcp a1  192.0.2.1:9  pid 42',
    ]);
    expect(printed).toContain('+3.000 s payload');
  });

  it.each([
    [0, '+0 ms'],
    [999, '+999 ms'],
    [-5, '-5 ms'],
    [12_027, '+12.027 s'],
    [184_100, '+3 min 04.100 s'],
    [93_780_000, '+26 h 03 min'],
  ])('writes %d ms as %s', (ms, text) => {
    expect(formatOffset(ms)).toBe(text);
  });
});
