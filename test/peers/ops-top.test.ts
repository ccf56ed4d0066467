/** `top` on a real pseudo-terminal, and where there is none. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Daemon, nodePath, repository } from '../support/daemon.ts';
import { program, testWith } from '../support/programs.ts';
import { until } from '../support/tcp.ts';

let state = '';
let daemon: Daemon;

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'top-'));
  const socket = join(state, 'run', 'echo-tcp.sock');
  daemon = new Daemon('echo-tcp', ['serve', '--port', '0', '--admin-socket', socket]);
  await until(() => existsSync(socket), 'the admin socket is there');
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(state, { recursive: true, force: true });
});

const command = [nodePath, `${repository}shared/src/fleet/bin.js`, 'top'];

function start(program: string, args: readonly string[]) {
  const child = spawn(program, args, { env: { PATH: process.env.PATH, SMALL_SERVERS_STATE: state, TERM: 'xterm' } });
  const seen = { text: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    seen.text += text;
  });
  return { child, seen };
}

test('without a terminal it prints one frame without control characters, and fails for a service that is gone', async () => {
  const { child, seen } = start(command[0] ?? '', command.slice(1));
  const [code] = await once(child, 'close');
  expect(code).toBe(1);
  expect(seen.text).toMatch(/^echo-tcp {2}up \d/m);
  expect(seen.text).toMatch(/^udp-echo {2}not started$/m);
  expect(seen.text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
});

for (const [name, key] of [
  ['q', 'q'],
  ['Ctrl-C', '\x03'],
] as const) {
  testWith([program('script')], `on a terminal it draws until ${name}, and gives the terminal back`, async () => {
    const shell = `stty rows 24 cols 80; ${command.map((word) => `'${word}'`).join(' ')}; stty -a; echo code=$?`;
    const { child, seen } = start('script', ['-qec', shell, '/dev/null']);
    await until(() => seen.text.includes('echo-tcp  up'), 'a frame is drawn');
    expect(seen.text).toContain('\x1b[?1049h\x1b[?25l');
    child.stdin.write(key);
    await once(child, 'close');
    const [, after = ''] = seen.text.split('\x1b[?25h\x1b[?1049l');
    expect(after).toContain('code=0');
    expect(after).toMatch(/(?<!-)\bicanon\b[\s\S]*(?<!-)\becho\b/);
  });
}
