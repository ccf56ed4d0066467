import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { memoryOperations } from '../../src/store/memory-operations.ts';
import { openExclusiveRename, openNativeFiles } from '../../src/store/native-files.ts';
import { realOperations, remoteOperations } from '../../src/store/operations.ts';
import { temporaryDirectory } from './support/roots.ts';

describe.each([
  ['local', realOperations],
  ['memory', memoryOperations],
  ['remote', remoteOperations],
])('%s: a rename to a new name', (_, operations) => {
  const planted = () => {
    const directory = temporaryDirectory();
    const path = (name: string) => Buffer.from(join(directory, name));
    writeFileSync(path('a'), 'a');
    mkdirSync(path('d'));
    return path;
  };

  test('moves a file and a directory', async () => {
    const path = planted();
    await operations.renameNew(path('a'), path('b'));
    await operations.renameNew(path('d'), path('e'));
    expect(readFileSync(path('b'), 'utf8')).toBe('a');
  });

  test('replaces nothing: no file, no empty directory, no link', async () => {
    const path = planted();
    writeFileSync(path('file'), 'x');
    mkdirSync(path('empty'));
    symlinkSync('nowhere', path('link'));
    for (const [from, to] of [
      ['a', 'file'],
      ['d', 'empty'],
      ['a', 'link'],
    ] as const) {
      await expect(operations.renameNew(path(from), path(to)), to).rejects.toMatchObject({ code: 'EEXIST' });
    }
    expect(readFileSync(path('file'), 'utf8')).toBe('x');
  });

  test('names what else is wrong', async () => {
    const path = planted();
    await expect(operations.renameNew(path('missing'), path('b'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(operations.renameNew(path('a'), path('missing/b'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(operations.renameNew(path('a'), path('d/x/y'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(operations.renameNew(path('d'), path('d/e'))).rejects.toMatchObject({ code: 'EINVAL' });
  });
});

test('where there are no native calls there are none, and nothing is thrown', () => {
  const host = {
    platform: 'darwin',
    arch: 'arm64',
    getBuiltinModule: process.getBuiltinModule,
    emitWarning: process.emitWarning,
  } as const;
  expect(openExclusiveRename(host)).toBeUndefined();
  expect(openNativeFiles(host, 0, false)).toBeUndefined();
});

test('a descriptor that is no directory is found out at the start', () => {
  expect(openNativeFiles(process, -1, false)).toBeUndefined();
});
