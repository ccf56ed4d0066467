import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { LogFile } from '../../src/daemon/log-file.ts';

const root = mkdtempSync(join(tmpdir(), 'log-file-'));
afterAll(() => rmSync(root, { recursive: true }));

let count = 0;
/** An empty folder and the path of a log in it. */
function place(): { folder: string; path: string } {
  const folder = join(root, String(count++));
  mkdirSync(folder);
  return { folder, path: join(folder, 'a.log') };
}
const read = (path: string): string => readFileSync(path, 'utf8');
const write = (file: LogFile, line: string): number => file.write(Buffer.from(line));

describe('a log file', () => {
  test('is added to: by two at a time, and after somebody has emptied it', () => {
    const { path } = place();
    writeFileSync(path, 'old\n');
    const [one, two] = [new LogFile(path), new LogFile(path)];
    write(one, '1\n');
    write(two, '2\n');
    write(one, '3\n');
    expect(read(path)).toBe('old\n1\n2\n3\n');
    writeFileSync(path, '');
    write(two, '4\n');
    expect(read(path)).toBe('4\n');
  });

  test.each([
    ['renamed', (path: string) => renameSync(path, `${path}.1`)],
    ['removed', (path: string) => rmSync(path)],
    [
      'renamed and made anew by somebody else',
      (path: string) => {
        renameSync(path, `${path}.1`);
        writeFileSync(path, '');
      },
    ],
  ])('that was %s is begun anew with the next line', (_how, move) => {
    const { path } = place();
    const file = new LogFile(path);
    const opened: bigint[] = [];
    file.onReopened = ({ inode }) => opened.push(inode);
    write(file, 'before\n');
    move(path);
    write(file, 'after\n');
    write(file, 'more\n');
    expect(read(path)).toBe('after\nmore\n');
    expect(opened).toEqual([statSync(path, { bigint: true }).ino]);
  });

  test('goes on in the renamed file as long as no new one can be made', () => {
    const { folder, path } = place();
    const file = new LogFile(path);
    renameSync(folder, `${folder}-moved`);
    expect(write(file, 'kept\n')).toBe(5);
    expect(read(join(`${folder}-moved`, 'a.log'))).toBe('kept\n');
    mkdirSync(folder);
    write(file, 'new\n');
    expect(read(path)).toBe('new\n');
  });

  test('gets what an ended process had not written to it, in the file that it was writing to', () => {
    const { folder, path } = place();
    const file = new LogFile(path);
    const { inode } = file;
    write(file, 'one\ntw');
    renameSync(path, `${path}.1`);
    write(file, 'later\n');
    expect(file.complete({ lines: Buffer.from('one\ntwo\nthree\n'), inode })).toBe(2);
    expect([read(`${path}.1`), read(path)]).toEqual(['one\ntwo\nthree\n', 'later\n']);
    rmSync(`${path}.1`);
    expect(file.complete({ lines: Buffer.from('four\n'), inode })).toBe(1);
    expect(read(path)).toBe('later\nfour\n');
    expect(readdirSync(folder)).toEqual(['a.log']);
  });

  test.each([
    ['its folder is missing', (folder: string) => join(folder, 'none', 'a.log'), /there is no folder .*none; make it/],
    ['it is a folder', (folder: string) => folder, /it is a folder; name a file in it/],
    ['it is a device', () => '/dev/null', /is no regular file; choose another path, or off for stdout/],
    [
      'a file stands where a folder should',
      (folder: string) => {
        writeFileSync(join(folder, 'x'), '');
        return join(folder, 'x', 'a.log');
      },
      /x is no folder; choose another path/,
    ],
  ])('is refused when %s, and the message says what to do', (_why, choose, message) => {
    const path = choose(place().folder);
    expect(() => new LogFile(path)).toThrow(expect.objectContaining({ code: 'LOG_UNWRITABLE' }));
    expect(() => new LogFile(path)).toThrow(message);
  });
});
