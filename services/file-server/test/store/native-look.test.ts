/** What one call tells of a name in a directory, beside what Node's `lstat` says of it. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, lstatSync, mkdirSync, openSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { memoryOperations } from '../../src/store/memory-operations.ts';
import { absent, openNativeFiles, unknown } from '../../src/store/native-files.ts';
import { realOperations } from '../../src/store/operations.ts';
import { StatxBuffer } from '../../src/store/statx.ts';
import { heldFolder } from '../support/held-folder.ts';

const held = heldFolder();

describe.runIf(process.platform === 'linux')('a look at a name', () => {
  const look = (directory: number, name: string) =>
    openNativeFiles(process, directory, true)?.look?.(directory, Buffer.from(name));

  test('tells the same as lstat, of files, folders, links and what is none of them', () => {
    writeFileSync(join(held.home, 'file'), 'some bytes');
    utimesSync(join(held.home, 'file'), -1.5, -1.5);
    writeFileSync(join(held.home, 'empty'), '');
    mkdirSync(join(held.home, 'folder'));
    symlinkSync('/etc', join(held.home, 'link'));
    symlinkSync('nowhere', join(held.home, 'dangling'));
    execFileSync('mkfifo', [join(held.home, 'fifo')]);
    for (const name of ['file', 'empty', 'folder', 'link', 'dangling', 'fifo']) {
      const { dev, ino, mode, size, mtimeNs, ctimeNs } = lstatSync(join(held.home, name), { bigint: true });
      expect(look(held.descriptor, name), name).toEqual({ dev, ino, mode, size, mtimeNs, ctimeNs });
    }
  });

  test('does so on every file system that is there, whatever the number of its device', () => {
    for (const path of ['/', '/dev', '/proc', '/sys', tmpdir()]) {
      const directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
      const { dev, ino } = lstatSync(path, { bigint: true });
      // A dot is no mount by itself, but what it stands for may be: then nothing is told.
      const found = look(directory, '.');
      if (found !== unknown) expect(found, path).toMatchObject({ dev, ino });
      closeSync(directory);
    }
  });

  test('tells of a name that is not there that it is not, and of a mount nothing', () => {
    expect(look(held.descriptor, 'missing')).toBe(absent);
    const root = openSync('/', constants.O_RDONLY | constants.O_DIRECTORY);
    expect(look(root, 'proc')).toBe(unknown);
    closeSync(root);
    expect(look(held.descriptor, 'n'.repeat(5_000))).toBe(unknown);
  });

  test('is not to be had where names may have to come from a disk', () => {
    expect(openNativeFiles(process, held.descriptor, false)?.look).toBeUndefined();
  });
});

test.each([
  [0, 45, 0x2dn],
  [8, 17, 0x811n],
  [8, 256, 0x100800n],
  [259, 1, 0x10301n],
  [0x12345, 0xabcde, 0x12000abc345den],
])('the device %i:%i has the number that the C library gives it', (major, minor, number) => {
  const found = new StatxBuffer();
  const words = new Uint32Array(found.bytes.buffer);
  words[136 / 4] = major;
  words[140 / 4] = minor;
  expect(found.stats().dev).toBe(number);
});

test.each([
  ['no mount', 0n, 0x2000n, false],
  ['a mount', 0x2000n, 0x2000n, true],
  ['a kernel that does not tell mounts', 0n, 0n, true],
])('%s', (_what, attributes, known, may) => {
  const found = new StatxBuffer();
  new BigUint64Array(found.bytes.buffer).set([attributes], 8 / 8);
  new BigUint64Array(found.bytes.buffer).set([known], 56 / 8);
  expect(found.mayBeMountRoot).toBe(may);
});

describe('the names of a directory in memory', () => {
  test('are those that the threads find, however many, of whatever bytes', async () => {
    for (let index = 0; index < 2_500; index++) writeFileSync(join(held.home, `n${index}`), '');
    if (process.platform === 'linux')
      writeFileSync(Buffer.concat([Buffer.from(`${held.home}/`), Buffer.from([0xff])]), '');
    const [now, later] = await Promise.all(
      [memoryOperations, realOperations].map(async (operations) =>
        (await Array.fromAsync(operations.names(Buffer.from(held.home)))).toSorted(),
      ),
    );
    expect(now).toEqual(later);
  });

  test('are given up without a descriptor left open', async () => {
    for (const name of ['a', 'b', 'c']) writeFileSync(join(held.home, name), '');
    const before = (await readdir('/dev/fd')).length;
    for await (const name of memoryOperations.names(Buffer.from(held.home))) if (name !== '') break;
    expect((await readdir('/dev/fd')).length).toBe(before);
  });
});
