import { chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { root, testWith } from '../../../test/support/programs.ts';
import { makeFolder, makePrivateFolder } from '../../src/daemon/private-folder.ts';

let base = '';
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'ss-folder-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(base, { recursive: true, force: true });
});

test('a folder that is missing is made with its parents, for its owner alone', async () => {
  const path = join(base, 'a', 'b');
  await makePrivateFolder(path);
  await makePrivateFolder(path);
  expect((await stat(path)).mode & 0o777).toBe(0o700);
});

test('where one can not be made, that is told, and it comes to an end', async () => {
  const file = join(base, 'file');
  await writeFile(file, '');
  await expect(makeFolder(file)).rejects.toMatchObject({
    code: 'PERMISSION_DENIED',
    message: expect.stringContaining(`${file} is no folder`),
  });
  await expect(makeFolder(join(file, 'a', 'b'))).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
  // Node's own `recursive` would try for ever.
  if (process.platform === 'linux')
    await expect(makeFolder('/proc/nothing/a')).rejects.toThrow("can't be made (ENOENT)");
});

test('a folder of another user is refused: what is put in there could be replaced', async () => {
  const other = 4712;
  if (root.met) await chown(base, other, other);
  vi.spyOn(process, 'getuid').mockReturnValue(4711);
  await expect(makePrivateFolder(base)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
});

testWith([root], 'a folder of root (/tmp) is as good as an own one', async () => {
  vi.spyOn(process, 'getuid').mockReturnValue(4711);
  await expect(makePrivateFolder(base)).resolves.toBeUndefined();
});
