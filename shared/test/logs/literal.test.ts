import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { requiredLiteral } from '../../src/logs/literal.ts';

describe('the text that every match contains', () => {
  it.each([
    ['connection-closed', 'connection-closed'],
    ['durationMs":4999.*idle', 'durationMs":4999'],
    ['a.*reset', 'reset'],
    ['127\\.0\\.0\\.1:', '127.0.0.1:'],
    ['colou?r', 'colo'],
    ['abc+de', 'abc'],
    ['ab{2}cde', 'cde'],
    ['abx{0,1}cd', 'ab'],
    ['x{y', 'x{y'],
    ['(one|two) three', ' three'],
    ['[a(]bcd', 'bcd'],
    ['([)]|a)bc', 'bc'],
    ['\\d+ms', 'ms'],
    ['^\\{"level', '{"level'],
    ['one|two', ''],
    ['\\x41bc', ''],
    ['(?i:Reset)', ''],
    ['a👋?', ''],
  ])('of %s is %j', (source, literal) => {
    expect(requiredLiteral(source)).toBe(literal);
  });

  it('is in every line that matches', () => {
    const pieces = [
      'a',
      'b',
      'ab',
      '\\.',
      '.',
      '\\d',
      '[ab]',
      '(a|b)',
      '(?:ab)',
      'a?',
      'b*',
      'a+',
      'b{2}',
      'a{0,2}',
      '^',
      '$',
      '\\b',
      '(?=a)',
      '(?<!b)',
      '👋',
      '👋?',
      '{',
      ']',
      '|',
    ];
    const source = fc.array(fc.constantFrom(...pieces), { maxLength: 6 }).map((parts) => parts.join(''));
    const line = fc
      .array(fc.constantFrom('a', 'b', 'ab', 'bb', '.', '1', '👋', '{', ']'), { maxLength: 8 })
      .map((parts) => parts.join(''));
    const isValid = (text: string): boolean => {
      try {
        return new RegExp(text) !== undefined;
      } catch {
        return false;
      }
    };
    fc.assert(
      fc.property(source.filter(isValid), line, (pattern, text) => {
        if (new RegExp(pattern).test(text)) expect(text).toContain(requiredLiteral(pattern));
      }),
      { numRuns: 5000 },
    );
  });
});
