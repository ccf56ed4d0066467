import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFilter, type LineQuery, levels } from '../../src/logs/filter.ts';
import { parsePeerQuery } from '../../src/logs/peer-query.ts';
import type { LogLine } from '../../src/logs/record.ts';
import { LineScanner } from '../../src/logs/scan.ts';
import { at, lineOf, lines, record } from './support.ts';

function scan(text: string, query: LineQuery, timeMs = 0): LogLine[] {
  // Bytes around the chunk that are not its own must not be looked at.
  const buffer = Buffer.concat([Buffer.from('{"conn":"a1"}\n'), Buffer.from(text), Buffer.from('connection-closed\n')]);
  const start = '{"conn":"a1"}\n'.length;
  const chunk = { buffer, start, end: start + Buffer.byteLength(text), cut: false };
  return new LineScanner('echo-tcp', createFilter(query), timeMs).scan(chunk);
}

const texts = (found: readonly LogLine[]): readonly string[] => found.map(({ text }) => text);

const opened = record(1, { level: 'debug', event: 'connection-opened', conn: 'a1', peer: '192.0.2.1:1000' });
const closed = record(3, { event: 'connection-closed', conn: 'a1', peer: '192.0.2.1:1000', reason: 'idle' });
const other = record(2, { level: 'warn', event: 'connection-refused', peer: '[::1]:9', reason: 'max-connections' });
const log = lines(opened, 'Error: boom', '    at x', other, closed);

describe('each condition', () => {
  it.each<readonly [string, LineQuery, readonly string[]]>([
    ['none', {}, [opened, 'Error: boom', '    at x', other, closed]],
    ['a level, which text always passes', { level: 'info' }, ['Error: boom', '    at x', other, closed]],
    ['an event', { events: ['connection-closed'] }, [closed]],
    ['two events', { events: ['connection-closed', 'connection-opened'] }, [opened, closed]],
    ['a connection', { conn: 'a1' }, [opened, closed]],
    ['a connection whose id is part of another', { conn: 'a' }, []],
    ['a peer', { peer: parsePeerQuery('192.0.2.1')?.matches, peerText: '192.0.2.1' }, [opened, closed]],
    ['a block', { peer: parsePeerQuery('::/0')?.matches }, [other]],
    ['an expression with a literal', { grep: /reason":"(idle|reset)/ }, [closed]],
    ['an expression without one', { grep: /idle|boom/ }, ['Error: boom', closed]],
    ['an expression that looks for the line end', { grep: /at x$/ }, ['    at x']],
    [
      'the time, also of text',
      { sinceMs: Date.parse(at(1)), untilMs: Date.parse(at(2)) },
      [opened, 'Error: boom', '    at x', other],
    ],
    ['several at once', { conn: 'a1', level: 'info', grep: /idle/ }, [closed]],
  ])('%s', (_what, query, found) => {
    expect(texts(scan(log, query))).toEqual(found);
  });
});

describe('a line', () => {
  it('of text has the time of the record before it, wherever the search found it', () => {
    const times = scan(log, { grep: /at x/ }).map(({ timeMs }) => timeMs);
    expect(times).toEqual([Date.parse(at(1))]);
  });

  it('of text at the beginning has the time that was known before', () => {
    expect(scan('Error: boom\n', {}, 77).map(({ timeMs }) => timeMs)).toEqual([77]);
  });

  it('takes part in the time of the chunks after it', () => {
    const scanner = new LineScanner('echo-tcp', createFilter({ grep: /nothing/ }), 0);
    const buffer = Buffer.from(lines(closed, 'Error: boom'));
    scanner.scan({ buffer, start: 0, end: buffer.length, cut: false });
    expect(scanner.timeMs).toBe(Date.parse(at(3)));
  });

  it('with CR LF is the same line, and an empty one is none', () => {
    expect(texts(scan(`${closed}\r\n\n\r\n`, {}))).toEqual([closed]);
  });

  it('that is JSON but no object, or was broken off, is text', () => {
    const found = scan('42\n"x"\n[1]\nnull\n{"level":"info","ti\n', {});
    expect(found.map((line) => line.record)).toEqual([undefined, undefined, undefined, undefined, undefined]);
    expect(found).toHaveLength(5);
  });

  it('in another script is found whole by a search in bytes and by one in text', () => {
    const line = record(1, { msg: 'Grüße 👋' });
    expect(texts(scan(lines(line), { grep: /Grüße/ }))).toEqual([line]);
    expect(texts(scan(lines(line), { grep: /G.{3}e .{2}"|x/ }))).toEqual([line]);
  });
});

describe('the fast ways', () => {
  it('find what the slow one finds', () => {
    const text = fc.constantFrom(
      'Error: boom',
      'a1',
      '{"conn":"a1"',
      '{}',
      '{"level":"warn","conn":"a1"}',
      'peer 192.0.2.1',
      '{"x":{"conn":"a1"}}',
      '  ',
      'é',
    );
    const fields = fc.record(
      {
        level: fc.constantFrom(...levels),
        event: fc.constantFrom('connection-closed', 'connection-opened', 'e"scaped'),
        conn: fc.constantFrom('a1', 'a', '1', 'ü'),
        peer: fc.constantFrom('192.0.2.1:1000', '192.0.2.11:1000', '[::1]:9', '::1'),
        msg: fc.constantFrom('a1', '"conn":"a1"', 'closed', 'é'),
      },
      { requiredKeys: ['level'] },
    );
    const line = fc.oneof(
      text,
      fc.tuple(fc.nat(9), fields).map(([seconds, own]) => record(seconds, own)),
    );
    const queryOf = fc.record(
      {
        level: fc.constantFrom(...levels),
        events: fc.subarray(['connection-closed', 'e"scaped']),
        conn: fc.constantFrom('a1', 'ü'),
        peer: fc.constantFrom('192.0.2.1', '::1', '192.0.2.0/28'),
        grep: fc.constantFrom(/closed/, /a1|é/, /"conn":"a1"/, /^\{.*[0-9]/, /é/),
        sinceMs: fc.nat(9).map((seconds) => Date.parse(at(seconds))),
        untilMs: fc.nat(9).map((seconds) => Date.parse(at(seconds))),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), queryOf, (all, { peer, ...rest }) => {
        const parsed = peer === undefined ? undefined : parsePeerQuery(peer);
        const query = { ...rest, peer: parsed?.matches, peerText: parsed?.contained };
        expect(scan(lines(...all), query)).toEqual(judgeOneByOne(all, query));
      }),
      { numRuns: 3000 },
    );
  });
});

/** Parses every line and asks each condition for its exact judgement. */
function judgeOneByOne(all: readonly string[], query: LineQuery): readonly LogLine[] {
  const { matches } = createFilter(query);
  let timeMs = 0;
  return all
    .map((text) => {
      const line = { ...lineOf(text), timeMs: text.includes('"time"') ? lineOf(text).timeMs : timeMs };
      timeMs = line.timeMs;
      return line;
    })
    .filter(matches);
}
