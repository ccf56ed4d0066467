import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lastLines, sizeBytes } from '../../src/fleet/log-tail.ts';

let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'log-tail-'));
  path = join(folder, 'service.log');
});
afterAll(() => rm(folder, { recursive: true }));

test('a file that is not there is empty', async () => {
  expect(await sizeBytes(path)).toBe(0);
  expect(await lastLines(path, 0, 10)).toEqual([]);
});

test('the last lines, oldest first, of what was written since', async () => {
  await writeFile(path, 'before\n');
  const since = await sizeBytes(path);
  await writeFile(path, 'one\n\ntwo\nthree', { flag: 'a' });
  expect(await lastLines(path, since, 10)).toEqual(['one', 'two', 'three']);
  expect(await lastLines(path, since, 2)).toEqual(['two', 'three']);
  expect(await lastLines(path, await sizeBytes(path), 10)).toEqual([]);
});

test('a file that became shorter since was made anew: all of it is new', async () => {
  const since = await sizeBytes(path);
  await truncate(path, 0);
  await writeFile(path, 'anew\n');
  expect(await lastLines(path, since, 10)).toEqual(['anew']);
});

test('of a huge file only the end is read', async () => {
  await writeFile(path, `${'x'.repeat(2 ** 20)}\nlast\n`);
  const lines = await lastLines(path, 0, 10);
  expect(lines.at(-1)).toBe('last');
  expect(lines.join('').length).toBeLessThan(20_000);
});
