/** Listings: their order, their pages, and what they cost. */
import { mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { DiskStore } from '../../src/store/disk-store.ts';
import { WINDOW_NAMES } from '../../src/store/listing.ts';
import { realOperations } from '../../src/store/operations.ts';
import type { ListReader } from '../../src/store/store.ts';
import { at, expectRefusal, openStore, put, rootWithOutside, ways } from './support/roots.ts';

/** Every page to the end. */
async function allPages(store: DiskStore, path: string, limit: number, depth = 1): Promise<string[][]> {
  const pages: string[][] = [];
  let after: string | undefined;
  for (;;) {
    const page = await store.list(at(path), { limit, depth, after });
    pages.push(page.entries.map((entry) => entry.path.text));
    after = page.entries.at(-1)?.path.text;
    if (!page.more) return pages;
    expect(page.entries).toHaveLength(limit);
  }
}

/** By the bytes of the names, a directory before what it holds: what a walk by hand gives. */
function sorted(paths: readonly string[]): string[] {
  const key = (path: string) => Buffer.concat(at(path).names.flatMap((name) => [name, Buffer.from([0])]));
  return [...paths].sort((a, b) => Buffer.compare(key(a), key(b)));
}

const tree = [
  'a',
  'a/b',
  'a/b/c',
  'a/b/c/d',
  'a/b-',
  'a-',
  'a-/x',
  'a.txt',
  'a0',
  'B',
  'Z/',
  'b',
  'b/1',
  'b/2',
  'b/10',
  '%C3%A9',
  '%FF',
  '~',
];
const directories = new Set(['a', 'a/b', 'a/b/c', 'a-', 'b']);

function plant(root: string): string[] {
  const paths = tree.filter((path) => !path.endsWith('/'));
  for (const path of paths) {
    const full = Buffer.concat([Buffer.from(root), ...at(path).names.flatMap((name) => [Buffer.from('/'), name])]);
    if (directories.has(path)) mkdirSync(full);
    else writeFileSync(full, path);
  }
  return paths;
}

describe.each(ways)('$name', ({ options, under }) => {
  test('pages of every size at every depth give the same entries in the same order', async () => {
    const { root } = rootWithOutside(under);
    const store = await openStore(root, options);
    const paths = plant(root);
    for (const depth of [1, 2, 3, 4, 32]) {
      const expected = sorted(paths.filter((path) => path.split('/').length <= depth));
      for (const limit of [1, 2, 3, 5, 100]) {
        expect((await allPages(store, '/', limit, depth)).flat(), `depth ${depth}, ${limit} a page`).toEqual(expected);
      }
    }
    expect((await allPages(store, 'a', 2, 2)).flat()).toEqual(['b', 'b/c', 'b-']);
  });

  test('what is listed is what STAT tells', async () => {
    const { root } = rootWithOutside(under);
    const store = await openStore(root, options);
    plant(root);
    symlinkSync('/', join(root, 'link'));
    await put(store, 'known', 'x');
    const { entries, more } = await store.list(at('/'), { limit: 100, depth: 3 });
    expect(more).toBe(false);
    for (const { path, ...entry } of entries) expect(entry).toEqual(await store.stat(path));
    expect(entries.find(({ path }) => path.text === 'known')).toHaveProperty('sha256', expect.stringMatching(/^2d71/));
  });
});

test('a page goes on after a name that is gone, at whatever depth', async () => {
  const { root } = rootWithOutside();
  const store = await openStore(root);
  plant(root);
  const after = async (path: string, depth: number) => {
    const { entries } = await store.list(at('/'), { limit: 2, depth, after: path });
    return entries.map((entry) => entry.path.text);
  };
  expect(await after('a/b/bb', 4)).toEqual(['a/b/c', 'a/b/c/d']);
  expect(await after('a/b/c/d/e', 4)).toEqual(['a/b-', 'a-']);
  expect(await after('a/zzz/x', 4)).toEqual(['a-', 'a-/x']);
  expect(await after('a/b', 1)).toEqual(['a-', 'a.txt']);
  expect(await after('~', 4)).toEqual(['%C3%A9', '%FF']);
  await expectRefusal(store.list(at('/'), { limit: 1, depth: 1, after: '../x' }), 'BADNAME');
  await expectRefusal(store.list(at('/'), { limit: 1, depth: 33 }), 'BADARG');
});

test('a page of very long paths has fewer of them, so that its memory has a bound', async () => {
  const { root } = rootWithOutside();
  const folders = Array.from({ length: 8 }, () => '\u00e9'.repeat(120));
  mkdirSync(join(root, ...folders), { recursive: true });
  const count = 200;
  for (let index = 0; index < count; index++) {
    writeFileSync(join(root, ...folders, `${index}`.padStart(3, '0') + '\u00e9'.repeat(120)), '');
  }
  const store = await openStore(root, { writable: false });
  const paths: string[] = [];
  let after: string | undefined;
  for (let more = true; more; ) {
    const page = await store.list(at('/'), { limit: 1000, depth: 32, after });
    const texts = page.entries.map((entry) => entry.path.text);
    expect(texts.join('').length).toBeLessThan(512 * 1024);
    paths.push(...texts);
    after = texts.at(-1);
    more = page.more;
  }
  expect(paths).toHaveLength(folders.length + count);
  expect(paths).toEqual(sorted(paths));
  expect(new Set(paths).size).toBe(paths.length);
});

test('entries that go away while they are listed are left out', async () => {
  const { root } = rootWithOutside();
  const operations = {
    ...realOperations,
    async *names(path: Buffer) {
      yield* realOperations.names(path);
      yield 'gone';
    },
  };
  const store = await openStore(root, { operations });
  await put(store, 'a', 'x');
  await put(store, 'z', 'x');
  expect(await allPages(store, '/', 10)).toEqual([['a', 'z']]);
});

test('any tree, in pages of any size', async () => {
  const { root } = rootWithOutside();
  const name = fc.constantFrom('a', 'b', 'a.', 'a-', 'aa', '%C3%A9', '0');
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(path, { maxLength: 20 }),
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 1, max: 5 }),
      async (paths, limit, depth) => {
        const directory = join(root, 'tree');
        rmSync(directory, { recursive: true, force: true });
        mkdirSync(directory);
        for (const one of paths) mkdirSync(join(directory, ...at(one).names.map(String)), { recursive: true });
        const all = new Set(
          paths.flatMap((one) => one.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'))),
        );
        const expected = sorted([...all].filter((one) => one.split('/').length <= depth));
        const store = await openStore(root, { writable: false });
        expect((await allPages(store, 'tree', limit, depth)).flat()).toEqual(expected);
        await store.close();
      },
    ),
    { seed: 3, numRuns: 40 },
  );
});

describe('a directory of very many names', () => {
  test('comes in order, is looked through once for many pages, and again when it changed', async () => {
    const { root } = rootWithOutside();
    const count = 2 * WINDOW_NAMES + 1000;
    let scans = 0;
    // The names come from here, in no order; what they stand for is asked of the disk, and is not there.
    const operations = {
      ...realOperations,
      async *names() {
        scans++;
        for (let index = 0; index < count; index++) yield `${(index * 7919) % count}`.padStart(6, '0');
      },
      lstat: async () => realOperations.lstat(Buffer.from(root)),
    };
    let sinceChangeMs = 10_000;
    const now = () => statSync(root).ctimeMs + sinceChangeMs;
    const store = await openStore(root, { operations, writable: false, nativeFor: () => undefined, now });
    const expected = Array.from({ length: count }, (_, index) => `${index}`.padStart(6, '0'));
    expect((await allPages(store, '/', 1000)).flat()).toEqual(expected);
    // 18 pages; a look for each window, and where one ends in the middle of a page perhaps another.
    expect(scans).toBeLessThanOrEqual(6);
    scans = 0;
    writeFileSync(join(root, 'x'), '');
    sinceChangeMs = 1;
    const pages = await allPages(store, '/', 4000);
    expect(scans, 'a directory that changed just now is not remembered').toBeGreaterThanOrEqual(pages.length);
  });
});

/**
 * A directory whose names come from the test and not from the disk: as `scan` has them at the moment. It changes all
 * the time, as far as its stamps tell.
 */
async function storeOfNames(scan: () => AsyncIterable<string>, nowMs = (): number => 1): Promise<DiskStore> {
  const { root } = rootWithOutside();
  const operations = { ...realOperations, names: scan, lstat: async () => realOperations.lstat(Buffer.from(root)) };
  const now = (): number => statSync(root).ctimeMs + nowMs();
  return openStore(root, { operations, writable: false, nativeFor: () => undefined, now });
}

const nameOf = (index: number): string => `${index}`.padStart(6, '0');
const reader = () => ({ gone: false });

describe('a directory that changes all the time', () => {
  test('is sorted a few thousand names at a time, of however many: the loop is not held for longer', async () => {
    const count = 12 * WINDOW_NAMES;
    const store = await storeOfNames(async function* () {
      // Neither up nor down, for which a sort has less to do.
      for (let index = 0; index < count; index += 1) yield nameOf((index * 7919) % count);
    });
    const sorts: number[] = [];
    const sort = Array.prototype.sort;
    const spy = vi.spyOn(Array.prototype, 'sort').mockImplementation(function (this: unknown[], ...how) {
      sorts.push(this.length);
      return sort.apply(this, how);
    });
    onTestFinished(() => spy.mockRestore());
    const asked = reader();
    let after: string | undefined;
    const listed: string[] = [];
    for (const limit of [10, 5000, 5000]) {
      const page = await store.list(at('/'), { limit, depth: 1, reader: asked, after });
      listed.push(...page.entries.map(({ path }) => path.text));
      after = listed.at(-1);
    }
    spy.mockRestore();
    expect(listed).toEqual(Array.from({ length: 10_010 }, (_, index) => nameOf(index)));
    expect(sorts.length).toBeGreaterThan(4);
    expect(Math.max(...sorts)).toBeLessThanOrEqual(WINDOW_NAMES);
  });

  test('is read once for many pages of one reader; what is there from the first to the last comes once', async () => {
    const count = 3 * WINDOW_NAMES;
    let scans = 0;
    let page = 0;
    const store = await storeOfNames(async function* () {
      scans += 1;
      for (let index = 0; index < count; index += 1) yield nameOf((index * 7919) % count);
      // Something comes and goes with each page, everywhere.
      for (let at = 0; at < count; at += 1000) yield `${nameOf(at)}-${page}`;
    });
    const asked = reader();
    const listed: string[] = [];
    let after: string | undefined;
    for (let more = true; more; page += 1) {
      const found = await store.list(at('/'), { limit: 500, depth: 1, after, reader: asked });
      listed.push(...found.entries.map(({ path }) => path.text));
      after = listed.at(-1);
      more = found.more;
    }
    expect(page).toBeGreaterThan(48);
    expect(scans).toBeLessThanOrEqual(6);
    expect(listed.filter((name) => !name.includes('-'))).toEqual(Array.from({ length: count }, (_, i) => nameOf(i)));
    expect(new Set(listed).size).toBe(listed.length);
  });

  test('shows what came before a listing began, to whoever asks from wherever', async () => {
    const names = new Set(Array.from({ length: WINDOW_NAMES }, (_, index) => nameOf(index)));
    let sinceMs = 1;
    const store = await storeOfNames(
      async function* () {
        yield* names;
      },
      () => sinceMs,
    );
    const ask = async (who: ListReader | undefined, after?: string, limit = 10): Promise<readonly string[]> => {
      const found = await store.list(at('/'), { limit, depth: 1, after, reader: who });
      return found.entries.map(({ path }) => path.text);
    };
    const [first, second] = [reader(), reader()];
    expect((await ask(first)).at(-1)).toBe(nameOf(9));
    names.add(`${nameOf(9)}-new`).add(`${nameOf(11)}-new`);
    expect(await ask(first, nameOf(9), 3), 'the same listing goes on').toEqual([10, 11, 12].map(nameOf));
    const anew = [`${nameOf(9)}-new`, nameOf(10), nameOf(11), `${nameOf(11)}-new`];
    expect(await ask(second, nameOf(9), 4), 'another reader').toEqual(anew);
    expect(await ask(undefined, nameOf(9), 4), 'nobody in particular').toEqual(anew);
    expect(await ask(first, nameOf(9), 4), 'the same, but not where the page before ended').toEqual(anew);
    expect(await ask(first, undefined, 1), 'the same, from the beginning').toEqual([nameOf(0)]);

    const last = nameOf(WINDOW_NAMES - 1);
    for (const left of [12, 7, 2]) await ask(first, nameOf(WINDOW_NAMES - left), 5);
    names.add(`${last}-new`);
    expect(await ask(first, last), 'behind the end').toEqual([`${last}-new`]);

    await ask(second);
    names.add(`${nameOf(9)}-later`);
    sinceMs += 10_000;
    expect((await ask(second, nameOf(9)))[0], 'a reader who takes its time').toBe(`${nameOf(9)}-later`);
  });
});

describe('of readings of directories', () => {
  /** Readings that end when they are let. */
  function gated(count: number) {
    const gate = { open: 0, most: 0, begun: 0, ended: 0, release: () => {} };
    const { promise, resolve } = Promise.withResolvers<void>();
    gate.release = resolve;
    const scan = async function* (): AsyncGenerator<string> {
      gate.begun += 1;
      gate.open += 1;
      gate.most = Math.max(gate.most, gate.open);
      try {
        await promise;
        for (let index = 0; index < count; index += 1) yield nameOf(index);
        gate.ended += 1;
      } finally {
        gate.open -= 1;
      }
    };
    return { gate, scan };
  }

  test('there are four at a time, and many who wait for the same one share it', async () => {
    const { gate, scan } = gated(2 * WINDOW_NAMES);
    const store = await storeOfNames(scan);
    const pages = Array.from({ length: 40 }, () => store.list(at('/'), { limit: 5, depth: 1, reader: reader() }));
    await vi.waitFor(() => expect(gate.open).toBe(4));
    for (let turn = 0; turn < 20; turn += 1) await setImmediate();
    expect(gate.open).toBe(4);
    gate.release();
    for (const { entries, more } of await Promise.all(pages)) expect([entries.length, more]).toEqual([5, true]);
    expect(gate.most).toBe(4);
    // Of those who waited, the first of each slot read; it was late enough for all.
    expect(gate.begun).toBeLessThanOrEqual(8);
  });

  test('none goes on for a reader that is gone, and none begins', async () => {
    const { gate, scan } = gated(4 * WINDOW_NAMES);
    const store = await storeOfNames(scan);
    const readers = Array.from({ length: 10 }, reader);
    const pages = readers.map((one) => store.list(at('/'), { limit: 5, depth: 1, reader: one }));
    await vi.waitFor(() => expect(gate.open).toBe(4));
    for (const one of readers) one.gone = true;
    gate.release();
    for (const page of pages) await expectRefusal(page, 'TIMEOUT');
    expect(gate).toMatchObject({ begun: 4, ended: 0, open: 0 });
    expect((await store.list(at('/'), { limit: 5, depth: 1 })).entries).toHaveLength(5);
  });
});
