/** The lnav format of docs/operations/lnav with the real lnav: it is taken, and the log is a table. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { repository } from '../support/daemon.ts';
import { program, testWith } from '../support/programs.ts';

const format = join(repository, 'docs/operations/lnav/small_servers.json');

const lines = [
  '{"level":"info","time":"2026-11-20T05:27:33.204Z","service":"echo-tcp","pid":7,"event":"listening","address":"127.0.0.1","port":7007,"transport":"tcp","msg":"echo-tcp listens"}',
  '{"level":"debug","time":"2026-11-20T05:27:34.490Z","service":"echo-tcp","pid":7,"event":"connection-opened","conn":"1","peer":"[::1]:41568","msg":"connected"}',
  '{"level":"info","time":"2026-11-20T05:27:34.492Z","service":"echo-tcp","pid":7,"event":"connection-closed","conn":"1","peer":"[::1]:41568","bytesIn":10,"bytesOut":10,"durationMs":2,"reason":"peer-closed","msg":"closed"}',
  '{"level":"warn","time":"2026-11-20T05:27:36.000Z","service":"echo-tcp","pid":7,"event":"connection-refused","peer":"127.0.0.1:5","reason":"max-connections","refused":3,"msg":"refused"}',
  '{"level":"fatal","time":"2026-11-20T05:27:37.000Z","service":"echo-tcp","pid":7,"event":"crashed","code":"TypeError","msg":"crashed: boom"}',
  'Error: boom',
  '    at x (y.ts:1)',
];

/** Runs lnav without a terminal on these lines, with a home of its own. */
function lnav(...args: readonly string[]): string {
  const home = mkdtempSync(join(tmpdir(), 'lnav-'));
  onTestFinished(() => rmSync(home, { recursive: true }));
  const log = join(home, 'echo-tcp.log');
  writeFileSync(log, `${lines.join('\n')}\n`);
  const env = { PATH: process.env.PATH, HOME: home, TZ: 'UTC', LC_ALL: 'C.UTF-8' };
  const run = (...given: readonly string[]): string =>
    execFileSync('lnav', given, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  run('-i', format);
  return run('-n', ...args, log);
}

const query = (sql: string): unknown => JSON.parse(lnav('-c', `;${sql}`, '-c', ':write-json-to -'));

testWith([program('lnav')], 'lnav shows each record on one line of words', () => {
  const shown = lnav().trimEnd().split('\n');
  expect(shown).toHaveLength(lines.length);
  expect(shown[2]).toMatch(
    /^2026-11-20T05:27:34\.492 info +echo-tcp +connection-closed 1 \[::1\]:41568 peer-closed closed$/,
  );
});

testWith([program('lnav')], 'lnav has the fields as columns and knows the levels', () => {
  expect(
    query(
      'SELECT event, log_level, conn, peer, reason FROM small_servers_log WHERE event IS NOT NULL ORDER BY log_line',
    ),
  ).toEqual([
    { event: 'listening', log_level: 'info', conn: null, peer: null, reason: null },
    {
      event: 'connection-opened',
      log_level: 'debug',
      conn: '1',
      peer: '[::1]:41568',
      reason: null,
    },
    {
      event: 'connection-closed',
      log_level: 'info',
      conn: '1',
      peer: '[::1]:41568',
      reason: 'peer-closed',
    },
    {
      event: 'connection-refused',
      log_level: 'warning',
      conn: null,
      peer: '127.0.0.1:5',
      reason: 'max-connections',
    },
    { event: 'crashed', log_level: 'fatal', conn: null, peer: null, reason: null },
  ]);
});

testWith([program('lnav')], 'lnav computes with the numbers', () => {
  const sql =
    'SELECT sum(bytesIn + bytesOut) AS bytes, sum(refused) + 0.5 AS refused, max(durationMs) < 10 AS short FROM small_servers_log';
  expect(query(sql)).toEqual([{ bytes: 20, refused: 3.5, short: 1 }]);
});

testWith([program('lnav')], 'lnav shows a stack trace in its place', () => {
  const shown = lnav().trimEnd().split('\n');
  expect(shown.slice(-3)).toEqual([expect.stringMatching(/ crashed .*boom$/), 'Error: boom', '    at x (y.ts:1)']);
});
