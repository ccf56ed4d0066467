import { mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { seededBytes } from '../../../../test/support/splits.ts';
import { type NativeWriter, openNativeWriter } from '../../src/client/native-writer.ts';
import { TargetFolder } from '../../src/client/target-folder.ts';
import { heldFolder } from '../support/held-folder.ts';

const name = Buffer.from('f');

const held = heldFolder();

test('on another system there are no such calls, and a target folder says that nothing was put', () => {
  expect(openNativeWriter({ ...process, platform: 'darwin' })).toBeUndefined();
  const target = new TargetFolder(held.home, false);
  expect(target.put(target.directory([]), { name, bytes: Buffer.from('x'), modifiedMs: 0 })).toBe(false);
  target.close();
});

describe.runIf(process.platform === 'linux')('on Linux', () => {
  const write = openNativeWriter(process) as NativeWriter;

  test.each([
    ['nothing', 0, 1_700_000_000_123],
    ['some bytes, from before 1970', 1_000, -1],
    ['the most that is small', 256 * 1024, 0],
  ])('%s: the file has its content and its time, and no other name', async (_what, sizeBytes, modifiedMs) => {
    const bytes = seededBytes(sizeBytes, 1);
    expect(write(held.descriptor, { name, bytes, modifiedMs })).toBe(true);
    expect(await readdir(held.home)).toEqual(['f']);
    expect((await readFile(join(held.home, 'f'))).equals(bytes)).toBe(true);
    expect((await stat(join(held.home, 'f'), { bigint: true })).mtimeNs).toBe(BigInt(modifiedMs) * 1_000_000n);
  });

  test('what has the name is replaced, and a link there is not followed', async () => {
    await writeFile(join(held.home, 'other'), 'other');
    await symlink('other', join(held.home, 'f'));
    for (const text of ['first', 'second']) {
      expect(write(held.descriptor, { name, bytes: Buffer.from(text), modifiedMs: 0 })).toBe(true);
      expect(await readFile(join(held.home, 'f'), 'utf8')).toBe(text);
    }
    expect([await readdir(held.home), await readFile(join(held.home, 'other'), 'utf8')]).toEqual([
      ['f', 'other'],
      'other',
    ]);
  });

  test('what has the name of a file under way stays as it is: that file is left to the portable way', async () => {
    await symlink('elsewhere', join(held.home, 'first'));
    await writeFile(join(held.home, 'second'), 'precious');
    const parts = ['first', 'second', 'third'];
    const writeAs = openNativeWriter(process, () => parts.shift() as string) as NativeWriter;
    const put = () => writeAs(held.descriptor, { name, bytes: Buffer.from('x'), modifiedMs: 0 });
    expect([put(), put(), put(), put()]).toEqual([false, false, true, true]);
    expect(await readlink(join(held.home, 'first'))).toBe('elsewhere');
    expect(await readFile(join(held.home, 'second'), 'utf8')).toBe('precious');
    expect(await readdir(held.home)).toEqual(['f', 'first', 'second']);
  });

  test('a name may be as long as any', async () => {
    const longest = Buffer.alloc(255, 'n');
    expect(write(held.descriptor, { name: longest, bytes: Buffer.from('x'), modifiedMs: 0 })).toBe(true);
    expect(await readdir(held.home)).toEqual([longest.toString()]);
  });

  test('a file that can not get its name leaves no part behind', async () => {
    await mkdir(join(held.home, 'f'));
    expect(write(held.descriptor, { name, bytes: Buffer.from('x'), modifiedMs: 0 })).toBe(false);
    expect(await readdir(held.home)).toEqual(['f']);
  });

  test('a name longer than any can be is no name cut short', async () => {
    for (const length of [256, 4_096]) {
      const file = { name: Buffer.alloc(length, 'n'), bytes: Buffer.from('x'), modifiedMs: 0 };
      expect(write(held.descriptor, file)).toBe(false);
    }
    expect(await readdir(held.home)).toEqual([]);
  });

  test('descriptors do not pile up, whether it worked or not', async () => {
    const before = (await readdir('/proc/self/fd')).length;
    await mkdir(join(held.home, 'g'));
    for (let index = 0; index < 50; index++) {
      write(held.descriptor, { name, bytes: Buffer.from('x'), modifiedMs: 0 });
      write(held.descriptor, { name: Buffer.from('g'), bytes: Buffer.from('x'), modifiedMs: 0 });
    }
    expect((await readdir('/proc/self/fd')).length).toBe(before);
  });
});
