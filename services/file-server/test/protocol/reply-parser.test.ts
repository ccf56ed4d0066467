/** Replies as a client reads them, and what is none. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FileError } from '../../src/protocol/codes.ts';
import { decodePath, pathOf } from '../../src/protocol/path.ts';
import { data, entryPairs, err, item, ok, send } from '../../src/protocol/reply.ts';
import { listedEntry, plainItem, statEntry } from '../../src/protocol/reply-entry.ts';
import { parseReply, ReplyError } from '../../src/protocol/reply-parser.ts';

const parse = (line: string) => parseReply(Buffer.from(line.replace(/\r\n$/, ''), 'latin1'));

describe('what the server writes is read as it was meant', () => {
  const entry = { kind: 'file', sizeBytes: 5, modifiedMs: 1_700_000_000_123, etag: 'abc1' } as const;

  test('OK, DATA and SEND', () => {
    expect(parse(ok({ crc32: '00000000' }))).toEqual({ kind: 'ok', fields: new Map([['crc32', '00000000']]) });
    expect(parse(ok())).toEqual({ kind: 'ok', fields: new Map() });
    expect(parse(data(7, { etag: 'e' }))).toEqual({ kind: 'data', bytes: 7, fields: new Map([['etag', 'e']]) });
    expect(parse(send(9, 'f'))).toEqual({ kind: 'send', offset: 9, fields: new Map([['id', 'f']]) });
  });

  test('ITEM and the OK of STAT', () => {
    const path = decodePath('a%20b/c');
    const reply = parse(item({ ...entry, path }));
    if (reply.kind !== 'item') throw new Error(reply.kind);
    expect(listedEntry(reply.fields)).toEqual({ ...entry, path, sha256: undefined });
    const stat = parse(ok(entryPairs({ ...entry, sha256: 'a'.repeat(64) })));
    if (stat.kind !== 'ok') throw new Error(stat.kind);
    expect(statEntry(stat.fields)).toMatchObject({ ...entry, sha256: 'a'.repeat(64) });
  });

  test('ERR, with colons in its fields and in its words', () => {
    const error = new FileError('CHANGED', 'it is: another');
    expect(parse(err(error, { etag: 'e', at: '03:04' }))).toMatchObject({
      kind: 'error',
      code: 'CHANGED',
      retry: 'no',
      text: 'it is: another',
      fields: new Map([
        ['retry', 'no'],
        ['etag', 'e'],
        ['at', '03:04'],
      ]),
    });
    expect(parse('ERR BUSY retry=later')).toMatchObject({ code: 'BUSY', retry: 'later', text: '' });
  });
});

describe('what is no reply', () => {
  test.each([
    '',
    ' OK',
    'ok',
    'OKAY',
    'OK ',
    'OK  a=1',
    'OK a',
    'OK =1',
    'OK A=1',
    'OK a=1 a=1',
    'OK a=\u00e9',
    'OK a=\u001b[2J',
    'DATA',
    'DATA x',
    'DATA -1',
    'DATA 01',
    'DATA 1.5',
    'DATA 9007199254740992',
    'DATA 99999999999999999',
    'SEND',
    'ERR',
    'ERR retry=no',
    'ERR notfound retry=no',
    'ERR NOTFOUND',
    'ERR NOTFOUND retry=maybe',
    'ERR NOTFOUND retry=no retry=no',
    'HTTP/1.1 400 Bad Request',
  ])('%j', (line) => {
    expect(() => parse(line)).toThrow(ReplyError);
  });

  test('any bytes are a reply or a ReplyError, and nothing else', () => {
    const words = fc.constantFrom('OK', 'DATA', 'SEND', 'ITEM', 'ERR', 'NOTFOUND', '5', 'a=1', 'retry=no', ': x', '=');
    const lines = fc.oneof(
      fc.array(words).map((parts) => parts.join(' ')),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(lines, (line) => {
        try {
          return ['ok', 'data', 'send', 'item', 'error'].includes(parse(line).kind);
        } catch (error) {
          return error instanceof ReplyError;
        }
      }),
    );
  });
});

describe('an ITEM in its usual form', () => {
  const names = fc.array(
    fc.string({
      unit: fc.constantFrom('a', 'Z', '9', '.', '_', '~', '-', ' ', '%', '\u00e9'),
      minLength: 1,
      maxLength: 8,
    }),
    { minLength: 1, maxLength: 4 },
  );
  const entries = fc.record({
    kind: fc.constantFrom('file', 'directory', 'other'),
    sizeBytes: fc.maxSafeNat(),
    modifiedMs: fc.integer({ min: -1e14, max: 1e14 }),
    etag: fc.stringMatching(/^[A-Za-z0-9]{1,20}$/),
    sha256: fc.option(fc.stringMatching(/^[0-9a-f]{64}$/), { nil: undefined }),
  });
  const lineOf = (parts: readonly string[], entry: object): string =>
    item({ ...(entry as Parameters<typeof item>[0]), path: pathOf(parts.map((part) => Buffer.from(part, 'latin1'))) });
  const parsed = (line: string) => {
    const reply = parse(line);
    return reply.kind === 'item' ? listedEntry(reply.fields) : undefined;
  };

  test('is read at once, and as field by field', () => {
    const line = lineOf(['a', 'b.txt'], { kind: 'file', sizeBytes: 5, modifiedMs: 1_700_000_000_123, etag: 'abc1' });
    expect(plainItem(line)).toEqual(parsed(line));
    expect(plainItem(line)?.path.names.map(String)).toEqual(['a', 'b.txt']);
  });

  test('is taken for what it is or left alone, whatever stands in it', () => {
    fc.assert(
      fc.property(
        names,
        entries,
        fc.nat(),
        fc.constantFrom('', ' ', '/', '..', '.', '0', '-', '=', '\r', '%'),
        (parts, entry, at, put) => {
          const good = lineOf(parts, entry);
          const place = at % (good.length - 1);
          for (const line of [
            good,
            good.slice(0, place) + put + good.slice(place + 1),
            good.slice(0, place) + put + good.slice(place),
          ]) {
            const found = plainItem(line);
            if (found !== undefined) expect(found).toEqual(parsed(line));
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test.each([
    ['a parent', 'a/../b'],
    ['itself', './a'],
    ['an absolute name', '/a'],
    ['an empty name', 'a//b'],
    ['no name', ''],
    ['a name longer than any reply', 'a'.repeat(33_000)],
  ])('%s in its path is left to the parser that has the words for it', (_what, path) => {
    const fields = 'type=file size=1 mtime=2026-01-02T03:04:05.678Z etag=e1\r\n';
    expect(plainItem(`ITEM path=a ${fields}`)).toBeDefined();
    expect(plainItem(`ITEM path=${path} ${fields}`)).toBeUndefined();
  });
});
