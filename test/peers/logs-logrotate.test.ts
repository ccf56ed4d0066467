/**
 * The shipped logrotate snippet with the real logrotate and the real pm2: while a service writes, the
 * logs are rotated again and again, and every line is there afterwards, once, and was seen by a
 * follower when it came.
 */
import { execFile, spawn } from 'node:child_process';
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

/** Bursts of records, 20,000 lines a second: pm2 always has some that are read and not yet written. */
const WRITER = `
const { writeSync } = require('node:fs');
let n = 0;
const timer = setInterval(() => {
  for (let i = 0; i < ${BURST}; i++, n++) {
    writeSync(1, JSON.stringify({ level: 'info', time: new Date().toISOString(), service: 'writer', pid: process.pid, event: 'stamp', n }) + '\\n');
  }
  if (n === ${LINES}) {
    clearInterval(timer);
    writeSync(1, '{"event":"stopped"}\\n');
  }
}, 10);
setInterval(() => {}, 1000);
`;

/** A folder laid out like the fleet's, with a writer under pm2. Its path is short: pm2 makes sockets in it. */
async function startWriter(): Promise<AsyncDisposable & { readonly folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'lr'));
  const env = { ...process.env, PM2_HOME: join(folder, 'run/pm2'), PM2_DISABLE_VERSION_CHECK: '1' };
  const pm2 = async (...args: readonly string[]): Promise<unknown> =>
    run(nodePath, [join(repository, 'node_modules/pm2/bin/pm2'), ...args], { env });
  mkdirSync(join(folder, 'logs'));
  mkdirSync(env.PM2_HOME, { recursive: true });
  writeFileSync(join(folder, 'writer.cjs'), WRITER);
  const log = join(folder, 'logs/writer.log');
  const app = {
    name: 'writer',
    script: join(folder, 'writer.cjs'),
    interpreter: nodePath,
    exec_mode: 'fork',
    merge_logs: true,
    out_file: log,
    error_file: log,
    pmx: false,
    vizion: false,
  };
  writeFileSync(join(folder, 'apps.json'), JSON.stringify({ apps: [app] }));
  await pm2('start', join(folder, 'apps.json'));
  return {
    folder,
    [Symbol.asyncDispose]: async () => {
      await pm2('kill');
      rmSync(folder, { recursive: true });
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

const LAST_LINE = '{"event":"stopped"}';

/** The numbers of the writer's records that stand before its last line. */
function numbersIn(lines: readonly string[]): readonly number[] {
  return lines.slice(0, lines.indexOf(LAST_LINE)).map((line) => (JSON.parse(line) as { readonly n: number }).n);
}
const expected = Array.from({ length: LINES }, (_, n) => n);

testWith(
  [program('logrotate')],
  'rotation loses no line of a service that writes, and a follower sees each',
  async ({ signal }) => {
    await using writer = await startWriter();
    const configuration = join(writer.folder, 'logrotate.conf');
    const shipped = readFileSync(join(repository, 'docs/operations/logrotate.conf'), 'utf8');
    writeFileSync(configuration, shipped.replaceAll('/srv/small-servers', writer.folder), { mode: 0o644 });
    const rotate = (): Promise<unknown> =>
      run(findProgram('logrotate') ?? '', ['--force', '--state', join(writer.folder, 'state'), configuration]);

    const logs = join(writer.folder, 'logs');
    const follower = spawn(
      nodePath,
      [join(repository, 'shared/src/logs/main.ts'), '-f', '-n', 'all', '--json', '--dir', logs],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    signal.addEventListener('abort', () => follower.kill());
    const followed: string[] = [];
    // Each rotation begins when the one before has ended and its followers' lines have come.
    let next = LINES / (ROTATIONS + 2);
    let rotating: Promise<unknown> | undefined;
    for await (const line of createInterface({ input: follower.stdout })) {
      followed.push(line);
      if (rotating === undefined && followed.length > next) {
        rotating = rotate().then(() => {
          next = followed.length + LINES / (ROTATIONS + 2);
          rotating = undefined;
        });
      }
      if (line === LAST_LINE) follower.kill('SIGINT');
    }
    await rotating;

    expect(numbersIn(linesOf(logs))).toEqual(expected);
    expect(numbersIn(followed)).toEqual(expected);
    expect(readdirSync(logs).filter((name) => name.endsWith('.gz')).length).toBeGreaterThan(ROTATIONS / 2);
    const { stdout } = await run(
      nodePath,
      [join(repository, 'shared/src/logs/main.ts'), '-n', 'all', '--json', '--dir', logs],
      { maxBuffer: 2 ** 30 },
    );
    expect(numbersIn(stdout.split('\n'))).toEqual(expected);
  },
  60_000,
);
