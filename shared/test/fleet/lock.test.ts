/** That no two commands change the fleet at a time. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { alone } from '../../src/fleet/lock.ts';

let folder = '';
let lockFile = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'small-servers-'));
  lockFile = join(folder, 'fleet.lock');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('one at a time, and nothing is left behind whatever becomes of it', async () => {
  const gate = Promise.withResolvers<string>();
  const first = alone(lockFile, () => gate.promise);
  while (!(await readdir(folder)).includes('fleet.lock'));
  await expect(alone(lockFile, async () => 'second')).rejects.toMatchObject({
    code: 'SUPERVISOR_FAILED',
    message: expect.stringContaining(`is under way (pid ${process.pid})`),
  });
  gate.resolve('first');
  expect(await first).toBe('first');
  await expect(alone(lockFile, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  expect(await readdir(folder)).toEqual([]);
});

test.each(['4194305', '', 'nonsense'])('what one that was killed left (%j) stops nobody', async (left) => {
  await writeFile(lockFile, left);
  expect(await alone(lockFile, async () => 'done')).toBe('done');
  expect(await readdir(folder)).toEqual([]);
});
