/** The jq recipes of docs/operations/jq.md with the real jq, each on logs with a known answer. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { repository } from '../support/daemon.ts';
import { program, testWith } from '../support/programs.ts';

const logs = {
  'echo-tcp.log': [
    '{"level":"info","time":"2026-11-20T05:27:33.204Z","service":"echo-tcp","pid":7,"event":"listening","address":"127.0.0.1","port":7007}',
    '{"level":"info","time":"2026-11-20T05:27:34.492Z","service":"echo-tcp","pid":7,"event":"connection-closed","conn":"1","peer":"127.0.0.1:41568","bytesIn":10,"bytesOut":10,"durationMs":2,"reason":"peer-closed"}',
    '{"level":"info","time":"2026-11-20T05:27:35.510Z","service":"echo-tcp","pid":7,"event":"connection-closed","conn":"2","peer":"127.0.0.1:41580","bytesIn":0,"bytesOut":0,"durationMs":1017,"reason":"idle"}',
    'Error: boom',
    '    at x (y.ts:1)',
    '{"level":"warn","time":"2026-11-20T05:27:36.000Z","service":"echo-tcp","pid":7,"event":"connection-refused","peer":"127.0.0.1:5","reason":"max-connections","refused":1}',
    '{"level":"warn","time":"2026-11-20T05:27:46.000Z","service":"echo-tcp","pid":7,"event":"connection-refused","peer":"127.0.0.1","reason":"max-connections","refused":5231,"intervalMs":10000}',
  ],
  'file-server.log': [
    '{"level":"info","time":"2026-11-20T05:28:00.000Z","service":"file-server","pid":8,"event":"connection-closed","conn":"2","peer":"[::1]:9","bytesIn":100,"bytesOut":5,"durationMs":30,"reason":"peer-closed"}',
  ],
};

/** What each recipe prints, by the sentence that stands before it. */
const answers: Readonly<Record<string, unknown>> = {
  'Connections that ended, by reason': '      1 idle\n      2 peer-closed\n',
  'Refusals by reason': { 'max-connections': 5232 },
  'The ten addresses with the most bytes': [
    { peer: '[::1]', bytes: 105 },
    { peer: '127.0.0.1', bytes: 20 },
  ],
  'Connections that took more than a second': '2026-11-20T05:27:35.510Z\techo-tcp\t2\t127.0.0.1:41580\t1017\n',
  'Percentiles of durations': { count: 3, p50: 30, p99: 1017, max: 1017 },
  'Connections that ended, per minute': '      2 2026-11-20T05:27\n      1 2026-11-20T05:28\n',
  'One connection, from its service and id': JSON.parse(logs['echo-tcp.log'][2] ?? ''),
  'What is not a record': 'Error: boom\n    at x (y.ts:1)\n',
};

const page = readFileSync(join(repository, 'docs/operations/jq.md'), 'utf8');
const recipes = [...page.matchAll(/^(?<title>[^\n]+)\n\n```sh\n(?<script>.*?)```/gms)].map(({ groups }) => ({
  title: groups?.title ?? '',
  script: groups?.script ?? '',
}));

test('every recipe of the page has its answer here', () => {
  expect(recipes.map(({ title }) => Object.keys(answers).find((start) => title.startsWith(start)))).toEqual(
    Object.keys(answers),
  );
});

for (const { title, script } of recipes) {
  testWith([program('jq')], `jq: ${title}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'jq-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    mkdirSync(join(folder, 'logs'));
    for (const [name, lines] of Object.entries(logs))
      writeFileSync(join(folder, 'logs', name), `${lines.join('\n')}\n`);
    const output = execFileSync('bash', ['-o', 'pipefail', '-c', script], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
    });
    const answer = Object.entries(answers).find(([start]) => title.startsWith(start))?.[1];
    expect(typeof answer === 'string' ? output : JSON.parse(output)).toEqual(answer);
  });
}
