/** The search by two threads finds and prints what reading line by line does. */
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { closeLogs, openLogs } from '../../src/logs/files.ts';
import { createFilter } from '../../src/logs/filter.ts';
import { HelperThread } from '../../src/logs/helper-thread.ts';
import { createLineFormat, type LineFormatOptions } from '../../src/logs/line-format.ts';
import { bytesOf, mergePrinted } from '../../src/logs/printed.ts';
import { type Question, queryOf } from '../../src/logs/query.ts';
import { ServiceSearch } from '../../src/logs/search.ts';
import { SEGMENT_BYTES, segmentsOf } from '../../src/logs/segments.ts';
import { byService, mergeByTime, readAll } from '../../src/logs/source.ts';
import { anyService, at, lines, logFolder, record } from './support.ts';

/** Two and a half segments with all that a log can hold: records, text that belongs to them, long lines, other scripts. */
function bigLog(service: string, firstSecond: number): string {
  const texts: string[] = ['no record stands before this line'];
  for (let n = 0, bytes = 0; bytes < 2.5 * SEGMENT_BYTES; n += 1) {
    const own = { service, event: 'stamp', n, reason: n % 4 === 0 ? 'reset' : 'idle', msg: `number ${n}` };
    const text = n % 50 === 0 ? record(firstSecond + n / 100, { ...own, msg: `Grüße ${n} "\x1b[2J` }) : '';
    texts.push(text === '' ? record(firstSecond + n / 100, own) : text);
    if (n % 1000 === 7) texts.push('Error: boom, reset', `    at ${service} (server.ts:${n})`);
    if (n === 9_000) texts.push('x'.repeat(300_000));
    bytes += texts.at(-1)?.length ?? 0;
  }
  return lines(...texts);
}

function question(config: Partial<Question['config']> = {}, times: Partial<Question> = {}): Question {
  const none = { level: undefined, event: [], conn: undefined, peer: undefined, grep: undefined };
  return { config: { ...none, ...config }, sinceMs: undefined, untilMs: undefined, ...times };
}

/** What is printed with a helper that has a part in it, and what is printed line by line. */
async function both(folder: string, asked: Question, options: LineFormatOptions) {
  const filter = createFilter(queryOf(asked));
  const format = createLineFormat(options);
  const damaged: string[] = [];
  const onDamaged = ({ name }: { readonly name: string }, error: Error) => damaged.push(`${name}: ${error.message}`);
  const helper = new HelperThread({ question: asked, format: options });
  while (!helper.isFree) await delay(1);
  const files = openLogs(folder, anyService);
  try {
    const streams = [...byService(files)].map(([service, ofService]) =>
      new ServiceSearch(service, ofService[0]?.beginsMs ?? Number.NaN, { filter, format, helper, onDamaged }).search(
        ofService,
      ),
    );
    const found = (await Array.fromAsync(mergePrinted(streams))).map((run) => Buffer.from(bytesOf(run)));
    const slow = [...byService(files).values()].map((ofService) => readAll(ofService, { filter, onDamaged }));
    const expected = (await Array.fromAsync(mergeByTime(slow))).flat().map((line) => format.format(line));
    return { printed: Buffer.concat(found).toString(), expected: expected.join(''), damaged, helped: helper.tasks };
  } finally {
    helper.close();
    closeLogs(files);
  }
}

const people: LineFormatOptions = { json: false, isTerminal: false, serviceWidth: 12 };
const program: LineFormatOptions = { ...people, json: true };

describe('a large log', () => {
  const files = {
    'echo-tcp.log': bigLog('echo-tcp', 100),
    'echo-tcp.log.1': lines(record(1), record(2, { reason: 'reset' })),
    'echo-tcp.log.2.gz': gzipSync(lines(record(0, { reason: 'reset' }))),
    'udp-echo.log': bigLog('udp-echo', 150),
  };

  it.each<readonly [string, Question, LineFormatOptions]>([
    ['all of it, for a program', question(), program],
    ['all of it, for a person', question(), people],
    ['with a literal that many lines have', question({ grep: 'reset' }), people],
    ['with an expression', question({ grep: 'number [0-9]*7"|boom' }), program],
    ['with a literal that text alone has', question({ grep: 'at udp' }), program],
    [
      'of a time, of which text is told by the record before it',
      question({}, { sinceMs: Date.parse(at(160)) }),
      people,
    ],
    ['of an event and a level', question({ event: ['stamp'], level: 'info' }), program],
  ])('is printed by two threads as line by line: %s', async (_what, asked, options) => {
    const { printed, expected, damaged, helped } = await both(logFolder(files), asked, options);
    expect(expected.length).toBeGreaterThan(100);
    expect(printed === expected).toBe(true);
    expect(damaged).toEqual([]);
    expect(helped).toBeGreaterThan(1);
  });

  it('that is emptied meanwhile is told, and what was found before is printed', async () => {
    const folder = logFolder(files);
    const opened = openLogs(folder, anyService);
    truncateSync(join(folder, 'echo-tcp.log'), 1.5 * SEGMENT_BYTES);
    const damaged: string[] = [];
    const options = {
      filter: createFilter({ grep: /number/ }),
      format: createLineFormat(program),
      helper: undefined,
      onDamaged: ({ name }: { readonly name: string }) => damaged.push(name),
    };
    const ofService = opened.filter(({ service }) => service === 'echo-tcp');
    const found = await Array.fromAsync(new ServiceSearch('echo-tcp', 0, options).search(ofService));
    closeLogs(opened);
    expect(damaged).toEqual(['echo-tcp.log']);
    const numbers = found.reduce((sum, { times }) => sum + times.length, 0);
    const inFirstSegment = files['echo-tcp.log'].slice(0, SEGMENT_BYTES).match(/"number \d/g) ?? [];
    expect(numbers).toBeGreaterThanOrEqual(inFirstSegment.length);
  });
});

it('segments are whole lines, one after the other, and end before what is too long or too little', () => {
  const long = `${'y'.repeat(SEGMENT_BYTES)}\n`;
  const folder = logFolder({ 'a.log': `${bigLog('a', 0)}${long}${long}${bigLog('a', 0)}` });
  const [file] = openLogs(folder, anyService);
  if (file === undefined) throw new Error('no file');
  const segments = [...segmentsOf(file.fd, file.size)];
  closeLogs([file]);
  expect(segments.length).toBeGreaterThan(1);
  for (const [index, { start, end }] of segments.entries()) {
    expect(start).toBe(segments[index - 1]?.end ?? 0);
    expect(end).toBeGreaterThan(start);
    expect(end).toBeLessThanOrEqual(file.size);
  }
});
