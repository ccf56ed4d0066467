/** Small files that are here whole, on a file system in memory: as any upload, but in one turn, and with no name before. */
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { memoryOperations } from '../../src/store/memory-operations.ts';
import type { FileOperations } from '../../src/store/operations.ts';
import type { UploadRequest } from '../../src/store/store.ts';
import { type FaultyOperations, faultyOperations } from './support/faulty-operations.ts';
import {
  any,
  at,
  bytesOf,
  contentIfThere,
  contentOf,
  etag,
  expectRefusal,
  leftovers,
  memoryDirectory,
  none,
  openDescriptors,
  openStore,
  put,
  rootWithOutside,
  type StoreOptions,
  sha256,
} from './support/roots.ts';

const content = bytesOf(1024, 2);
const request = (path: string, changes: Partial<UploadRequest> = {}): UploadRequest => ({
  path: at(path),
  sizeBytes: content.length,
  precondition: none,
  ...changes,
});

async function opened(options: StoreOptions = {}) {
  const { root, outside } = rootWithOutside(memoryDirectory);
  return { root, outside, store: await openStore(root, options) };
}

function faulty(): { faulty: FaultyOperations; options: StoreOptions } {
  const operations = faultyOperations(memoryOperations);
  return { faulty: operations, options: { operations: operations.operations, nativeFor: operations.nativeFor } };
}

describe.skipIf(memoryDirectory === undefined)('in memory', () => {
  test.each([none, any])('a new file is there at once, if=$kind, as any other', async (precondition) => {
    const { root, store } = await opened({ maxTotalBytes: 10_000 });
    mkdirSync(join(root, 'd/e'), { recursive: true });
    for (const [path, bytes] of [
      ['a', content],
      ['d/e/f', content],
      ['empty', Buffer.alloc(0)],
    ] as const) {
      const asked = request(path, { precondition, sizeBytes: bytes.length, sha256: sha256(bytes) });
      const done = store.putNow(asked, bytes);
      expect(done?.id).toMatch(/^[0-9a-f]{32}$/);
      expect(done?.entry).toMatchObject({ kind: 'file', sizeBytes: bytes.length, sha256: sha256(bytes) });
      expect(await store.stat(at(path))).toEqual(done?.entry);
      expect(readFileSync(join(root, path)).equals(bytes)).toBe(true);
      const { mode, nlink } = statSync(join(root, path));
      expect([mode & 0o777, nlink]).toEqual([0o666 & ~process.umask(), 1]);
    }
    expect((await store.space()).usedBytes).toBe(2 * content.length);
    expect(leftovers(root)).toEqual([]);
  });

  test('it takes these steps, and no name of the store itself', async () => {
    const { faulty: watched, options } = faulty();
    const { store } = await opened(options);
    const first = watched.steps.length;
    store.putNow(request('a'), content);
    expect(watched.steps.slice(first).map(({ operation }) => operation)).toEqual([
      'create',
      'writeNow',
      'link',
      'statNow',
    ]);
  });

  test('what is refused, or is more than that, is left to the other way, and nothing is done', async () => {
    const { root, outside, store } = await opened({ maxFileBytes: 2000, maxTotalBytes: 3000 });
    await put(store, 'taken', content);
    mkdirSync(join(root, 'd'));
    symlinkSync(outside, join(root, 'link'));
    symlinkSync('nowhere', join(root, 'dangling'));
    const before = openDescriptors();
    const version = (await store.stat(at('taken'))).etag;
    const large = bytesOf(2001);
    const cases: [string, UploadRequest, Buffer][] = [
      ['taken', request('taken'), content],
      ['to be replaced', request('taken', { precondition: any }), content],
      ['of a version', request('taken', { precondition: etag(version) }), content],
      ['a folder', request('d', { precondition: any }), content],
      ['a link', request('dangling', { precondition: any }), content],
      ['through a link', request('link/x'), content],
      ['through a file', request('taken/x'), content],
      ['in no folder', request('missing/x'), content],
      ['the root', request('/'), content],
      ['of the store', request('.small-servers/x'), content],
      ['no new name', request('CON'), content],
      ['too long a name', request('n'.repeat(256)), content],
      ['another content', request('new', { sha256: 'f'.repeat(64) }), content],
      ['too large', request('new', { sizeBytes: large.length }), large],
    ];
    for (const [name, asked, bytes] of cases) expect(store.putNow(asked, bytes), name).toBeUndefined();
    await put(store, 'second', content);
    expect(store.putNow(request('new'), content), 'above the quota').toBeUndefined();
    await expectRefusal(put(store, 'new', content), 'QUOTA');
    expect(readdirSync(root).sort()).toEqual(['.small-servers', 'd', 'dangling', 'link', 'second', 'taken']);
    expect(readdirSync(outside)).toEqual([]);
    expect(leftovers(root)).toEqual([]);
    expect(openDescriptors()).toBe(before);
  });

  test('a store that only reads, or is closed, takes nothing', async () => {
    const { root, store } = await opened();
    const reading = await openStore(root, { writable: false });
    expect(reading.putNow(request('a'), content)).toBeUndefined();
    await store.close();
    expect(store.putNow(request('a'), content)).toBeUndefined();
    expect(readdirSync(root)).toEqual(['.small-servers']);
  });

  test('it does not come between the look and the rename of one who replaces', async () => {
    const meanwhile: unknown[] = [];
    const operations: FileOperations = {
      ...memoryOperations,
      rename: async (from, to) => {
        meanwhile.push(store.putNow(request('a'), content), store.putNow(request('b'), content)?.entry.kind);
        return memoryOperations.rename(from, to);
      },
    };
    const { root, store } = await opened({ maxTotalBytes: 10_000, operations });
    const slow = await store.createUpload(request('a', { precondition: any }));
    await slow.write(content);
    await slow.commit();
    expect(meanwhile).toEqual([undefined, 'file']);
    expect(readdirSync(root).sort()).toEqual(['.small-servers', 'a', 'b']);
    expect((await store.space()).usedBytes).toBe(2 * content.length);
  });

  test('a folder that leaves the root takes nothing along', async () => {
    const { root, outside, store } = await opened();
    mkdirSync(join(root, 'd'));
    store.putNow(request('d/a'), content);
    renameSync(join(root, 'd'), join(outside, 'd'));
    symlinkSync(join(outside, 'd'), join(root, 'd'));
    expect(store.putNow(request('d/b'), content)).toBeUndefined();
    expect(readdirSync(join(outside, 'd'))).toEqual(['a']);
  });

  test('a crash at each step leaves nothing, or the whole file', async () => {
    const probe = faulty();
    const { store } = await opened(probe.options);
    const first = probe.faulty.steps.length;
    store.putNow(request('a'), content);
    const count = probe.faulty.steps.length - first;
    for (let step = 0; step <= count; step += 1) {
      const crashing = faulty();
      const { root, store: gone } = await opened(crashing.options);
      crashing.faulty.crashAt(step);
      const [outcome] = await Promise.allSettled([put(gone, 'a', content)]);
      await gone.close();
      const found = contentIfThere(join(root, 'a'));
      if (outcome?.status === 'fulfilled' || found !== undefined)
        expect(found === content.toString('latin1')).toBe(true);
      const next = await openStore(root);
      expect(leftovers(root)).toEqual([]);
      expect((await next.space()).usedBytes).toBe(found?.length ?? 0);
    }
  });

  test.each([
    ['EIO', 'INTERNAL'],
    ['ENOSPC', 'NOSPACE'],
    ['EMFILE', 'LIMIT'],
  ])('%s at each step: the other way is tried, or it is told', async (code, word) => {
    const { faulty: failing, options } = faulty();
    const { root, store } = await opened({ ...options, maxTotalBytes: 100_000 });
    await put(store, 'a', content);
    await store.remove(at('a'), undefined);
    const descriptors = openDescriptors();
    const told: string[] = [];
    for (let step = 0; step < 4; step += 1) {
      const operation = failing.steps.length + step;
      failing.failAt(step, code);
      const [outcome] = await Promise.allSettled([put(store, 'a', content)]);
      expect(contentIfThere(join(root, 'a')) === content.toString('latin1')).toBe(true);
      if (outcome?.status === 'rejected') {
        expect(outcome.reason).toMatchObject({ name: 'FileError', code: word });
        told.push(failing.steps[operation]?.operation ?? '');
      }
      expect((await store.space()).usedBytes).toBe(content.length);
      expect(leftovers(root)).toEqual([]);
      await store.remove(at('a'), undefined);
    }
    // The file is there then, and only what is to be said of it is missing.
    expect(told).toEqual(['statNow']);
    expect(openDescriptors()).toBe(descriptors);
  });

  test('a write that takes only some of it is not taken for the whole', async () => {
    const operations = {
      ...memoryOperations,
      writeNow: (descriptor: number, bytes: Uint8Array, offset: number) =>
        memoryOperations.writeNow(descriptor, bytes.subarray(0, 10), offset),
    };
    const { root, store } = await opened({ operations });
    expect(store.putNow(request('a'), content)).toBeUndefined();
    expect(readdirSync(root)).toEqual(['.small-servers']);
    await put(store, 'a', content);
    expect((await contentOf(store, 'a')).equals(content)).toBe(true);
  });
});

test('where there is a disk nothing is done in one turn', async () => {
  const { root } = rootWithOutside();
  writeFileSync(join(root, 'there'), '');
  const { operations, nativeFor } = faultyOperations();
  const store = await openStore(root, { operations, nativeFor });
  expect(store.putNow(request('a'), content)).toBeUndefined();
  expect(readdirSync(root).sort()).toEqual(['.small-servers', 'there']);
});
