import { renameSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closeLogs, openLogs } from '../../src/logs/files.ts';
import type { LogLine } from '../../src/logs/record.ts';
import { byService, mergeByTime, readAll, readLast } from '../../src/logs/source.ts';
import { all, anyService, at, lineOf, lines, logFolder, options, record } from './support.ts';

type Files = Readonly<Record<string, string | Uint8Array>>;

async function history(files: Files, using = all): Promise<readonly LogLine[]> {
  const opened = openLogs(logFolder(files), anyService);
  const streams = [...byService(opened).values()].map((ofService) => readAll(ofService, using));
  const found = (await Array.fromAsync(mergeByTime(streams))).flat();
  closeLogs(opened);
  return found;
}

async function last(count: number, files: Files, using = all): Promise<readonly LogLine[]> {
  const opened = openLogs(logFolder(files), anyService);
  const found = await readLast(opened, count, using);
  closeLogs(opened);
  return found;
}

const texts = (found: readonly LogLine[]): readonly string[] => found.map(({ text }) => text);
const numbered = (from: number, to: number, service = 'echo-tcp'): string[] =>
  Array.from({ length: to - from }, (_, index) => record(from + index, { service, n: from + index }));

describe('the files of one service', () => {
  it('are one stream, oldest first, however they were rotated and packed', async () => {
    const files = {
      'echo-tcp.log': lines(...numbered(8, 10)),
      'echo-tcp.log.1': lines(...numbered(6, 8)),
      'echo-tcp.log.2.gz': gzipSync(lines(...numbered(4, 6))),
      'echo-tcp.log-20261119.gz': gzipSync(lines(...numbered(2, 4))),
      'echo-tcp.log.10.gz': gzipSync(lines(...numbered(0, 2))),
      'echo-tcp.log.bak': 'not a log\n',
    };
    expect(texts(await history(files))).toEqual(numbered(0, 10));
  });

  it('are ordered by what is in them, not by when they were touched', async () => {
    const folder = logFolder({
      'echo-tcp.log': '',
      'echo-tcp.log.1': lines(...numbered(2, 4)),
      'echo-tcp.log.2': lines(...numbered(0, 2)),
    });
    utimesSync(join(folder, 'echo-tcp.log.1'), 0, 0);
    const opened = openLogs(folder, anyService);
    expect(texts((await Array.fromAsync(readAll(opened, all))).flat())).toEqual(numbered(0, 4));
    closeLogs(opened);
  });

  it('are read once while logrotate packs one of them', async () => {
    const content = lines(...numbered(0, 3));
    const files = {
      'echo-tcp.log': '',
      'echo-tcp.log.1': content,
      'echo-tcp.log.1.gz': gzipSync(content).subarray(0, 20),
    };
    expect(texts(await history(files))).toEqual(numbered(0, 3));
  });

  it('give a line whole that a rotation by copying broke in two, packed or not', async () => {
    const [first = '', second = '', third = ''] = numbered(0, 3);
    const [old, live] = [`${first}\n${second.slice(0, 40)}`, `${second.slice(40)}\n${third}\n`];
    expect(texts(await history({ 'echo-tcp.log.1': old, 'echo-tcp.log': live }))).toEqual(numbered(0, 3));
    expect(texts(await history({ 'echo-tcp.log.1.gz': gzipSync(old), 'echo-tcp.log': live }))).toEqual(numbered(0, 3));
  });

  it('do not join a line that a crash broke off with the record after it', async () => {
    const files = { 'echo-tcp.log.1': '{"level":"inf', 'echo-tcp.log': lines(record(1)) };
    expect(texts(await history(files))).toEqual(['{"level":"inf', record(1)]);
  });

  it('stay open: a rotation that begins now takes nothing away', async () => {
    const folder = logFolder({ 'echo-tcp.log': lines(...numbered(0, 3)) });
    const opened = openLogs(folder, anyService);
    renameSync(join(folder, 'echo-tcp.log'), join(folder, 'echo-tcp.log.1'));
    writeFileSync(join(folder, 'echo-tcp.log'), lines(...numbered(3, 5)));
    expect(texts((await Array.fromAsync(readAll(opened, all))).flat())).toEqual(numbered(0, 3));
    closeLogs(opened);
  });

  it('give what can be read of a damaged one, and say so', async () => {
    const packed = gzipSync(lines(...numbered(0, 20_000)), { level: 0 });
    const damaged: string[] = [];
    const onDamaged = ({ name }: { readonly name: string }): void => void damaged.push(name);
    const files = {
      'echo-tcp.log': lines(...numbered(30_000, 30_002)),
      'echo-tcp.log.1.gz': packed.subarray(0, packed.length / 2),
    };
    const found = texts(await history(files, { ...all, onDamaged }));
    expect(damaged).toEqual(['echo-tcp.log.1.gz']);
    expect(found.slice(0, 5000)).toEqual(numbered(0, 5000));
    expect(found.slice(-2)).toEqual(numbered(30_000, 30_002));
  });

  it('are not taken for whole when one is emptied while it is read', async () => {
    const folder = logFolder({ 'echo-tcp.log': lines(...numbered(0, 3)) });
    const opened = openLogs(folder, anyService);
    truncateSync(join(folder, 'echo-tcp.log'));
    const reasons: string[] = [];
    await Array.fromAsync(readAll(opened, { ...all, onDamaged: (_file, { message }) => reasons.push(message) }));
    expect(reasons).toEqual(['it was emptied while it was read']);
    closeLogs(opened);
  });

  it('keep a stack trace in its place and time, also across a rotation', async () => {
    const files = { 'echo-tcp.log.1': lines(record(1)), 'echo-tcp.log': lines('Error: boom', '    at x', record(5)) };
    const found = await history(files);
    expect(found.map(({ timeMs, record: parsed }) => [timeMs, parsed === undefined])).toEqual([
      [Date.parse(at(1)), false],
      [Date.parse(at(1)), true],
      [Date.parse(at(1)), true],
      [Date.parse(at(5)), false],
    ]);
  });

  it('give text that stands before every record the time of the first record, and text alone that of its file', async () => {
    const [first] = await history({ 'echo-tcp.log': lines('Error: boom', record(5)) });
    expect(first?.timeMs).toBe(Date.parse(at(5)));
    const folder = logFolder({ 'echo-tcp.log': 'SyntaxError: x\n' });
    utimesSync(join(folder, 'echo-tcp.log'), 1000, 1000);
    const opened = openLogs(folder, anyService);
    expect((await readLast(opened, 10, all)).map(({ timeMs }) => timeMs)).toEqual([1_000_000]);
    closeLogs(opened);
  });
});

describe('the last lines', () => {
  it('are the end of all lines, for any number, filter and set of files', async () => {
    const text = fc.constantFrom('Error: boom', '    at x');
    const line = fc.oneof({ weight: 3, arbitrary: fc.constant('record') }, text);
    const parts = fc.array(fc.array(line, { maxLength: 8 }), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(parts, fc.nat(10), fc.boolean(), fc.boolean(), async (files, count, packed, isSearch) => {
        let seconds = 0;
        const contents = files.map((part) =>
          lines(...part.map((kind) => (kind === 'record' ? record(seconds++) : kind))),
        );
        const rotated = contents.slice(0, -1).map((content, index) => {
          const name = `echo-tcp.log.${contents.length - 1 - index}`;
          return packed ? [`${name}.gz`, gzipSync(content)] : [name, content];
        });
        const set = { ...Object.fromEntries(rotated), 'echo-tcp.log': contents.at(-1) ?? '' };
        const using = isSearch ? options({ grep: /boom|3Z|[05]\.000Z/ }) : all;
        expect(texts(await last(count, set, using))).toEqual(
          count === 0 ? [] : texts(await history(set, using)).slice(-count),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('of a long file are found a long way from its end', async () => {
    const content = lines(record(1, { n: 'needle' }), 'Error: boom', ...numbered(2, 20_000));
    expect(texts(await last(2, { 'echo-tcp.log': content }, options({ grep: /needle|boom/ })))).toEqual([
      record(1, { n: 'needle' }),
      'Error: boom',
    ]);
  });

  it('that are text know their record, though it stands in another block', async () => {
    const trace = Array.from({ length: 5000 }, (_, index) => `    at frame ${index} of a trace that never ends`);
    const found = await last(3, { 'echo-tcp.log': lines(record(7), ...trace) });
    expect(found.map(({ timeMs }) => timeMs)).toEqual(Array(3).fill(Date.parse(at(7))));
  });

  it('include the one that nothing has ended', async () => {
    expect(texts(await last(1, { 'echo-tcp.log': 'one\ntwo' }))).toEqual(['two']);
  });
});

describe('several services', () => {
  it('are merged by time', async () => {
    const echo = [record(1), record(4)];
    const time = [record(2, { service: 'time-stream-tcp' }), record(3, { service: 'time-stream-tcp' })];
    const found = await history({ 'echo-tcp.log': lines(...echo), 'time-stream-tcp.log': lines(...time) });
    expect(texts(found)).toEqual([echo[0], ...time, echo[1]]);
    expect(found.map(({ service }) => service)).toEqual(['echo-tcp', 'time-stream-tcp', 'time-stream-tcp', 'echo-tcp']);
  });

  it('keep the order in each file when a clock was set back', async () => {
    const echo = [record(5), record(1), record(6)];
    const found = await history({ 'echo-tcp.log': lines(...echo), 'udp-echo.log': lines(record(2), record(7)) });
    expect(texts(found.filter(({ service }) => service === 'echo-tcp'))).toEqual(echo);
    expect(found).toHaveLength(5);
  });

  it('are merged also when one stream has ended or has nothing', async () => {
    const stream = async function* (...seconds: readonly number[]): AsyncGenerator<readonly LogLine[]> {
      for (const second of seconds) yield [lineOf(record(second))];
    };
    const merged = await Array.fromAsync(mergeByTime([stream(1, 5), stream(), stream(2)]));
    expect(merged.flat().map(({ timeMs }) => timeMs)).toEqual([1, 2, 5].map((second) => Date.parse(at(second))));
  });
});
