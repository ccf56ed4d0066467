/** Every way a process can end, with its last records collected and not yet written. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const log = fileURLToPath(new URL('../../src/daemon/log.ts', import.meta.url));

/** Writes 1,000 records in one turn, more than a pipe holds at once, and ends in the given way. */
async function recordsOf(ending: string): Promise<readonly { event: string; index?: number }[]> {
  const code = `
    const { createLog } = await import(${JSON.stringify(log)});
    const log = createLog({ service: 'test', level: 'info' });
    process.on('uncaughtExceptionMonitor', ({ message }) => log.fatal({ event: 'crashed' }, message));
    setImmediate(() => {
      for (let index = 0; index < 1000; index += 1) log.info({ event: 'record', index }, 'x'.repeat(100));
      ${ending}
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'ignore'] });
  const lines = (await text(child.stdout)).split('\n');
  expect(lines.pop()).toBe('');
  return lines.map((line) => JSON.parse(line));
}

const indexes = (records: readonly { index?: number }[]): readonly (number | undefined)[] =>
  records.map(({ index }) => index);
const everyIndex = Array.from({ length: 1000 }, (_, index) => index);

test.each([
  ['process.exit(0);', 'an exit in the middle of the turn'],
  ['process.exitCode = 0;', 'nothing left to do'],
])('no record is lost at %s (%s)', async (ending) => {
  expect(indexes(await recordsOf(ending))).toEqual(everyIndex);
});

test.each(["throw new Error('boom');", "Promise.reject(new Error('boom'));"])(
  'nor in a crash, and the crash is the last record: %s',
  async (ending) => {
    const records = await recordsOf(ending);
    expect(records.at(-1)).toMatchObject({ event: 'crashed', msg: 'boom' });
    expect(indexes(records.slice(0, -1))).toEqual(everyIndex);
  },
);

test.each(["process.kill(process.pid, 'SIGKILL');", 'process.abort();'])(
  'a process that is ended without a word loses at most its last moment, and no line is torn: %s',
  async (ending) => {
    const written = indexes(await recordsOf(ending));
    expect(written).toEqual(everyIndex.slice(0, written.length));
    expect(written.length).toBeGreaterThan(0);
  },
);

test('one that lived for another 5 ms has lost nothing even then', async () => {
  const ending = "setTimeout(() => process.kill(process.pid, 'SIGKILL'), 100);";
  expect(indexes(await recordsOf(ending))).toEqual(everyIndex);
});
