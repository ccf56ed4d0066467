/**
 * The shipped logrotate snippet with the real logrotate: while two processes of a service write, the
 * logs are rotated again and again, and every line is there afterwards, once, and was seen by a
 * follower when it came.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { nodePath, repository } from '../support/daemon.ts';
import { findProgram, program, testWith } from '../support/programs.ts';

const run = promisify(execFile);

const LINES = 60_000;
const BURST = 200;
const ROTATIONS = 8;

/**
 * Bursts of records, 20,000 lines a second together: two processes add to one log, as they do during a reload. Each
 * says when it has written its last one, and waits to be ended.
 */
const WRITER = `
import { createLog } from '${repository}shared/src/daemon/log.ts';
const [file, first] = process.argv.slice(2);
const log = createLog({ service: 'writer', level: 'info', file });
let n = Number(first);
const timer = setInterval(() => {
  for (let i = 0; i < ${BURST / 2}; i++, n += 2) log.info({ event: 'stamp', n }, 'a record');
  if (n < ${LINES}) return;
  clearInterval(timer);
  log.info({ event: 'stopped' }, 'the last one');
}, 10);
process.on('SIGTERM', () => process.exit());
setInterval(() => {}, 1_000_000);
`;

/** A folder laid out like the fleet's. */
function makeFolder(): Disposable & { readonly path: string; readonly logs: string; readonly script: string } {
  const path = mkdtempSync(join(tmpdir(), 'rotation-'));
  const logs = join(path, 'logs');
  const script = join(path, 'writer.mjs');
  mkdirSync(logs);
  writeFileSync(script, WRITER);
  return { path, logs, script, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

/** Runs until it is disposed of. */
function startWriter(script: string, log: string, first: number): AsyncDisposable {
  const child = spawn(nodePath, [script, log, String(first)], { stdio: ['ignore', 'ignore', 'inherit'] });
  const closed = once(child, 'close');
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await closed;
    },
  };
}

/** The lines of all files, oldest first, as the files have them. */
function linesOf(folder: string): readonly string[] {
  const age = (name: string): number => Number(/\.(\d+)/.exec(name)?.[1] ?? 0);
  const names = readdirSync(folder).toSorted((a, b) => age(b) - age(a));
  const contents = names.map((name) =>
    name.endsWith('.gz') ? gunzipSync(readFileSync(join(folder, name))) : readFileSync(join(folder, name)),
  );
  return Buffer.concat(contents).toString().split('\n').slice(0, -1);
}

interface Stamp {
  readonly event: string;
  readonly n?: number;
}

const parse = (lines: readonly string[]): readonly Stamp[] => lines.map((line) => JSON.parse(line) as Stamp);

/** The numbers of the records, of each process in the order in which they stand. */
function numbersIn(records: readonly Stamp[]): readonly (readonly number[])[] {
  const numbers = records.flatMap(({ n }) => (n === undefined ? [] : [n]));
  return [numbers.filter((n) => n % 2 === 0), numbers.filter((n) => n % 2 === 1)];
}
const expected = [0, 1].map((first) => Array.from({ length: LINES / 2 }, (_, index) => first + 2 * index));

testWith(
  [program('logrotate')],
  'rotation loses no line of a service that writes, and a follower sees each',
  async ({ signal }) => {
    using folder = makeFolder();
    const configuration = join(folder.path, 'logrotate.conf');
    const shipped = readFileSync(join(repository, 'docs/operations/logrotate.conf'), 'utf8');
    writeFileSync(configuration, shipped.replaceAll('/srv/small-servers', folder.path), { mode: 0o644 });
    const rotate = (): Promise<unknown> =>
      run(findProgram('logrotate') ?? '', ['--force', '--state', join(folder.path, 'state'), configuration]);

    const reader = [join(repository, 'shared/src/logs/bin.js'), '-n', 'all', '--json', '--dir', folder.logs];
    const follower = spawn(nodePath, [...reader, '-f'], { stdio: ['ignore', 'pipe', 'inherit'] });
    signal.addEventListener('abort', () => follower.kill());
    const log = join(folder.logs, 'writer.log');
    await using _even = startWriter(folder.script, log, 0);
    await using _odd = startWriter(folder.script, log, 1);
    const followed: Stamp[] = [];
    // Each rotation begins when the one before has ended and its followers' lines have come.
    let next = LINES / (ROTATIONS + 2);
    let rotating: Promise<unknown> | undefined;
    let running = 2;
    for await (const line of createInterface({ input: follower.stdout })) {
      followed.push(...parse([line]));
      if (rotating === undefined && followed.length > next) {
        rotating = rotate().then(() => {
          next = followed.length + LINES / (ROTATIONS + 2);
          rotating = undefined;
        });
      }
      if (followed.at(-1)?.event === 'stopped') running -= 1;
      if (running === 0) follower.kill('SIGINT');
    }
    await rotating;

    expect(numbersIn(parse(linesOf(folder.logs)))).toEqual(expected);
    expect(numbersIn(followed)).toEqual(expected);
    expect(readdirSync(folder.logs).filter((name) => name.endsWith('.gz')).length).toBeGreaterThan(ROTATIONS / 2);
    const { stdout } = await run(nodePath, reader, { maxBuffer: 2 ** 30 });
    expect(numbersIn(parse(stdout.split('\n').slice(0, -1)))).toEqual(expected);
  },
  60_000,
);
