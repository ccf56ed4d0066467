import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeJson, escapeText, escapeUpTo } from '../../src/logs/escape.ts';

const hostile: readonly (readonly [string, string, string])[] = [
  ['a cursor movement', '\x1b[2J', '\\x1b[2J'],
  ['a second line', 'a\r\nb', 'a\\r\\nb'],
  ['a tab', 'a\tb', 'a\\tb'],
  ['NUL and DEL', '\0\x7f', '\\x00\\x7f'],
  ['CSI as one C1 character', '\x9b2J', '\\x9b2J'],
  ['a change of direction', 'a\u202egnp.exe', 'a\\u202egnp.exe'],
  ['an isolate', '\u2066x\u2069', '\\u2066x\\u2069'],
  ['a zero-width space', 'a\u200bb', 'a\\u200bb'],
  ['a byte order mark', '\ufeffa', '\\ufeffa'],
  ['a line separator', 'a\u2028b', 'a\\u2028b'],
  ['half of a surrogate pair', 'a\ud83d', 'a\\ud83d'],
  ['a tag character', 'a\u{e0041}', 'a\\u{e0041}'],
  ['a filler that shows nothing', 'a\u3164', 'a\\u3164'],
  ['a backslash, so that an escape cannot be imitated', '\\x1b', '\\\\x1b'],
];

describe('text from a log, for a terminal', () => {
  it.each(hostile)('shows %s as an escape', (_what, text, shown) => {
    expect(escapeText(text)).toBe(shown);
  });

  it('leaves printable text of any script alone', () => {
    expect(escapeText('Grüße, 世界, 👋 é')).toBe('Grüße, 世界, 👋 é');
  });

  it('keeps a pile of combining marks from reaching into other lines', () => {
    expect(escapeText(`a${'\u0301'.repeat(6)}`)).toBe(`a${'\u0301'.repeat(4)}\\u0301\\u0301`);
  });

  it('leaves nothing that is unseen, whatever the text', () => {
    const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !unseen.test(escapeText(text))));
  });

  it('cuts long text, not in the middle of a pair, and says how much is missing', () => {
    expect(escapeUpTo('abcdef', 6)).toBe('abcdef');
    expect(escapeUpTo('abcdef', 4)).toBe('abcd... (2 more characters)');
    expect(escapeUpTo('abc👋def', 4)).toBe('abc... (5 more characters)');
  });
});

describe('JSON for a terminal', () => {
  it('is the same value without a character that misleads', () => {
    const value = fc.record({ a: fc.string({ unit: 'binary' }), b: fc.array(fc.string({ unit: 'grapheme' })) });
    fc.assert(
      fc.property(value, (object) => {
        const json = escapeJson(JSON.stringify(object));
        expect(JSON.parse(json)).toEqual(object);
        expect(json).not.toMatch(/[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u);
      }),
    );
  });
});
