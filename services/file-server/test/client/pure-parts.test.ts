/** The parts of the client that do no I/O. */

import { AppError } from '@small-servers/shared/errors';
import { describe, expect, test } from 'vitest';
import { backoffMs } from '../../src/client/backoff.ts';
import { displayName } from '../../src/client/display-name.ts';
import { judgeExisting } from '../../src/client/existing.ts';
import { mayPass, NotReached, Refusal, refused, Unreachable } from '../../src/client/failures.ts';
import { comparePaths, ListingCheck } from '../../src/client/listing.ts';
import { localNameProblem } from '../../src/client/local-name.ts';
import { formatBytes, formatClock, TransferMeter } from '../../src/client/meter.ts';
import { parseRemotePath } from '../../src/client/operands.ts';
import { isPartName, partName, temporaryName } from '../../src/client/part-name.ts';
import { decodePath, pathOf } from '../../src/protocol/path.ts';
import { listedEntry } from '../../src/protocol/reply-entry.ts';

describe('backoff', () => {
  test('doubles up to ten seconds, and is spread over the upper half', () => {
    const at = (random: number) => [1, 2, 3, 6, 7, 60].map((attempt) => backoffMs(attempt, () => random));
    expect(at(0)).toEqual([100, 200, 400, 3_200, 5_000, 5_000]);
    expect(at(1)).toEqual([200, 400, 800, 6_400, 10_000, 10_000]);
  });
});

describe('which failures pass', () => {
  const refusal = (code: string, retry: 'no' | 'later' | 'auth'): Refusal =>
    new Refusal({ kind: 'error', code, retry, fields: new Map(), text: '' });

  test.each([
    ['a lost connection', new AppError('CONNECTION_LOST', ''), true],
    ['a stall', new AppError('CONNECTION_TIMED_OUT', ''), true],
    ['a turn that did not come', new NotReached(new Error('')), true],
    ['BUSY', refusal('BUSY', 'later'), true],
    ['a code of a later server that says later', refusal('SLEEPY', 'later'), true],
    ['a full disk, which a person mends', refusal('NOSPACE', 'later'), false],
    ['NOTFOUND', refusal('NOTFOUND', 'no'), false],
    ['AUTH', refusal('AUTH', 'auth'), false],
    ['nobody there from the first on', new Unreachable(new AppError('CONNECTION_REFUSED', '')), false],
    ['a broken protocol', new AppError('PROTOCOL_VIOLATED', ''), false],
    ['a wrong digest', new AppError('FILE_CORRUPTED', ''), false],
    ['a defect of ours', new TypeError('x is undefined'), false],
  ])('%s: %#', (_what, error, passes) => {
    expect(mayPass(error)).toBe(passes);
  });

  test('what the server says stands in the message, escaped and not without bound', () => {
    expect(refused('NOTFOUND', '\u0007'.repeat(1_000)).message).toMatch(/^NOTFOUND: (?:\\x07){300}\.\.\.$/);
  });
});

describe('names on a terminal', () => {
  test.each([
    ['plain.txt', 'plain.txt'],
    ['Grüße 日本語 🙂', 'Grüße 日本語 🙂'],
    ['a\nb', 'a\\nb'],
    ['back\\slash', 'back\\\\slash'],
    ['\u001b[31mred', '\\x1b[31mred'],
    ['\u009b31m', '\\xc2\\x9b31m'],
    ['\u202etxt.exe', '\\xe2\\x80\\xaetxt.exe'],
    ['zero\u200bwidth', 'zero\\xe2\\x80\\x8bwidth'],
    ['wide\u3000space', 'wide\\xe3\\x80\\x80space'],
    ['line\u2028end', 'line\\xe2\\x80\\xa8end'],
  ])('%j is shown as %s', (name, shown) => {
    expect(displayName(Buffer.from(name))).toBe(shown);
  });

  test('bytes that are no UTF-8 are shown one by one', () => {
    expect(displayName(Buffer.from([0x61, 0xff, 0xc3]))).toBe('a\\xff\\xc3');
  });
});

describe('names of files here', () => {
  test.each(['a:b', 'a\\b', 'a*', 'CON', 'nul.txt', 'COM1', 'LPT9.log', 'dot.', 'space ', 'bell\u0007'])(
    'Windows does not get %j, Linux does',
    (name) => {
      expect(localNameProblem(Buffer.from(name), 'win32')).toBeDefined();
      expect(localNameProblem(Buffer.from(name), 'linux')).toBeUndefined();
    },
  );

  test.each(['a.b', 'console', 'com10', '.hidden'])('%j is fine on Windows', (name) => {
    expect(localNameProblem(Buffer.from(name), 'win32')).toBeUndefined();
  });

  test('a part has the etag in its name, and never more than 255 bytes', () => {
    expect(partName(Buffer.from('a b'), 'e1').toString()).toBe('a b.e1.small-servers-part');
    const etag = 'e'.repeat(64);
    const lengths = Array.from({ length: 255 }, (_, at) => at + 1);
    const parts = lengths.map((length) => partName(Buffer.alloc(length, 'a'), etag));
    for (const part of parts) expect(part.length).toBeLessThanOrEqual(255);
    expect(new Set(parts.map(String)).size).toBe(lengths.length);
  });

  test('no other file has the part of one whose name is too long to stand in it', () => {
    const part = partName(Buffer.alloc(255, 'a'), 'e1').toString();
    const hash = part.slice(0, part.indexOf('~'));
    expect(hash).toMatch(/^[0-9a-f]{32}$/);
    const others = [hash, `${hash}~`, `${hash}~e1`].map((name) => partName(Buffer.from(name), 'e1').toString());
    expect(others).not.toContain(part);
  });

  test('a temporary name is as long whatever the digits, and another one each time', () => {
    expect(temporaryName(() => 0)).toBe('0000000000000000.small-servers-part');
    expect(temporaryName(() => 1 - Number.EPSILON)).toBe('ffffffffffffffff.small-servers-part');
    expect(temporaryName()).not.toBe(temporaryName());
  });

  test.each([
    partName(Buffer.from('a'), 'e1').toString(),
    partName(Buffer.alloc(255, 'a'), 'e1').toString(),
    temporaryName(() => 0.5),
    '.small-servers-part',
    'a.e1.SMALL-Servers-PART',
    'a.e1.\u017fmall-\u017fervers-part',
    'a.e1.small-servers-par\uff54',
    'a.e1.small-\u200cservers-part',
    'a.e1.small-servers-part\u200c',
  ])('%j belongs to files on their way, on every system', (name) => {
    expect(isPartName(Buffer.from(name))).toBe(true);
    for (const platform of ['linux', 'darwin', 'win32'] as const) {
      expect(localNameProblem(Buffer.from(name), platform)).toContain('not whole yet');
    }
  });

  test.each(['', 'a.part', 'a.zip.part', 'a.e1.small-servers-parts', 'small-servers-part', 'part', 't', '\u{1f600}'])(
    '%j is a name like any other',
    (name) => {
      expect(isPartName(Buffer.from(name))).toBe(false);
      expect(localNameProblem(Buffer.from(name), 'linux')).toBeUndefined();
    },
  );
});

describe('paths as people write them', () => {
  test.each([
    ['a b', false, 'a%20b'],
    ['100%', false, '100%25'],
    ['/x//y/', false, 'x/y'],
    ['Grüße', false, 'Gr%C3%BC%C3%9Fe'],
    ['a%20b', true, 'a%20b'],
    ['%ff', true, '%FF'],
    ['/', false, '/'],
  ])('%j (encoded: %s) is %s on the wire', (text, encoded, wire) => {
    expect(parseRemotePath(text, encoded).text).toBe(wire);
  });

  test.each(['..', 'a/../b', '.', 'a\0b'])('%j stands for no file', (text) => {
    expect(() => parseRemotePath(text, false)).toThrow();
  });
});

describe('the order of a listing', () => {
  const path = (text: string) => decodePath(text);

  test('is by names, not by the text of paths: "/" does not count, nor does the encoding', () => {
    const sorted = ['a', 'a/b', 'a/b/c', 'a-b', 'a0', 'b%20', 'b%2B'].map(path);
    for (const [index, one] of sorted.entries()) {
      for (const [other, two] of sorted.entries()) {
        expect(Math.sign(comparePaths(one, two)), `${one.text} ${two.text}`).toBe(Math.sign(index - other));
      }
    }
  });

  test('depth and number are held to', () => {
    const entry = (text: string) =>
      listedEntry(
        new Map([
          ['path', text],
          ['type', 'file'],
          ['size', '1'],
          ['mtime', '2026-01-02T03:04:05.678Z'],
          ['etag', 'e1'],
        ]),
      );
    const check = new ListingCheck({ depth: 2, maxEntries: 2 });
    expect(check.accept(entry('a')).path.text).toBe('a');
    expect(() => check.accept(entry('b/c/d'))).toThrow('deeper');
    expect(check.accept(entry('b/c')).sizeBytes).toBe(1);
    expect(() => check.accept(entry('b/c'))).toThrow('out of order');
    expect(() => check.accept(entry('b/d'))).toThrow('--max-files');
  });
});

describe('what is here already', () => {
  const found = (kind: string, size = 1, mtimeMs = 5) => ({
    isFile: () => kind === 'file',
    isSymbolicLink: () => kind === 'link',
    isDirectory: () => kind === 'directory',
    size,
    mtimeMs,
  });
  const entry = { sizeBytes: 1, modifiedMs: 5 };

  test.each([
    ['nothing', undefined, 'fetch', 'fetch', 'fetch'],
    ['the same', found('file'), 'keep', 'keep', 'keep'],
    ['the same, its time rounded', found('file', 1, 4.9999), 'keep', 'keep', 'keep'],
    ['another size', found('file', 2), 'fetch', 'keep', 'refuse'],
    ['another time', found('file', 1, 6), 'fetch', 'keep', 'refuse'],
    ['a link, whatever it leads to', found('link'), 'fetch', 'keep', 'refuse'],
    ['a folder', found('directory'), 'refuse', 'refuse', 'refuse'],
    ['a device', found('device'), 'refuse', 'refuse', 'refuse'],
  ])('%s', (_what, stats, replace, keep, fail) => {
    const verdicts = (['replace', 'keep', 'fail'] as const).map(
      (existing) => judgeExisting(stats, entry, existing).kind,
    );
    expect(verdicts).toEqual([replace, keep, fail]);
  });
});

describe('the line of progress', () => {
  test('tells rate and time left, once it is known how much there is', () => {
    let now = 0;
    const meter = new TransferMeter(() => now);
    meter.totalFiles = 12;
    meter.totalBytes = 30 * 1024 ** 2;
    for (let second = 1; second <= 10; second++) {
      now += 1_000;
      meter.bytes += 1024 ** 2;
      meter.label();
    }
    meter.files = 3;
    expect(meter.label()).toBe('3 of 12+ files  10.0 MiB of 30.0 MiB  1.0 MiB/s');
    meter.isOpen = false;
    expect(meter.label()).toBe('3 of 12 files  10.0 MiB of 30.0 MiB  1.0 MiB/s  0:20 left');
    expect(meter.fraction).toBeCloseTo(1 / 3, 5);
  });

  test('figures as people read them', () => {
    expect([0, 1023, 1024, 1.5 * 1024 ** 3].map(formatBytes)).toEqual(['0 B', '1023 B', '1.0 KiB', '1.5 GiB']);
    expect([0, 59.2, 60, 3_600 * 3 + 61].map(formatClock)).toEqual(['0:00', '1:00', '1:00', '3:01:01']);
  });
});

test('the root is one path, however it is written', () => {
  expect([pathOf([]).text, decodePath('//').text]).toEqual(['/', '/']);
});
