/** `pnpm logs`: the lines that are asked for, and with `-f` what comes after them. */
import { setTimeout as delay } from 'node:timers/promises';
import { clientCommand } from '../cli/client-command.ts';
import type { ConfigOf } from '../config/settings.ts';
import { exitCodes } from '../errors.ts';
import { choosePaint } from './colour.ts';
import { escapeText } from './escape.ts';
import { closeLogs, endAtLineEnd, type LogFile } from './files.ts';
import { createFilter, type LineFilter } from './filter.ts';
import { Follower } from './follow.ts';
import { startHelper } from './helper-thread.ts';
import { formatJsonLine } from './json-line.ts';
import { createLineFormat, type LineFormatOptions } from './line-format.ts';
import { Output } from './output.ts';
import { bytesOf, mergePrinted, type Run } from './printed.ts';
import { Printer } from './printer.ts';
import { type Question, queryOf, questionOf } from './query.ts';
import type { LogLine } from './record.ts';
import { ServiceSearch } from './search.ts';
import { mayHold, noLogs, openSelection, reportDamage, selectionOf } from './selection.ts';
import { DEFAULT_LINES, showSettings } from './settings.ts';
import { type Batch, byService, mergeBatches, mergeByTime, readAll, readLast } from './source.ts';
import { Timeline } from './timeline.ts';

type ShowConfig = ConfigOf<typeof showSettings>;

const POLL_MS = 100;
const DAY_MS = 86_400_000;

/** The width of the longest name of a service in the fleet; `-f` may meet it later. */
const MIN_SERVICE_WIDTH = 'time-stream-tcp'.length;

export const show = clientCommand({
  name: 'show',
  describe: 'print the logs of the fleet, merged by time',
  operands: [],
  settings: showSettings,
  examples: [
    ['pnpm logs', 'the last lines of every service'],
    ['pnpm logs -f --level warn', 'warnings and errors as they come'],
    ['pnpm logs --service echo-tcp --conn a1', 'the story of one connection'],
    ['pnpm logs --peer 192.0.2.0/24 --since 1h', 'what these peers did in the last hour'],
    ['pnpm --silent logs --json --grep reset | jq .peer', 'for programs'],
  ],
  epilogue:
    'Lines that are not records (the stack trace of a crash) keep their place, behind a bar. What cannot be ' +
    'printed safely is shown as an escape such as \\x1b. Times are in UTC.',
  readerLeft: exitCodes.success,
  parseOperands: () => undefined,
  run: async ({ config, json, signal }) => {
    const selection = selectionOf(config, Date.now());
    const files = openSelection(selection);
    if (files.length === 0 && !config.f) throw noLogs(selection, config.service);
    const question = questionOf(config, selection);
    const filter = createFilter(queryOf(question));
    const output = new Output(process.stdout);
    const format = formatOptionsOf(json, files);
    const formatter = createFormatter(config, format);
    let shown = 0;
    const write = (batch: Batch): Promise<void> => {
      shown += batch.length;
      return output.write(batch.map(formatter.format).join(''));
    };

    // Lines that have not ended are for the follower, when they have.
    const read = config.f ? files.map(endAtLineEnd) : files;
    const held = read.filter((file) => mayHold(file, selection.sinceMs));
    if (linesToShow(config) === Number.POSITIVE_INFINITY && config.conn === undefined) {
      for await (const run of searchAll(held, question, filter, format)) {
        if (signal.aborted) break;
        shown += run.to - run.from;
        await writeRun(run, formatter, output);
      }
    } else {
      for await (const batch of readChosen(held, config, filter)) {
        if (signal.aborted) break;
        await write(batch);
      }
    }
    await output.flush();
    if (config.f)
      await follow(new Follower({ ...selection, filter, now: () => performance.now() }, read), write, output, signal);
    else closeLogs(files);
    if (shown === 0 && !config.f) process.stderr.write('pnpm logs: no line is like that\n');
    await output.write(formatter.end());
    await output.flush();
    return exitCodes.success;
  },
});

/** Every line that is asked for, printed already: nothing is told by the lines around it. */
async function* searchAll(
  files: readonly LogFile[],
  question: Question,
  filter: LineFilter,
  format: LineFormatOptions,
): AsyncGenerator<Run> {
  const bytes = files.reduce((sum, { size, compressed }) => sum + (compressed ? 0 : size), 0);
  const helper = startHelper(bytes, { question, format });
  const options = { filter, format: createLineFormat(format), helper, onDamaged: reportDamage };
  const streams = [...byService(files)].map(([service, ofService]) =>
    new ServiceSearch(service, ofService[0]?.beginsMs ?? Number.NaN, options).search(ofService),
  );
  try {
    yield* mergePrinted(streams);
  } finally {
    helper?.close();
  }
}

/** Between lines of different days the formatter may have something to say. */
async function writeRun(run: Run, formatter: Formatter, output: Output): Promise<void> {
  const { times } = run.printed;
  let day = Number.NaN;
  let from = run.from;
  for (let index = run.from; index < run.to; index += 1) {
    const ofLine = Math.floor((times[index] ?? 0) / DAY_MS);
    if (ofLine === day) continue;
    day = ofLine;
    const heading = formatter.heading(times[index] ?? Number.NaN);
    if (heading === '') continue;
    await output.writeBytes(bytesOf({ ...run, from, to: index }));
    await output.write(heading);
    from = index;
  }
  await output.writeBytes(bytesOf({ ...run, from }));
}

function readChosen(held: readonly LogFile[], config: ShowConfig, filter: LineFilter): AsyncIterable<Batch> {
  const options = { filter, onDamaged: reportDamage };
  const count = linesToShow(config);
  const streams = [...byService(held).values()].map((ofService) =>
    count === Number.POSITIVE_INFINITY ? readAll(ofService, options) : lastAsStream(ofService, count, options),
  );
  return mergeByTime(streams);
}

async function* lastAsStream(...[files, count, options]: Parameters<typeof readLast>): AsyncGenerator<Batch> {
  const batch = await readLast(files, count, options);
  if (batch.length > 0) yield batch;
}

/** A search shows all that it finds; a look at what goes on shows the end. */
function linesToShow({ n, f, since, until, level, peer, conn, event, grep }: ShowConfig): number {
  if (n !== undefined) return n;
  const isSearch = [until, level, peer, conn, event[0], grep].some((value) => value !== undefined);
  return since !== undefined || (isSearch && !f) ? Number.POSITIVE_INFINITY : DEFAULT_LINES;
}

interface Formatter {
  readonly format: (line: LogLine) => string;
  /** What is to be said before a line of that time that is printed already. */
  readonly heading: (timeMs: number) => string;
  /** What is to be said after the last line. */
  readonly end: () => string;
}

function formatOptionsOf(json: boolean, files: readonly LogFile[]): LineFormatOptions {
  const serviceWidth = Math.max(MIN_SERVICE_WIDTH, ...files.map(({ service }) => escapeText(service).length));
  return { json, isTerminal: process.stdout.isTTY === true, serviceWidth };
}

function createFormatter(config: ShowConfig, { json, isTerminal, serviceWidth }: LineFormatOptions): Formatter {
  if (json) return { format: formatJsonLine, heading: () => '', end: () => '' };
  const paint = choosePaint(isTerminal, process.env);
  const printer = new Printer({ paint, serviceWidth });
  const heading = (timeMs: number): string => printer.heading(timeMs);
  if (config.conn === undefined) return { format: (line) => printer.format(line), heading, end: () => '' };
  const timeline = new Timeline(printer, paint);
  return { format: (line) => timeline.format(line), heading, end: () => (config.f ? '' : timeline.end()) };
}

async function follow(
  follower: Follower,
  write: (batch: Batch) => Promise<void>,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const { batches, more } = follower.poll();
    await write(await mergeBatches(batches));
    await output.flush();
    if (!more) await delay(POLL_MS, undefined, { signal }).catch(() => {});
  }
  follower.close();
}
