/** Memory that outlives its process, with real processes: a folder of the machine's own memory is needed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { addLeftBehind, type LeftBehind } from '../../src/daemon/kept-lines.ts';

const keptLines = fileURLToPath(new URL('../../src/daemon/kept-lines.ts', import.meta.url));
const testOnLinux = test.skipIf(!existsSync('/dev/shm'));

/** A process that puts two lines into its memory for the log and then waits. */
async function startHolder(log: string): Promise<AsyncDisposable & { kill(): Promise<void> }> {
  const code = `
    const { keepLines } = await import(${JSON.stringify(keptLines)});
    const store = keepLines(${JSON.stringify(log)});
    store.writingTo(2n ** 60n + 7n);
    store.hold(0, 3 + store.bytes.write('one\\ntwo\\n', 3));
    store.hold(3, 11);
    console.log('ready');
    setInterval(() => store, 1_000_000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  await once(child.stdout, 'data');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await closed;
  };
  return { kill, [Symbol.asyncDispose]: kill };
}

function take(log: string): readonly (readonly [string, bigint])[] {
  const found: LeftBehind[] = [];
  addLeftBehind(log, (left) => found.push({ ...left, lines: Buffer.from(left.lines) }));
  return found.map(({ lines, inode }) => [lines.toString(), inode]);
}

const ours = (): readonly string[] => readdirSync(join('/dev/shm', `small-servers-${process.getuid?.()}`));

testOnLinux(
  'lines of a process that was killed are found once, those of one that runs and of other logs are not',
  async () => {
    const log = `/nowhere/${process.pid}/a.log`;
    await using holder = await startHolder(log);
    expect(take(log)).toEqual([]);
    await holder.kill();
    expect(take(`${log}.other`)).toEqual([]);
    expect(take(log)).toEqual([['one\ntwo\n', 2n ** 60n + 7n]]);
    expect(take(log)).toEqual([]);
  },
);

testOnLinux('what could not be added is kept for the next one', async () => {
  const log = `/nowhere/${process.pid}/b.log`;
  const before = ours();
  await using holder = await startHolder(log);
  await holder.kill();
  const full = (): never => {
    throw new Error('no space left on device');
  };
  expect(() => addLeftBehind(log, full)).toThrow('no space');
  expect(take(log)).toHaveLength(1);
  expect(ours().filter((name) => !before.includes(name))).toEqual([]);
});
