/** The disk says no: at every step, in the words that users must be able to tell apart. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DiskStore } from '../../src/store/disk-store.ts';
import { faultyOperations, shortWrites } from './support/faulty-operations.ts';
import {
  any,
  at,
  bytesOf,
  contentOf,
  leftovers,
  openDescriptors,
  openStore,
  put,
  rootWithOutside,
  sha256,
} from './support/roots.ts';

const content = bytesOf(1_300_000, 3);
const old = bytesOf(500, 4);

async function replace(store: DiskStore): Promise<void> {
  const upload = await store.createUpload({ path: at('a'), sizeBytes: content.length, precondition: any });
  for (let from = 0; from < content.length; from += 100_000) await upload.write(content.subarray(from, from + 100_000));
  await upload.commit();
}

describe.each([
  ['EIO', 'INTERNAL'],
  ['ENOSPC', 'NOSPACE'],
  ['EDQUOT', 'QUOTA'],
  ['EMFILE', 'LIMIT'],
])('%s at each step of an upload', (code, word) => {
  test('is told, leaves the old file or the new one, and nothing else', async () => {
    const { root } = rootWithOutside();
    const faulty = faultyOperations();
    const store = await openStore(root, { operations: faulty.operations, maxTotalBytes: 10_000_000 });
    await put(store, 'a', old);
    const first = faulty.steps.length;
    await replace(store);
    const count = faulty.steps.length - first;
    const descriptors = openDescriptors();
    let failures = 0;
    for (let step = 0; step < count; step++) {
      await put(store, 'a', old, any);
      const operation = faulty.steps.length + step;
      faulty.failAt(step, code);
      const [outcome] = await Promise.allSettled([replace(store)]);
      const name = faulty.steps[operation]?.operation;
      if (outcome?.status === 'rejected') {
        failures++;
        expect(outcome.reason, name).toMatchObject({ name: 'FileError', code: word });
      } else {
        // Only the removal of a record is no reason to say that a file is not there.
        expect(name).toBe('unlink');
      }
      const now = sha256(await contentOf(store, 'a'));
      expect([sha256(old), sha256(content)], name).toContain(now);
      // All that may be left is a record whose removal failed; the next sweep takes it.
      if (name !== 'unlink') expect(leftovers(root), name).toEqual([]);
      expect((await store.space()).usedBytes, name).toBe(statSize(root));
    }
    expect(failures).toBeGreaterThan(count / 2);
    expect(openDescriptors()).toBe(descriptors);
    await store.close();
    await openStore(root);
    expect(leftovers(root)).toEqual([]);
  });
});

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
