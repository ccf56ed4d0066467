/** How a program ends whose reader has left: by the exit code of that, also when it ends right after it printed. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const standardOutput = fileURLToPath(new URL('../../src/cli/standard-output.ts', import.meta.url));
const code = `
  const { endWithoutOutput, written } = await import(${JSON.stringify(standardOutput)});
  endWithoutOutput('test', 141);
  for await (const _ of process.stdin);
  process.stdout.write('all there is to say');
  await written(process.stdout);
  process.exit(0);`;
const args = ['--input-type=module', '-e', code];

test('a pipe, which is written to at once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'small-servers-'));
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY);
  closeSync(reader);
  const child = spawn(process.execPath, args, { stdio: ['ignore', writer, 'inherit'] });
  closeSync(writer);
  expect(await once(child, 'exit')).toEqual([141, null]);
  await rm(folder, { recursive: true });
});

test('a socket, which is written to later', async () => {
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdout.destroy();
  await once(child.stdout, 'close');
  child.stdin.end();
  expect(await once(child, 'exit')).toEqual([141, null]);
});

test('complaints that nobody reads end nothing', async () => {
  const complaining = code.replace(
    "process.stdout.write('all",
    "await new Promise((done) => process.stderr.write('a complaint', () => setImmediate(done)));\n  $&",
  );
  const child = spawn(process.execPath, ['--input-type=module', '-e', complaining], { stdio: 'pipe' });
  child.stderr.destroy();
  await once(child.stderr, 'close');
  child.stdin.end();
  child.stdout.resume();
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('a reader that stays gets it all, and the code is that of success', async () => {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (part) => {
    text += part;
  });
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(text).toBe('all there is to say');
});
