/**
 * Searching 1 GiB of log: `pnpm logs` beside grep on the same file, and the ways of searching that
 * were weighed (docs/decisions/0302-log-search.md). Every output goes through a pipe and is read: for
 * /dev/null GNU grep stops at the first match.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions } from '../support/options.ts';
import { spreadOf, turnOrder } from '../support/rounds.ts';
import { renderTable } from '../support/table.ts';
import { writeLog } from './log-file.ts';
import { strategies, type Way } from './strategies.ts';

const FILE_BYTES = 1024 ** 3;
const MEMORY_LOOK_MS = 10;
/** What the script `pnpm logs` runs. */
const MAIN = join(import.meta.dirname, '../../../shared/src/logs/bin.js');

interface Contestant {
  readonly name: string;
  command(pattern: string, folder: string): readonly string[];
  env(folder: string): Readonly<Record<string, string>>;
}

/** The folder as a fleet's: with compiled code in it from the first run on. */
const fleetOf = (folder: string): Readonly<Record<string, string>> => ({ SMALL_SERVERS_STATE: folder });

const grep = (locale: string): Contestant => ({
  name: `grep, LC_ALL=${locale}`,
  command: (pattern, folder) => ['grep', '-E', '-e', pattern, join(folder, 'echo-tcp.log')],
  env: () => ({ LC_ALL: locale }),
});

const logs = (...flags: readonly string[]): Contestant => ({
  name: ['pnpm logs', ...flags].join(' '),
  command: (pattern, folder) => [process.execPath, MAIN, '--dir', folder, '--grep', pattern, ...flags],
  env: fleetOf,
});

/** The first is what the ratios refer to. */
const contestants = [grep('C'), grep('C.UTF-8'), logs('--json'), logs()];

/** Patterns that are found never, rarely, and in a quarter of the lines; with a literal and without. */
const patterns = ['zzzzzz', 'peer":"10\\.3\\.44\\.55:', 'durationMs":4999.*idle', '[0-9]{6}', 'reason":"reset"'];

const questions: readonly (readonly [string, readonly string[]])[] = [
  ['the last 10 lines', []],
  ['--conn abcd', ['--conn', 'abcd', '--json']],
  ['--peer 10.3.44.0/30', ['--peer', '10.3.44.0/30', '--json']],
  ['--level warn', ['--level', 'warn', '--json']],
  ['--since, the last minute', ['--since', '2026-11-01T04:00:00Z', '--grep', 'none', '--json']],
  ['stats', ['stats']],
];

interface Run {
  readonly seconds: number;
  readonly bytes: number;
  readonly peakMiB: number;
}

async function time(command: readonly string[], env: Readonly<Record<string, string>>): Promise<Run> {
  const startMs = performance.now();
  const child = spawn(command[0] ?? '', command.slice(1), {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let peakMiB = 0;
  const look = setInterval(() => {
    peakMiB = Math.max(peakMiB, peakMemoryMiB(child.pid));
  }, MEMORY_LOOK_MS);
  let bytes = 0;
  child.stdout.on('data', (piece: Buffer) => {
    bytes += piece.length;
  });
  await once(child, 'close');
  clearInterval(look);
  return { seconds: (performance.now() - startMs) / 1000, bytes, peakMiB };
}

/** The greatest resident memory so far (Linux); 0 where the system does not say. */
function peakMemoryMiB(pid: number | undefined): number {
  try {
    const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kib ?? 0) / 1024;
  } catch {
    return 0;
  }
}

interface Row {
  readonly question: string;
  readonly name: string;
  readonly runs: readonly Run[];
}

/** Best of all rounds: whatever else the machine does only ever adds. */
const best = ({ runs }: Row): number => spreadOf(runs.map(({ seconds }) => seconds)).min;
const peak = ({ runs }: Row): number => spreadOf(runs.map(({ peakMiB }) => peakMiB)).max;

async function searchAll(folder: string, rounds: number): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const question of patterns) {
    const runs = new Map<Contestant, Run[]>(contestants.map((contestant) => [contestant, []]));
    for (let round = 0; round < rounds; round += 1) {
      for (const contestant of turnOrder(contestants, round)) {
        runs.get(contestant)?.push(await time(contestant.command(question, folder), contestant.env(folder)));
      }
    }
    for (const [{ name }, ofThis] of runs) rows.push({ question, name, runs: ofThis });
  }
  return rows;
}

async function askAll(folder: string, rounds: number): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const [question, flags] of questions) {
    const runs: Run[] = [];
    for (let round = 0; round < rounds; round += 1) {
      runs.push(await time([process.execPath, MAIN, ...flags, '--dir', folder], fleetOf(folder)));
    }
    rows.push({ question, name: 'pnpm logs', runs });
  }
  return rows;
}

const seconds = (row: Row): string => best(row).toFixed(2);

function searchTable(rows: readonly Row[]): string {
  const reference = new Map(
    rows.filter(({ name }) => name === contestants[0]?.name).map((row) => [row.question, best(row)]),
  );
  return renderTable(
    [
      { title: 'pattern', align: 'left' },
      { title: 'program', align: 'left' },
      { title: 's', align: 'right' },
      { title: 'of grep', align: 'right' },
      { title: 'output MiB', align: 'right' },
      { title: 'peak MiB', align: 'right' },
    ],
    rows.map((row) => [
      `\`${row.question}\``.replaceAll('|', '\\|'),
      row.name,
      seconds(row),
      (best(row) / (reference.get(row.question) ?? Number.NaN)).toFixed(1),
      ((row.runs[0]?.bytes ?? 0) / 1024 ** 2).toFixed(1),
      peak(row).toFixed(0),
    ]),
  );
}

function questionTable(rows: readonly Row[]): string {
  return renderTable(
    [
      { title: 'question', align: 'left' },
      { title: 's', align: 'right' },
      { title: 'peak MiB', align: 'right' },
    ],
    rows.map((row) => [row.question, seconds(row), peak(row).toFixed(0)]),
  );
}

/** The side tables are no races: two rounds tell. */
const SIDE_ROUNDS = 2;

export async function run({ rounds, json }: BenchOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-logs-'));
  const print = (text: string): void => void (json || process.stdout.write(text));
  try {
    mkdirSync(join(folder, 'run'));
    const path = join(folder, 'echo-tcp.log');
    const lines = writeLog(path, FILE_BYTES);
    print(`1 GiB, ${lines.toLocaleString('en-US')} lines; the best of ${rounds} rounds\n\n`);
    const searches = await searchAll(folder, rounds);
    print(`${searchTable(searches)}\n`);
    const asked = await askAll(folder, Math.min(rounds, SIDE_ROUNDS));
    print(`${questionTable(asked)}\n`);
    const ways = strategies(path, Math.min(rounds, SIDE_ROUNDS));
    print(waysTable(ways));
    if (json) process.stdout.write(`${JSON.stringify({ lines, searches, asked, ways })}\n`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function waysTable(ways: readonly Way[]): string {
  const patternsOf = Object.keys(ways[0]?.seconds ?? {});
  return renderTable(
    [
      { title: 'way', align: 'left' },
      ...patternsOf.map((pattern) => ({ title: `\`${pattern}\`, s`, align: 'right' as const })),
    ],
    ways.map(({ name, seconds: taken }) => [
      name,
      ...Object.values(taken).map((value) => (Number.isNaN(value) ? '-' : value.toFixed(2))),
    ]),
  );
}
