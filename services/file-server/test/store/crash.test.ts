/**
 * The process goes at every single step of what it does to the disk. After that a new one finds either what was before
 * or what was asked for, whole, and nothing else but what can be resumed.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { DiskStore } from '../../src/store/disk-store.ts';
import { type FaultyOperations, faultyOperations } from './support/faulty-operations.ts';
import {
  any,
  at,
  bytesOf,
  contentIfThere,
  leftovers,
  none,
  openStore,
  put,
  rootWithOutside,
  type StoreOptions,
} from './support/roots.ts';

const small = bytesOf(1000, 2);
const large = bytesOf(1_300_000, 3);
const old = bytesOf(500, 4);
const text = (bytes: Buffer): string => bytes.toString('latin1');

interface Scenario {
  readonly name: string;
  prepare?(store: DiskStore): Promise<void>;
  act(store: DiskStore): Promise<void>;
  /** The files that there may be: name to content, before and after. */
  readonly before: Readonly<Record<string, Buffer>>;
  readonly after: Readonly<Record<string, Buffer>>;
}

async function upload(store: DiskStore, path: string, content: Buffer, precondition = none): Promise<void> {
  const started = await store.createUpload({ path: at(path), sizeBytes: content.length, precondition });
  for (let from = 0; from < content.length; from += 300_000)
    await started.write(content.subarray(from, from + 300_000));
  await started.commit();
}

let kept = '';

const scenarios: readonly Scenario[] = [
  {
    name: 'a small new file',
    act: async (store) => {
      await put(store, 'new', small);
    },
    before: {},
    after: { new: small },
  },
  {
    name: 'a large new file',
    act: (store) => upload(store, 'new', large),
    before: {},
    after: { new: large },
  },
  {
    name: 'a large file that replaces another',
    prepare: async (store) => {
      await put(store, 'a', old);
    },
    act: (store) => upload(store, 'a', large, any),
    before: { a: old },
    after: { a: large },
  },
  {
    name: 'an upload that is suspended',
    act: async (store) => {
      const started = await store.createUpload({ path: at('a'), sizeBytes: large.length, precondition: none });
      await started.write(large.subarray(0, 700_000));
      await started.suspend();
    },
    before: {},
    after: {},
  },
  {
    name: 'an upload that is resumed',
    prepare: async (store) => {
      const started = await store.createUpload({ path: at('a'), sizeBytes: large.length, precondition: none });
      await started.write(large.subarray(0, 700_000));
      await started.suspend();
      kept = started.id;
    },
    act: async (store) => {
      const resumed = await store.resumeUpload(kept);
      await resumed.write(large.subarray(resumed.durableBytes));
      await resumed.commit();
    },
    before: {},
    after: { a: large },
  },
  {
    name: 'an upload that is aborted',
    act: async (store) => {
      const started = await store.createUpload({ path: at('a'), sizeBytes: large.length, precondition: none });
      await started.write(large.subarray(0, 700_000));
      await started.abort();
    },
    before: {},
    after: {},
  },
  {
    name: 'a move over a file',
    prepare: async (store) => {
      await put(store, 'a', small);
      await put(store, 'b', old);
    },
    act: async (store) => {
      await store.move(at('a'), at('b'), any);
    },
    before: { a: small, b: old },
    after: { b: small },
  },
  {
    name: 'a removal',
    prepare: async (store) => {
      await put(store, 'a', old);
    },
    act: (store) => store.remove(at('a'), undefined),
    before: { a: old },
    after: {},
  },
];

function filesIn(root: string): Record<string, string | undefined> {
  const names = readdirSync(root).filter((name) => name !== '.small-servers');
  return Object.fromEntries(names.map((name) => [name, contentIfThere(join(root, name))]));
}

function asText(files: Readonly<Record<string, Buffer>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([name, content]) => [name, text(content)]));
}

async function prepared(scenario: Scenario): Promise<{ root: string; store: DiskStore; faulty: FaultyOperations }> {
  const { root } = rootWithOutside();
  const faulty = faultyOperations();
  const store = await openStore(root, { operations: faulty.operations });
  await scenario.prepare?.(store);
  return { root, store, faulty };
}

/** Whoever was told that it is done finds it done; whoever was not, one or the other. */
function requireOneOf(scenario: Scenario, root: string, done: boolean): void {
  const files = filesIn(root);
  const allowed = done ? [asText(scenario.after)] : [asText(scenario.before), asText(scenario.after)];
  const digests = (all: Record<string, string | undefined>) => JSON.stringify(all);
  expect(allowed.map(digests).includes(digests(files)), `${Object.keys(files)} after ${scenario.name}`).toBe(true);
}

/** Everything that is kept can be taken to its end, and everything else is gone. */
async function requireResumable(root: string, options: StoreOptions): Promise<void> {
  const store = await openStore(root, options);
  const ids = new Set(leftovers(root).map((name) => name.slice(0, 32)));
  expect(leftovers(root)).toEqual([...ids].flatMap((id) => [`${id}.json`, `${id}.part`]).sort());
  for (const id of ids) {
    const resumed = await store.resumeUpload(id);
    await resumed.write(large.subarray(resumed.durableBytes));
    await expect(resumed.commit()).resolves.toMatchObject({ sizeBytes: large.length });
    expect((contentIfThere(join(root, resumed.request.path.text)) ?? '') === text(large)).toBe(true);
  }
  expect(leftovers(root)).toEqual([]);
  expect((await store.space()).usedBytes).toBe(
    Object.values(filesIn(root)).reduce((sum, content) => sum + (content ?? '').length, 0),
  );
}

test.each(scenarios)('$name: a crash at each step', async (scenario) => {
  const probe = await prepared(scenario);
  const first = probe.faulty.steps.length;
  await scenario.act(probe.store);
  requireOneOf(scenario, probe.root, true);
  const count = probe.faulty.steps.length - first;
  expect(count).toBeGreaterThanOrEqual(3);

  for (let step = 0; step < count; step++) {
    const { root, store, faulty } = await prepared(scenario);
    faulty.crashAt(step);
    const [outcome] = await Promise.allSettled([scenario.act(store)]);
    // The system closes what a process had open. Nothing of this one reaches the disk any more.
    await store.close();
    requireOneOf(scenario, root, outcome?.status === 'fulfilled');
    await requireResumable(root, {});
  }
});

test.each(scenarios.filter(({ name }) => name.includes('new file') || name.includes('replaces')))(
  '$name: what is promised is on the disk before it appears, and its name before it is promised',
  async (scenario) => {
    const { store, faulty } = await prepared(scenario);
    const first = faulty.steps.length;
    await scenario.act(store);
    const steps = faulty.steps.slice(first);
    const last = (operation: string, of = '') =>
      steps.findLastIndex(({ operation: one, names }) => one === operation && names.some((name) => name.endsWith(of)));
    const written = steps.findLastIndex(({ operation, names }) => operation === 'write' && names.length === 0);
    const synced = steps.findLastIndex(({ operation }) => operation === 'syncData');
    const appeared = Math.max(last('link', '.part'), last('rename', '.part'), last('rename', 'a'));
    const named = steps.findLastIndex(({ operation }) => operation === 'sync');
    expect(written).toBeLessThan(synced);
    expect(synced).toBeLessThan(appeared);
    expect(appeared).toBeLessThan(named);
  },
);
