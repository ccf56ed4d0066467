/** What the documents of this service show is what it says. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { nodePath, repository, startDaemon } from '../../../test/support/daemon.ts';
import { connectClient } from '../../../test/support/tcp.ts';
import { helpText, lineProblems } from '../src/protocol.ts';

const read = (path: string): Promise<string> => readFile(`${repository}${path}`, 'utf8');

describe('README.md', () => {
  test('shows HELP as it is', async () => {
    expect(await read('services/time-stream-tcp/README.md')).toContain(helpText().replaceAll('\r\n', '\n'));
  });

  test('its one line of pnpm logs names the clients with a wrong clock, in the form that it shows', async () => {
    const readme = await read('services/time-stream-tcp/README.md');
    const [, flags = '', shown = ''] = /^\$ npx pnpm@12 logs (.*)\n.*\n(.*)$/m.exec(readme) ?? [];
    const folder = await mkdtemp(join(tmpdir(), 'time-'));
    try {
      await using daemon = await startDaemon('time-stream-tcp', ['--client-zone', 'UTC']);
      await using right = await connectClient(daemon.port);
      await using wrong = await connectClient(daemon.port);
      right.socket.write(`${new Date().toISOString()}\n`);
      wrong.socket.write('2099-01-01 00:00:00\n');
      await daemon.record('stamp', 2);
      await daemon.record('clock-wrong');
      const log = daemon.records.map((record) => `${JSON.stringify(record)}\n`).join('');
      await writeFile(join(folder, 'time-stream-tcp.log'), log);
      const args = [`${repository}shared/src/logs/bin.js`, '--dir', folder, ...flags.split(' ')];
      const { stdout } = await promisify(execFile)(nodePath, args);
      const lines = stdout.trimEnd().split('\n').slice(1);
      expect(lines).toHaveLength(1);
      expect(lines[0]).toContain(` 127.0.0.1:${wrong.localPort} offsetMs=`);
      const form = (line: string): string => line.replaceAll(/-?\d+(?:\.\d+)?/g, '#').replace('behind', 'ahead');
      expect(form(lines[0] ?? '')).toBe(form(shown));
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

test('docs/protocols/time-stream.md names every word of ERR', async () => {
  const page = await read('docs/protocols/time-stream.md');
  for (const word of Object.keys(lineProblems)) expect(page).toContain(`\`${word}\``);
});
