import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatProblem, quote } from '../../src/config/problems.ts';

/** What could end a line, move a cursor or turn text around in a terminal or a log reader. */
const misleading = /[\p{C}\p{Zl}\p{Zp}]/u;

// One seed: a failure is the same failure on every machine.
fc.configureGlobal({ seed: 862 });

describe('one problem', () => {
  test('reads: what, value, where, what is allowed', () => {
    expect(
      formatProblem({
        subject: 'port',
        origin: 'flag --port',
        what: `${quote('abc')} is not allowed`,
        expected: 'expected a port',
      }),
    ).toBe('port: "abc" is not allowed (flag --port); expected a port');
  });

  test('is one line of bounded length, whatever its parts contain', () => {
    const anything = fc.string({ unit: 'binary', maxLength: 2_000 });
    fc.assert(
      fc.property(anything, anything, anything, (subject, origin, value) => {
        const line = formatProblem({
          subject,
          origin,
          what: `${quote(value)} is not allowed`,
          expected: 'expected a port',
        });
        expect(line).not.toMatch(misleading);
        // Each character may become 10: \u{10ffff}.
        expect(line.length).toBeLessThan(10 * 1_300);
      }),
    );
  });

  test('keeps the end of a long origin, where the line and the column are', () => {
    const line = formatProblem({
      subject: 'port',
      origin: `/${'a'.repeat(4_000)}/servers.json:3:13`,
      what: 'is wrong',
      expected: 'x',
    });
    expect(line).toMatch(/servers\.json:3:13\); x$/);
    expect(line.length).toBeLessThan(500);
  });
});

describe('a quoted value', () => {
  test.each([
    ['\n', '"\\n"'],
    ['\u001b[2J', '"\\u001b[2J"'],
    ['\u202eabc', '"\\u202eabc"'],
    ['\u061c\u2028\ufeff', '"\\u061c\\u2028\\ufeff"'],
    ['\u{e0041}', '"\\u{e0041}"'],
    ['"', '"\\""'],
    ['Grüße 👋', '"Grüße 👋"'],
  ])('%j is shown as %s', (value, shown) => expect(quote(value)).toBe(shown));

  test('a megabyte is cut to what a person reads', () => {
    expect(quote('x'.repeat(2 ** 20))).toBe(`"${'x'.repeat(80)}..."`);
  });

  test('a cut through a surrogate pair leaves no broken character', () => {
    expect(quote(`${'x'.repeat(79)}👋👋`)).toBe(`"${'x'.repeat(79)}\\ud83d..."`);
  });
});
