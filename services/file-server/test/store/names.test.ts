import { describe, expect, test } from 'vitest';
import { pathOf } from '../../src/protocol/path.ts';
import { isHidden, maxNameBytes, requireNewName } from '../../src/store/names.ts';

const named = (...names: (string | Buffer)[]) => pathOf(names.map((name) => Buffer.from(name as string)));

describe('names that may be made', () => {
  test.each([
    'a',
    'ä',
    '日本語.txt',
    'a b',
    '.hidden',
    '...',
    'é',
    'confused',
    'nullable',
    'com',
    'com10',
    '🙂',
    '‌نام',
    '-rf',
    '%41',
    'a'.repeat(255),
  ])('%s', (name) => {
    expect(() => requireNewName(named(name))).not.toThrow();
  });

  test.each([
    ['a line end', 'a\nb'],
    ['a terminal escape', 'a\u001b[2Jb'],
    ['a control character of the second set', 'a\u009bb'],
    ['DEL', 'a\u007f'],
    ['a backslash', '..\\x'],
    ['a colon', 'c:x'],
    ['an alternate data stream', 'a::$DATA'],
    ['text that is turned round', 'gpj.\u202eexe'],
    ['a line separator', 'a\u2028b'],
    ['a byte order mark', '\ufeffa'],
    ['a device', 'CON'],
    ['a device with an extension', 'nul.txt'],
    ['a device with a space', 'aux '],
    ['a numbered device', 'LPT9.tar.gz'],
    ['a device with a superscript', 'com²'],
    ['a decomposed character', 'e\u0301'],
    ['a name that is too long', 'a'.repeat(maxNameBytes + 1)],
  ])('not %s', (_, name) => {
    expect(() => requireNewName(named(name))).toThrow(expect.objectContaining({ code: 'BADNAME' }));
  });

  test('not bytes that are no UTF-8', () => {
    expect(() => requireNewName(pathOf([Buffer.from([0x66, 0xff])]))).toThrow(
      expect.objectContaining({ code: 'BADNAME', message: 'a new name is UTF-8' }),
    );
  });

  test('not below more names than a system call takes', () => {
    const deep = named(...Array.from({ length: 20 }, () => 'd'.repeat(200)), 'x');
    expect(() => requireNewName(deep)).toThrow(/a path has at most 3072 bytes, this one 4022/);
  });

  test('only the last name is judged: what is there already may be called what it likes', () => {
    expect(() => requireNewName(named('a\nb', 'CON', 'x'))).not.toThrow();
  });
});

describe("the store's own directory", () => {
  test.each([
    '.small-servers',
    '.SMALL-Servers',
    '.ſmall-servers',
    '.small\u200b-servers',
    '．small-servers',
    '\u200c.small-servers',
  ])('%s leads there on some file system', (name) => {
    expect(isHidden(named(name).names)).toBe(true);
    expect(isHidden(named(name, 'x').names)).toBe(true);
  });

  test.each(['.small-server', '.small-servers2', 'small-servers', '.', 'x'])('%s does not', (name) => {
    expect(isHidden(named(name).names)).toBe(false);
  });

  test('nor does the same name further down', () => {
    expect(isHidden(named('x', '.small-servers').names)).toBe(false);
    expect(isHidden([])).toBe(false);
  });
});
