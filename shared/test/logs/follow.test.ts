import {
  appendFileSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { endAtLineEnd, openLogs } from '../../src/logs/files.ts';
import { Follower } from '../../src/logs/follow.ts';
import { all, anyService, at, lines, logFolder, record } from './support.ts';

interface Following {
  readonly path: (name: string) => string;
  /** The texts of the lines that came since the last call. */
  readonly poll: () => readonly string[];
  readonly times: () => readonly number[];
  readonly wait: (ms: number) => void;
}

/** Follows a folder as `pnpm logs -f` does, with a clock of our own. */
function follow(files: Readonly<Record<string, string>> = {}): Following {
  const folder = logFolder(files);
  let nowMs = 0;
  const options = { folder, isWanted: anyService, filter: all.filter, now: () => nowMs };
  const follower = new Follower(options, openLogs(folder, anyService).map(endAtLineEnd));
  onTestFinished(() => follower.close());
  const poll = (): ReturnType<Follower['poll']>['batches'][number] => follower.poll().batches.flat();
  return {
    path: (name) => join(folder, name),
    poll: () => poll().map(({ text }) => text),
    times: () => poll().map(({ timeMs }) => timeMs),
    wait: (ms) => {
      nowMs += ms;
    },
  };
}

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => record(from + index, { n: from + index }));

describe('following', () => {
  it('gives what is written from now on, and nothing twice', () => {
    const { path, poll } = follow({ 'echo-tcp.log': lines(...numbered(0, 3)) });
    expect(poll()).toEqual([]);
    appendFileSync(path('echo-tcp.log'), lines(...numbered(3, 5)));
    expect(poll()).toEqual(numbered(3, 5));
    expect(poll()).toEqual([]);
  });

  it('waits for the end of a line, also of one that had begun before', () => {
    const { path, poll } = follow({ 'echo-tcp.log': 'one\ntw' });
    expect(poll()).toEqual([]);
    appendFileSync(path('echo-tcp.log'), 'o\nthr');
    expect(poll()).toEqual(['two']);
    appendFileSync(path('echo-tcp.log'), 'ee\n');
    expect(poll()).toEqual(['three']);
  });

  it('gives a stack trace the time of the record before it', () => {
    const { path, times } = follow({ 'echo-tcp.log': '' });
    appendFileSync(path('echo-tcp.log'), lines(record(4)));
    expect(times()).toEqual([Date.parse(at(4))]);
    appendFileSync(path('echo-tcp.log'), 'Error: boom\n');
    expect(times()).toEqual([Date.parse(at(4))]);
  });

  it('goes on through a rotation by renaming, with a writer that is slow to change over', () => {
    const { path, poll, wait } = follow({ 'echo-tcp.log': lines(...numbered(0, 2)) });
    const writer = openSync(path('echo-tcp.log'), 'a');
    onTestFinished(() => closeSync(writer));
    renameSync(path('echo-tcp.log'), path('echo-tcp.log.1'));
    writeSync(writer, lines(...numbered(2, 3)));
    expect(poll()).toEqual(numbered(2, 3));
    writeFileSync(path('echo-tcp.log'), lines(...numbered(4, 5)));
    writeSync(writer, lines(...numbered(3, 4)));
    expect(poll()).toEqual(numbered(3, 5));
    writeSync(writer, 'a late line\n');
    expect(poll()).toEqual(['a late line']);
    wait(10_000);
    writeSync(writer, 'the end without an end');
    expect(poll()).toEqual(['the end without an end']);
    writeSync(writer, 'too late\n');
    appendFileSync(path('echo-tcp.log'), lines(...numbered(5, 6)));
    expect(poll()).toEqual(numbered(5, 6));
  });

  it('misses nothing when files come and go between two looks', () => {
    const { path, poll } = follow({ 'echo-tcp.log': lines(...numbered(0, 1)) });
    appendFileSync(path('echo-tcp.log'), lines(...numbered(1, 2)));
    renameSync(path('echo-tcp.log'), path('echo-tcp.log.2'));
    writeFileSync(path('echo-tcp.log.1'), lines(...numbered(2, 4)));
    writeFileSync(path('echo-tcp.log'), lines(...numbered(4, 6)));
    expect(poll()).toEqual(numbered(1, 6));
  });

  it('goes on through a rotation by copying and emptying: the end of the old content is in the copy', () => {
    const { path, poll } = follow({ 'echo-tcp.log': lines(...numbered(0, 2)) });
    appendFileSync(path('echo-tcp.log'), lines(...numbered(2, 4)));
    copyFileSync(path('echo-tcp.log'), path('echo-tcp.log.1'));
    truncateSync(path('echo-tcp.log'));
    appendFileSync(path('echo-tcp.log'), lines(...numbered(4, 5)));
    expect(poll()).toEqual(numbered(2, 5));
    expect(poll()).toEqual([]);
  });

  it('gives a line whole that a rotation by copying broke in two', () => {
    const { path, poll } = follow({ 'echo-tcp.log': 'one\n' });
    appendFileSync(path('echo-tcp.log'), 'two\nthr');
    copyFileSync(path('echo-tcp.log'), path('echo-tcp.log.1'));
    truncateSync(path('echo-tcp.log'));
    expect(poll()).toEqual(['two']);
    appendFileSync(path('echo-tcp.log'), 'ee\nfour\n');
    expect(poll()).toEqual(['three', 'four']);
  });

  it('sees that a file was emptied also when it has grown beyond its old size since', () => {
    const { path, poll } = follow({ 'echo-tcp.log': lines(...numbered(0, 1)) });
    truncateSync(path('echo-tcp.log'));
    appendFileSync(path('echo-tcp.log'), lines(...numbered(1, 50)));
    expect(poll()).toEqual(numbered(1, 50));
  });

  it('sees each of many rotations by copying', () => {
    const { path, poll } = follow({ 'echo-tcp.log': '' });
    for (let round = 0; round < 20; round += 1) {
      appendFileSync(path('echo-tcp.log'), lines(...numbered(10 * round, 10 * round + 5)));
      if (round % 2 === 0) expect(poll()).toEqual(numbered(10 * round, 10 * round + 5));
      appendFileSync(path('echo-tcp.log'), lines(...numbered(10 * round + 5, 10 * round + 10)));
      copyFileSync(path('echo-tcp.log'), path(`echo-tcp.log.${20 - round}`));
      truncateSync(path('echo-tcp.log'));
      expect(poll()).toEqual(numbered(10 * round + (round % 2 === 0 ? 5 : 0), 10 * round + 10));
    }
  });

  it('does not take the packing of an old file for news', () => {
    const { path, poll } = follow({ 'echo-tcp.log': '', 'echo-tcp.log.1': lines(...numbered(0, 2)) });
    writeFileSync(path('echo-tcp.log.1.gz'), gzipSync(lines(...numbered(0, 2))));
    rmSync(path('echo-tcp.log.1'));
    expect(poll()).toEqual([]);
    renameSync(path('echo-tcp.log'), path('echo-tcp.log.1'));
    writeFileSync(path('echo-tcp.log'), 'new\n');
    expect(poll()).toEqual(['new']);
  });

  it('sees a service that begins to log later, and a folder that comes later', () => {
    const { path, poll } = follow();
    rmSync(path('.'), { recursive: true });
    expect(poll()).toEqual([]);
    // The folder is made again by the first service, as pm2 does it.
    mkdirSync(path('.'));
    writeFileSync(path('udp-echo.log'), 'first\n');
    expect(poll()).toEqual(['first']);
    appendFileSync(path('udp-echo.log'), 'second\n');
    expect(poll()).toEqual(['second']);
  });

  it('takes a long backlog in pieces, in its order', () => {
    const { path, poll } = follow({ 'echo-tcp.log': '' });
    const backlog = Array.from({ length: 100_000 }, (_, index) => `${index} ${'x'.repeat(90)}`);
    appendFileSync(path('echo-tcp.log'), lines(...backlog));
    renameSync(path('echo-tcp.log'), path('echo-tcp.log.1'));
    writeFileSync(path('echo-tcp.log'), 'after\n');
    const pieces: (readonly string[])[] = [];
    do pieces.push(poll());
    while (pieces.at(-1)?.length !== 0);
    expect(pieces.length).toBeGreaterThan(2);
    expect(pieces.flat()).toEqual([...backlog, 'after']);
  });
});
