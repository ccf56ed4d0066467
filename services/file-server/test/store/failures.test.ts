/** The disk says no: at every step, in the words that users must be able to tell apart. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DiskStore } from '../../src/store/disk-store.ts';
import type { Precondition } from '../../src/store/store.ts';
import { faultyOperations, shortWrites } from './support/faulty-operations.ts';
import {
  any,
  at,
  bytesOf,
  contentIfThere,
  contentOf,
  leftovers,
  none,
  openDescriptors,
  openStore,
  put,
  rootWithOutside,
  sha256,
} from './support/roots.ts';

const content = bytesOf(1_300_000, 3);
const old = bytesOf(500, 4);

async function upload(store: DiskStore, path: string, precondition: Precondition): Promise<void> {
  const started = await store.createUpload({ path: at(path), sizeBytes: content.length, precondition });
  for (let from = 0; from < content.length; from += 100_000)
    await started.write(content.subarray(from, from + 100_000));
  await started.commit();
}

const replace = (store: DiskStore) => upload(store, 'a', any);

const kinds = [
  { name: 'that replaces a file', reset: (store: DiskStore) => put(store, 'a', old, any), act: replace },
  {
    name: 'of a new file',
    reset: (store: DiskStore) => store.remove(at('a'), undefined).catch(() => {}),
    act: (store: DiskStore) => upload(store, 'a', none),
  },
];

describe.each([
  ['EIO', 'INTERNAL'],
  ['ENOSPC', 'NOSPACE'],
  ['EDQUOT', 'QUOTA'],
  ['EMFILE', 'LIMIT'],
])('%s at each step of an upload', (code, word) => {
  test.each(kinds)('$name is told, leaves what was or what is to be, and nothing else', async ({ reset, act }) => {
    const { root } = rootWithOutside();
    const faulty = faultyOperations();
    const store = await openStore(root, { operations: faulty.operations, maxTotalBytes: 10_000_000 });
    await reset(store);
    const allowed = [contentIfThere(join(root, 'a')), content.toString('latin1')].map(digestOf);
    const first = faulty.steps.length;
    await act(store);
    const count = faulty.steps.length - first;
    const descriptors = openDescriptors();
    let failures = 0;
    for (let step = 0; step < count; step++) {
      await reset(store);
      const operation = faulty.steps.length + step;
      faulty.failAt(step, code);
      const [outcome] = await Promise.allSettled([act(store)]);
      const name = faulty.steps[operation]?.operation;
      // A name of the partial file that cannot be removed is no reason to say that the file is not there.
      if (outcome?.status === 'fulfilled') expect(name).toBe('unlink');
      if (outcome?.status === 'rejected') {
        failures++;
        expect(outcome.reason, name).toMatchObject({ name: 'FileError', code: word });
      }
      const now = digestOf(contentIfThere(join(root, 'a')));
      expect(allowed, name).toContain(now);
      if (outcome?.status === 'fulfilled') expect(now).toBe(allowed[1]);
      if (name === 'unlink') await store.sweep();
      expect(leftovers(root), name).toEqual([]);
      expect((await store.space()).usedBytes, name).toBe(statSize(root));
    }
    expect(failures).toBeGreaterThan(count / 2);
    expect(openDescriptors()).toBe(descriptors);
  });
});

const digestOf = (bytes: string | undefined) => bytes && sha256(Buffer.from(bytes, 'latin1'));

function statSize(root: string): number {
  return readdirSync(root)
    .filter((name) => name !== '.small-servers')
    .reduce((sum, name) => sum + readFileSync(join(root, name)).length, 0);
}

test.each([1000, 65_536, 500_000])('writes that take at most %i bytes are gone on with', async (maxBytes) => {
  const { root } = rootWithOutside();
  const store = await openStore(root, { operations: shortWrites(maxBytes) });
  await replace(store);
  expect((await contentOf(store, 'a')).equals(content)).toBe(true);
});

test('a file system that takes nothing and says nothing does not hold us for ever', async () => {
  const { root } = rootWithOutside();
  const store = await openStore(root, { operations: shortWrites(0) });
  await expect(replace(store)).rejects.toMatchObject({ code: 'INTERNAL' });
  expect(leftovers(root)).toEqual([]);
});

test('a file system without hard links still refuses a name that is taken', async () => {
  const { root } = rootWithOutside();
  const faulty = faultyOperations();
  const operations = {
    ...faulty.operations,
    link: async () => {
      throw Object.assign(new Error('EPERM'), { code: 'EPERM', syscall: 'link' });
    },
  };
  const store = await openStore(root, { operations });
  const request = { path: at('a'), sizeBytes: 1, precondition: { kind: 'none' } as const };
  const [first, second] = await Promise.all([store.createUpload(request), store.createUpload(request)]);
  await first.write(Buffer.from('1'));
  await second.write(Buffer.from('2'));
  await first.commit();
  await expect(second.commit()).rejects.toMatchObject({ code: 'EXISTS' });
  expect((await contentOf(store, 'a')).toString()).toBe('1');
  expect(leftovers(root)).toEqual([]);
});
