/** The store's own directory in the hands of somebody else: what is found there is believed to be anything. */
import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { realOperations } from '../../src/store/operations.ts';
import { at, bytesOf, contentOf, expectRefusal, leftovers, none, openStore, rootWithOutside } from './support/roots.ts';

const content = bytesOf(1_000_000);
const request = { path: at('a'), sizeBytes: content.length, precondition: none };

/** An upload that was cut, and where it is kept. */
async function cut() {
  const { root, outside } = rootWithOutside();
  const store = await openStore(root);
  const upload = await store.createUpload(request);
  await upload.write(content.subarray(0, 700_000));
  await upload.suspend();
  const hidden = join(root, '.small-servers');
  return { root, outside, store, hidden, id: upload.id };
}

const makeFifo = (path: string): void => void execFileSync('mkfifo', [path]);

describe('a FIFO', () => {
  test('in the place of a partial file holds nobody up: nothing is kept of that upload', async () => {
    const { root, store, hidden, id } = await cut();
    const part = join(hidden, `${id}.part`);
    rmSync(part);
    makeFifo(part);
    await expectRefusal(store.resumeUpload(id), 'NOTFOUND');
    expect(leftovers(root)).toEqual([]);
  });

  test('in the place of a record neither holds up a RESUME nor a start', async () => {
    const { root, store, hidden, id } = await cut();
    const record = join(hidden, `${id}.json`);
    rmSync(record);
    makeFifo(record);
    const next = await openStore(root);
    expect(next.describe()).toMatchObject({ keptPartials: 0, removedPartials: 1 });
    await expectRefusal(store.resumeUpload(id), 'NOTFOUND');
    expect(leftovers(root)).toEqual([]);
  });

  test('in the place of a record that is about to be written is removed', async () => {
    const { store, hidden, id } = await cut();
    const upload = await store.resumeUpload(id);
    makeFifo(join(hidden, `${id}.json.new`));
    await upload.write(content.subarray(700_000, 800_000));
    await upload.suspend();
    expect((await store.resumeUpload(id)).durableBytes).toBe(800_000);
  });
});

test('another name of a file of ours in the place of a new record: that file is not written to', async () => {
  const { outside, store, hidden, id } = await cut();
  const upload = await store.resumeUpload(id);
  const precious = join(outside, 'precious');
  writeFileSync(precious, 'as it was');
  linkSync(precious, join(hidden, `${id}.json.new`));
  await upload.suspend();
  expect(readFileSync(precious, 'utf8')).toBe('as it was');
});

test('a partial file of another owner is not gone on with: he could write to it under its name', async () => {
  const { root, hidden, id, store } = await cut();
  await store.close();
  const { ino } = statSync(join(hidden, `${id}.part`), { bigint: true });
  const operations = {
    ...realOperations,
    stat: async (descriptor: number) => {
      const stats = await realOperations.stat(descriptor);
      return stats.ino === ino ? Object.assign(stats, { uid: stats.uid + 1n }) : stats;
    },
  };
  const next = await openStore(root, { operations });
  await expectRefusal(next.resumeUpload(id), 'NOTFOUND');
});

describe('the directory itself', () => {
  test.each([0o777, 0o770, 0o755])('with the mode %o is closed to all others, and uploads go on', async (mode) => {
    const { root } = rootWithOutside();
    const hidden = join(root, '.small-servers');
    mkdirSync(hidden);
    chmodSync(hidden, mode);
    const store = await openStore(root);
    expect(statSync(hidden).mode & 0o777).toBe(0o700);
    const upload = await store.createUpload(request);
    await upload.write(content);
    await upload.commit();
    expect((await contentOf(store, 'a')).equals(content)).toBe(true);
  });

  const looking = (change: (stats: { uid: bigint; mode: bigint }) => object) => ({
    ...realOperations,
    changeMode: async () => {},
    lstat: async (path: Buffer) => {
      const stats = await realOperations.lstat(path);
      return path.toString().endsWith('/.') ? Object.assign(stats, change(stats)) : stats;
    },
  });

  test.each([
    [
      'of another user',
      ({ uid }: { uid: bigint }) => ({ uid: uid + 1n }),
      /belongs to the user \d+: chown -R it to \d+/,
    ],
    ['that stays open to others', () => ({ mode: 0o40777n }), /can be written by others, .*umask=077/],
    ['that only a group may write to', () => ({ mode: 0o40720n }), /can be written by others/],
  ])('%s: a writable server does not start, and says why', async (_, change, words) => {
    const { root } = rootWithOutside();
    const start = openStore(root, { operations: looking(change) });
    await expect(start).rejects.toMatchObject({ name: 'AppError', code: 'PERMISSION_DENIED' });
    await expect(start).rejects.toThrow(words);
    await expect(start).rejects.toThrow(`root ${root}: its .small-servers `);
  });

  test('that others may only read, and that no chmod changes, is borne', async () => {
    const { root } = rootWithOutside();
    await openStore(root, { operations: looking(() => ({ mode: 0o40755n })) });
  });

  test('a server that only reads does not look at it', async () => {
    const { root } = rootWithOutside();
    const hidden = join(root, '.small-servers');
    mkdirSync(hidden);
    chmodSync(hidden, 0o777);
    await openStore(root, { writable: false });
    expect(statSync(hidden).mode & 0o777).toBe(0o777);
  });
});
