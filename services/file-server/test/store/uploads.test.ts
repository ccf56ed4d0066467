/** Uploads beyond one that simply arrives: resumed, taken over, refused, kept and forgotten. */
import {
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { DiskStore } from '../../src/store/disk-store.ts';
import { realOperations } from '../../src/store/operations.ts';
import { portableSha256 } from '../../src/store/sha256-portable.ts';
import { PIECE_BYTES } from '../../src/store/upload.ts';
import { Turn } from '../../src/turn.ts';
import { faultyOperations, systemError } from './support/faulty-operations.ts';
import {
  any,
  at,
  bytesOf,
  contentOf,
  expectRefusal,
  leftovers,
  namesIn,
  none,
  openStore,
  put,
  rootWithOutside,
  sha256,
} from './support/roots.ts';

const MiB = 1024 * 1024;
const content = bytesOf(2 * MiB + 77);
const whole = { path: at('a'), sizeBytes: content.length, precondition: none, sha256: sha256(content) };

test('many who send at once leave others their turn: only so much is hashed in one of the event loop', async () => {
  const { root } = rootWithOutside();
  let nowMs = 0;
  let turns = 0;
  const hashedIn = new Map<number, number>();
  const digest: typeof portableSha256 = (from) => {
    const real = portableSha256(from);
    return {
      save: () => real.save(),
      finish: () => real.finish(),
      update: (bytes) => {
        nowMs += 3;
        hashedIn.set(turns, (hashedIn.get(turns) ?? 0) + 1);
        real.update(bytes);
      },
    };
  };
  const store = await openStore(root, { digest, turn: new Turn(() => nowMs) });
  let counting = true;
  const count = (): void => {
    turns += 1;
    if (counting) setImmediate(count);
  };
  count();
  const bytes = bytesOf(256 * 1024);
  const names = Array.from({ length: 20 }, (_, index) => `u${index}`);
  await Promise.all(names.map((name) => put(store, name, bytes)));
  counting = false;
  expect([...hashedIn.values()].reduce((sum, some) => sum + some, 0)).toBe(names.length);
  // Two of 3 ms are above a slice of 4 ms. The two counters of turns may be one apart.
  expect(Math.max(...hashedIn.values())).toBeLessThanOrEqual(4);
});

describe('pieces', () => {
  test.each([1000, 65_536, 262_144, 300_001, MiB, content.length])('of %i bytes come together', async (pieceBytes) => {
    const { root } = rootWithOutside();
    const store = await openStore(root);
    const upload = await store.createUpload(whole);
    // One buffer for all of them: after `write` the memory is the sender's again.
    const piece = Buffer.alloc(pieceBytes);
    for (let from = 0; from < content.length; from += pieceBytes) {
      const length = content.copy(piece, 0, from, from + pieceBytes);
      await upload.write(piece.subarray(0, length));
      piece.fill(0xee);
    }
    expect(await upload.commit()).toMatchObject({ sizeBytes: content.length, sha256: whole.sha256 });
    expect((await contentOf(store, 'a')).equals(content)).toBe(true);
    expect(leftovers(root)).toEqual([]);
  });

  test('of every size around the one that is gathered, with a length and without', async () => {
    const { root } = rootWithOutside();
    const store = await openStore(root);
    for (const extra of [-1, 0, 1]) {
      for (const announced of [true, false]) {
        const bytes = bytesOf(PIECE_BYTES + extra);
        const sizeBytes = announced ? bytes.length : undefined;
        const upload = await store.createUpload({ path: at('b'), sizeBytes, precondition: any });
        await upload.write(bytes.subarray(0, 10));
        await upload.write(bytes.subarray(10));
        expect(await upload.commit()).toMatchObject({ sizeBytes: bytes.length, sha256: sha256(bytes) });
        expect((await contentOf(store, 'b')).equals(bytes)).toBe(true);
      }
    }
  });

  test.each([content.length, undefined])(
    'small ones are written a few hundred KiB at a time, length %s',
    async (sizeBytes) => {
      const { root } = rootWithOutside();
      const faulty = faultyOperations();
      const store = await openStore(root, { operations: faulty.operations, now: () => 0 });
      const upload = await store.createUpload({ path: at('a'), sizeBytes, precondition: none });
      const before = faulty.steps.length;
      for (let from = 0; from < content.length; from += 1000) await upload.write(content.subarray(from, from + 1000));
      await upload.commit();
      const writes = faulty.steps.slice(before).filter(({ operation }) => operation === 'write');
      expect(writes).toHaveLength(Math.ceil(content.length / PIECE_BYTES));
    },
  );

  test('a small upload makes no file before it is whole', async () => {
    const { root } = rootWithOutside();
    const faulty = faultyOperations();
    const store = await openStore(root, { operations: faulty.operations });
    const upload = await store.createUpload({ path: at('a'), sizeBytes: 5, precondition: none });
    await upload.write(Buffer.from('hel'));
    expect(leftovers(root)).toEqual([]);
    const before = faulty.steps.length;
    await upload.write(Buffer.from('lo'));
    await upload.commit();
    expect(faulty.steps.slice(before).map(({ operation }) => operation)).toEqual([
      'open',
      'write',
      'changeMode',
      'syncData',
      'link',
      'unlink',
      'statNow',
      'sync',
    ]);
  });
});

describe('what is wrong at the end leaves nothing behind', () => {
  test('a digest that differs', async () => {
    const { root } = rootWithOutside();
    const store = await openStore(root);
    const upload = await store.createUpload({ ...whole, sha256: 'f'.repeat(64) });
    await upload.write(content);
    await expectRefusal(upload.commit(), 'CHECKSUM');
    expect(await namesIn(store, '/')).toEqual([]);
    expect(leftovers(root)).toEqual([]);
    await expectRefusal(upload.write(content), 'NOTFOUND');
    await upload.abort();
    await upload.suspend();
  });

  test('bytes that are missing', async () => {
    const { root } = rootWithOutside();
    const store = await openStore(root);
    const upload = await store.createUpload(whole);
    await upload.write(content.subarray(1));
    await expectRefusal(upload.commit(), 'CHECKSUM');
    expect(leftovers(root)).toEqual([]);
  });

  test('bytes that are too many', async () => {
    const { root } = rootWithOutside();
    const store = await openStore(root);
    const upload = await store.createUpload(whole);
    await upload.write(content);
    await expectRefusal(upload.write(Buffer.alloc(1)), 'TOOBIG');
    expect(leftovers(root)).toEqual([]);
  });

  test('an abort', async () => {
    const { root } = rootWithOutside();
    const store = await openStore(root);
    const upload = await store.createUpload(whole);
    const write = upload.write(content.subarray(0, MiB));
    await Promise.all([write, upload.abort()]);
    expect(leftovers(root)).toEqual([]);
    await expectRefusal(store.resumeUpload(upload.id), 'NOTFOUND');
  });
});

describe('RESUME', () => {
  const cut = async (root: string, bytes: number, options = {}) => {
    const store = await openStore(root, options);
    const upload = await store.createUpload(whole);
    await upload.write(content.subarray(0, bytes));
    await upload.suspend();
    return { store, id: upload.id };
  };

  test.each([1, 64, 100_000, PIECE_BYTES, MiB + 3, content.length])(
    'after %i bytes, by another process, which reads none of them again',
    async (bytes) => {
      const { root } = rootWithOutside();
      const first = await cut(root, bytes);
      expect(leftovers(root)).toEqual([`${first.id}.json`, `${first.id}.part`]);
      for (const name of leftovers(root)) {
        expect(statSync(join(root, '.small-servers', name)).mode & 0o777).toBe(0o600);
      }
      await first.store.close();

      const faulty = faultyOperations();
      const store = await openStore(root, { operations: faulty.operations });
      expect(store.describe()).toMatchObject({ keptPartials: 1, removedPartials: 0 });
      const upload = await store.resumeUpload(first.id);
      expect(upload.durableBytes).toBe(bytes);
      expect(upload.request).toEqual(whole);
      await upload.write(content.subarray(bytes));
      expect(await upload.commit()).toMatchObject({ sha256: whole.sha256 });
      const stepsUntilWhole = faulty.steps.length;
      expect((await contentOf(store, 'a')).equals(content)).toBe(true);
      expect(leftovers(root)).toEqual([]);
      // The record, once by the sweep and once here, and nothing of the upload.
      expect(faulty.steps.slice(0, stepsUntilWhole).filter(({ operation }) => operation === 'read')).toHaveLength(2);
    },
  );

  test('a digest that OpenSSL began goes on without it', async () => {
    const { root } = rootWithOutside();
    const { store, id } = await cut(root, 777_777);
    await store.close();
    const other = await openStore(root, { digest: portableSha256 });
    const upload = await other.resumeUpload(id);
    await upload.write(content.subarray(777_777));
    expect(await upload.commit()).toMatchObject({ sha256: whole.sha256 });
  });

  test('while the holder moves: BUSY; when it was silent for long: it is taken over, and told so', async () => {
    const { root } = rootWithOutside();
    let nowMs = 1_000_000;
    const store = await openStore(root, { now: () => nowMs, holderIdleMs: 5000 });
    const holder = await store.createUpload(whole);
    await holder.write(content.subarray(0, MiB));
    nowMs += 4999;
    await expectRefusal(store.resumeUpload(holder.id), 'BUSY');
    await expectRefusal(store.abortUpload(holder.id), 'BUSY');
    nowMs += 1;
    expect(holder.evicted.aborted).toBe(false);
    holder.evicted.addEventListener('abort', () => void holder.suspend());
    const next = await store.resumeUpload(holder.id);
    expect(holder.evicted.aborted).toBe(true);
    expect(next.durableBytes).toBe(MiB);
    await expectRefusal(holder.write(content.subarray(MiB)), 'BUSY');
    await expectRefusal(holder.commit(), 'BUSY');
    await next.write(content.subarray(MiB));
    await next.commit();
    expect((await contentOf(store, 'a')).equals(content)).toBe(true);
  });

  /** A holder that was silent for longer than it is left alone. */
  const silent = async () => {
    const { root } = rootWithOutside();
    let nowMs = 1_000_000;
    const store = await openStore(root, { now: () => nowMs, holderIdleMs: 5000 });
    const holder = await store.createUpload(whole);
    await holder.write(content.subarray(0, 1000));
    nowMs += 5000;
    return { root, store, holder };
  };

  test('a holder that is told hands over first what it has yet to write, and nothing of that is lost', async () => {
    const { store, holder } = await silent();
    holder.evicted.addEventListener('abort', () => {
      void holder.write(content.subarray(1000, MiB)).then(() => holder.suspend());
    });
    const next = await store.resumeUpload(holder.id);
    expect(next.durableBytes).toBe(MiB);
    await next.write(content.subarray(MiB));
    expect(await next.commit()).toMatchObject({ sha256: whole.sha256 });
  });

  test('one of which everything came may still be committed by its holder; then there is nothing to go on with', async () => {
    const { store, holder } = await silent();
    holder.evicted.addEventListener('abort', () => {
      void holder.write(content.subarray(1000)).then(() => holder.commit());
    });
    await expectRefusal(store.resumeUpload(holder.id), 'NOTFOUND');
    expect((await contentOf(store, 'a')).equals(content)).toBe(true);
  });

  test('of two who wait for the holder one gets it; a third need not wait for them', async () => {
    const { store, holder } = await silent();
    const gate = Promise.withResolvers<void>();
    holder.evicted.addEventListener('abort', () => void gate.promise.then(() => holder.suspend()));
    const waiting = Promise.allSettled([store.resumeUpload(holder.id), store.abortUpload(holder.id)]);
    const other = await store.createUpload({ ...whole, path: at('b') });
    await other.write(content.subarray(0, 10));
    await other.suspend();
    await store.resumeUpload(other.id);
    gate.resolve();
    const [resumed, aborted] = await waiting;
    expect(resumed).toMatchObject({ status: 'fulfilled', value: { durableBytes: 1000 } });
    expect(aborted).toMatchObject({ status: 'rejected', reason: { code: 'BUSY' } });
  });

  test('a holder that does not put it down in time keeps it: BUSY, and later it may be had', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const { store, holder } = await silent();
    const resumed = expectRefusal(store.resumeUpload(holder.id), 'BUSY');
    await vi.advanceTimersByTimeAsync(5_000);
    await resumed;
    await holder.suspend();
    expect((await store.resumeUpload(holder.id)).durableBytes).toBe(1000);
  });

  test('two at once: one gets it', async () => {
    const { root } = rootWithOutside();
    const { store, id } = await cut(root, MiB);
    const ends = await Promise.allSettled([store.resumeUpload(id), store.resumeUpload(id)]);
    expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect((ends[1] as PromiseRejectedResult).reason).toMatchObject({ code: 'BUSY' });
  });

  test('at the moment of the suspension it waits for that', async () => {
    const { root } = rootWithOutside();
    const store = await openStore(root);
    const upload = await store.createUpload(whole);
    await upload.write(content.subarray(0, MiB));
    const [, next] = await Promise.all([upload.suspend(), store.resumeUpload(upload.id)]);
    expect(next.durableBytes).toBe(MiB);
  });

  test('what another process still holds is BUSY, and not swept away', async () => {
    const { root } = rootWithOutside();
    const older = await openStore(root);
    const upload = await older.createUpload(whole);
    await upload.write(content.subarray(0, MiB));
    const younger = await openStore(root);
    expect(younger.describe()).toMatchObject({ keptPartials: 0, removedPartials: 0 });
    await expectRefusal(younger.resumeUpload(upload.id), 'BUSY');
    await upload.suspend();
    expect((await younger.resumeUpload(upload.id)).durableBytes).toBe(MiB);
    await expectRefusal(older.resumeUpload(upload.id), 'BUSY');
  });

  test.each([
    ['resumed', (store: DiskStore, id: string) => store.resumeUpload(id)],
    ['removed', (store: DiskStore, id: string) => store.abortUpload(id)],
  ])('one that can not be %s for once, at any step, can be the next time', async (_, act) => {
    const { root } = rootWithOutside();
    const faulty = faultyOperations();
    let failures = 0;
    for (let step = 0; ; step++) {
      const { store, id } = await cut(root, MiB, { operations: faulty.operations });
      const before = faulty.steps.length;
      faulty.failAt(step, 'EMFILE');
      const [first] = await Promise.allSettled([act(store, id)]);
      const name = faulty.steps[before + step]?.operation;
      if (first.status === 'rejected') {
        failures++;
        expect(first.reason, name).toMatchObject({ code: 'LIMIT' });
        const [second] = await Promise.allSettled([act(store, id)]);
        // The part went, and its record did not: there is nothing to go on with, and no reason to wait.
        if (second.status === 'rejected') expect(second.reason, name).toMatchObject({ code: 'NOTFOUND' });
        if (second.status === 'rejected') expect(name).toBe('unlink');
      }
      await store.close();
      await (await openStore(root, { keepPartialMs: 1, now: () => Date.now() + 60_000 })).close();
      expect(leftovers(root)).toEqual([]);
      if (first.status === 'fulfilled') break;
    }
    expect(failures).toBeGreaterThan(2);
  });

  test('an upload that is whole under its name already is not gone on with', async () => {
    const { root } = rootWithOutside();
    const { store, id } = await cut(root, content.length);
    linkSync(join(root, '.small-servers', `${id}.part`), join(root, 'a'));
    await expectRefusal(store.resumeUpload(id), 'NOTFOUND');
    expect(leftovers(root)).toEqual([]);
    expect((await contentOf(store, 'a')).equals(content)).toBe(true);
  });

  test.each([
    ['a file that lost bytes', (part: string) => truncateSync(part, 5)],
    ['a record that is garbled', (_: string, record: string) => writeFileSync(record, '{"version":1')],
    [
      'a record of another upload',
      (_: string, record: string) => {
        writeFileSync(record, readFileSync(record, 'utf8').replace(/"id":"../, '"id":"zz'));
      },
    ],
  ])('%s is not gone on with', async (_, spoil) => {
    const { root } = rootWithOutside();
    const { store, id } = await cut(root, MiB);
    spoil(join(root, '.small-servers', `${id}.part`), join(root, '.small-servers', `${id}.json`));
    await expectRefusal(store.resumeUpload(id), 'NOTFOUND');
    expect(leftovers(root)).toEqual([]);
  });

  test('bytes behind the durable ones are written again, not kept', async () => {
    const { root } = rootWithOutside();
    const { store, id } = await cut(root, MiB);
    const part = join(root, '.small-servers', `${id}.part`);
    writeFileSync(part, Buffer.concat([readFileSync(part), Buffer.alloc(3 * MiB, 0xaa)]));
    const upload = await store.resumeUpload(id);
    expect(upload.durableBytes).toBe(MiB);
    await upload.write(content.subarray(MiB));
    await upload.commit();
    expect((await contentOf(store, 'a')).equals(content)).toBe(true);
  });

  test('an upload of which nothing came is not kept', async () => {
    const { root } = rootWithOutside();
    const store = await openStore(root);
    const upload = await store.createUpload(whole);
    await upload.suspend();
    expect(leftovers(root)).toEqual([]);
    await expectRefusal(store.resumeUpload(upload.id), 'NOTFOUND');
  });

  test('what a store that closes still holds is kept', async () => {
    const { root } = rootWithOutside();
    const store = await openStore(root);
    const upload = await store.createUpload(whole);
    await upload.write(content.subarray(0, 1000));
    await store.close();
    const next = await openStore(root);
    expect((await next.resumeUpload(upload.id)).durableBytes).toBe(1000);
  });
});

describe('checkpoints', () => {
  test('from time to time what came is brought to disk and recorded, in this order', async () => {
    const { root } = rootWithOutside();
    let nowMs = 0;
    const faulty = faultyOperations();
    const store = await openStore(root, { now: () => nowMs, operations: faulty.operations });
    const upload = await store.createUpload(whole);
    expect(upload.durableBytes).toBe(0);
    await upload.write(content.subarray(0, MiB));
    expect(upload.durableBytes).toBe(0);
    nowMs += 2000;
    const before = faulty.steps.length;
    await upload.write(content.subarray(MiB, MiB + 400_000));
    await expect.poll(() => upload.durableBytes, { timeout: 10_000 }).toBe(MiB + 400_000);
    const steps = faulty.steps.slice(before).map(({ operation }) => operation);
    expect(steps).toEqual(['write', 'syncData', 'open', 'write', 'syncData', 'rename']);
    await upload.abort();
  });

  test('bytes that are only gathered are not called durable', async () => {
    const { root } = rootWithOutside();
    let nowMs = 0;
    const store = await openStore(root, { now: () => nowMs });
    const upload = await store.createUpload(whole);
    nowMs += 2000;
    for (let from = 0; from < 700_000; from += 100_000) await upload.write(content.subarray(from, from + 100_000));
    await expect.poll(() => upload.durableBytes, { timeout: 10_000 }).toBe(PIECE_BYTES);
    const record = JSON.parse(readFileSync(join(root, '.small-servers', `${upload.id}.json`), 'utf8'));
    expect(record).toMatchObject({ durableBytes: PIECE_BYTES, digest: { totalBytes: PIECE_BYTES } });
    await upload.suspend();
    expect((await store.resumeUpload(upload.id)).durableBytes).toBe(700_000);
  });

  test('one that fails fails the upload, for the disk says only once that it lost something', async () => {
    const { root } = rootWithOutside();
    let nowMs = 0;
    const faulty = faultyOperations();
    const store = await openStore(root, { now: () => nowMs, operations: faulty.operations });
    const upload = await store.createUpload(whole);
    await upload.write(content.subarray(0, MiB));
    nowMs += 2000;
    faulty.failAt(1, 'EIO');
    await upload.write(content.subarray(MiB));
    expect(faulty.steps.at(-1)?.operation).toBe('syncData');
    await expectRefusal(upload.commit(), 'INTERNAL');
    expect(leftovers(root)).toEqual([]);
    expect(await namesIn(store, '/')).toEqual([]);
  });

  /** 1 MiB of an upload on disk and recorded, 500,000 bytes more written. */
  const recorded = async () => {
    const { root } = rootWithOutside();
    let nowMs = 0;
    const faulty = faultyOperations();
    let lacking: string | undefined;
    const operations = {
      ...faulty.operations,
      open: async (path: Buffer, flags: number, mode?: number) => {
        if (lacking !== undefined) throw systemError(lacking);
        return faulty.operations.open(path, flags, mode);
      },
    };
    const store = await openStore(root, { now: () => nowMs, operations, maxTotalBytes: 3 * MiB });
    const upload = await store.createUpload(whole);
    nowMs += 2000;
    await upload.write(content.subarray(0, MiB));
    await expect.poll(() => upload.durableBytes, { timeout: 10_000 }).toBe(MiB);
    await upload.write(content.subarray(MiB, MiB + 500_000));
    const pass = (ms: number) => {
      nowMs += ms;
    };
    const lack = (code?: string) => {
      lacking = code;
    };
    return { root, store, upload, faulty, pass, lack };
  };

  const goOn = async (store: DiskStore, id: string, from: number) => {
    const upload = await store.resumeUpload(id);
    expect(upload.durableBytes).toBe(from);
    await upload.write(content.subarray(from));
    expect(await upload.commit()).toMatchObject({ sha256: whole.sha256 });
    expect((await contentOf(store, 'a')).equals(content)).toBe(true);
  };

  test.each(['EMFILE', 'ENFILE'])(
    'without a descriptor (%s) wait for the next one: the upload goes on',
    async (code) => {
      const { root, upload, store, pass, lack } = await recorded();
      lack(code);
      // The second waits for what the first began.
      for (let from = MiB + 500_000; from < content.length; from += 270_000) {
        pass(2000);
        await upload.write(content.subarray(from, from + 270_000));
      }
      expect(upload.durableBytes).toBe(MiB);
      lack();
      expect(await upload.commit()).toMatchObject({ sha256: whole.sha256 });
      expect((await contentOf(store, 'a')).equals(content)).toBe(true);
      expect(leftovers(root)).toEqual([]);
    },
  );

  test('a suspension takes no descriptor more than the upload had, and leaves none', async () => {
    const { root } = rootWithOutside();
    const open = new Set<number>();
    let most = Number.POSITIVE_INFINITY;
    const operations = {
      ...realOperations,
      open: async (path: Buffer, flags: number, mode?: number) => {
        if (open.size >= most) throw systemError('EMFILE');
        const descriptor = await realOperations.open(path, flags, mode);
        open.add(descriptor);
        return descriptor;
      },
      closeNow: (descriptor: number) => {
        open.delete(descriptor);
        realOperations.closeNow(descriptor);
      },
    };
    const store = await openStore(root, { operations });
    const before = open.size;
    const upload = await store.createUpload(whole);
    await upload.write(content.subarray(0, MiB));
    most = open.size;
    await upload.suspend();
    expect(open.size).toBe(before);
    most = Number.POSITIVE_INFINITY;
    expect((await store.resumeUpload(upload.id)).durableBytes).toBe(MiB);
  });

  test('hold what the last of them recorded when a suspension finds no descriptor', async () => {
    const { root, store, upload, lack } = await recorded();
    lack('EMFILE');
    await expectRefusal(upload.suspend(), 'LIMIT');
    // What the file takes counts, more than can be gone on with.
    expect((await store.space()).usedBytes).toBe(MiB + 500_000);
    lack();
    expect(leftovers(root)).toEqual([`${upload.id}.json`, `${upload.id}.part`]);
    await goOn(store, upload.id, MiB);
    expect((await store.space()).usedBytes).toBe(content.length);
  });

  test.each([
    ['EMFILE', 'LIMIT'],
    ['ENOMEM', 'LIMIT'],
    ['EIO', 'INTERNAL'],
  ])('hold what the last of them recorded when a write or a commit fails with %s', async (code, word) => {
    const written = await recorded();
    written.faulty.failAt(0, code);
    await expectRefusal(written.upload.write(content.subarray(MiB + 500_000)), word as 'LIMIT');
    await goOn(written.store, written.upload.id, MiB);

    const committed = await recorded();
    await committed.upload.write(content.subarray(MiB + 500_000));
    committed.faulty.failAt(0, code);
    await expectRefusal(committed.upload.commit(), word as 'LIMIT');
    await goOn(committed.store, committed.upload.id, MiB);
  });

  test.each([
    ['ENOSPC', 'NOSPACE'],
    ['EDQUOT', 'QUOTA'],
    ['EFBIG', 'TOOBIG'],
  ])('hold nothing where its room is wanted back: %s', async (code, word) => {
    const { root, upload, faulty, store } = await recorded();
    faulty.failAt(0, code);
    await expectRefusal(upload.write(content.subarray(MiB + 500_000)), word as 'QUOTA');
    expect(leftovers(root)).toEqual([]);
    expect((await store.space()).usedBytes).toBe(0);
  });

  test('at every step of a commit that fails: the file is whole or not there, and then can be gone on with', async () => {
    for (let step = 0; ; step++) {
      const { root, upload, faulty, store } = await recorded();
      await upload.write(content.subarray(MiB + 500_000));
      const before = faulty.steps.length;
      faulty.failAt(step, 'EMFILE');
      const [outcome] = await Promise.allSettled([upload.commit()]);
      const name = faulty.steps[before + step]?.operation;
      if (name === undefined) break;
      if (existsSync(join(root, 'a'))) {
        expect((await contentOf(store, 'a')).equals(content), name).toBe(true);
        await expectRefusal(store.resumeUpload(upload.id), 'NOTFOUND');
        await store.sweep();
        expect(leftovers(root), name).toEqual([]);
      } else {
        await goOn(store, upload.id, MiB);
      }
      if (outcome.status === 'fulfilled') expect(name).toBe('unlink');
    }
  });

  test('one that is under way is waited for, so that its record does not come after the commit', async () => {
    const { root } = rootWithOutside();
    let nowMs = 0;
    const gate = Promise.withResolvers<void>();
    let renames = 0;
    const operations = {
      ...realOperations,
      rename: async (from: Buffer, to: Buffer) => {
        if (to.toString().endsWith('.json') && ++renames === 2) await gate.promise;
        return realOperations.rename(from, to);
      },
    };
    const store = await openStore(root, { now: () => nowMs, operations });
    const upload = await store.createUpload(whole);
    await upload.write(content.subarray(0, MiB));
    nowMs += 2000;
    await upload.write(content.subarray(MiB));
    let over = false;
    const commit = upload.commit().finally(() => {
      over = true;
    });
    await expect.poll(() => renames, { timeout: 10_000 }).toBe(2);
    await namesIn(store, '/');
    expect(over).toBe(false);
    gate.resolve();
    await commit;
    expect(leftovers(root)).toEqual([]);
  });
});

describe('limits', () => {
  test('a file that is too large is refused before or while it comes', async () => {
    const { root } = rootWithOutside();
    const store = await openStore(root, { maxFileBytes: 1000 });
    await put(store, 'just', bytesOf(1000));
    await expectRefusal(store.createUpload({ path: at('a'), sizeBytes: 1001, precondition: none }), 'TOOBIG');
    const upload = await store.createUpload({ path: at('a'), precondition: none });
    await upload.write(bytesOf(1000));
    await expectRefusal(upload.write(Buffer.alloc(1)), 'TOOBIG');
    expect(leftovers(root)).toEqual([]);
  });

  test('the quota counts what is there, what is on its way and what is kept, and gives it back', async () => {
    const { root } = rootWithOutside();
    writeFileSync(join(root, 'there'), bytesOf(400));
    const options = { maxTotalBytes: 1000 };
    const store = await openStore(root, options);
    const used = async () => (await store.space()).usedBytes;
    expect(await store.space()).toMatchObject({ quotaBytes: 1000, usedBytes: 400 });
    const upload = await store.createUpload({ path: at('a'), sizeBytes: 500, precondition: none });
    expect(await used()).toBe(900);
    await expectRefusal(store.createUpload({ path: at('b'), sizeBytes: 101, precondition: none }), 'QUOTA');
    await put(store, 'b', bytesOf(100));
    await upload.write(bytesOf(10));
    expect(await used()).toBe(1000);
    await expectRefusal(put(store, 'c', 'x'), 'QUOTA');
    await upload.suspend();
    expect(await used()).toBe(510);
    await store.close();

    const next = await openStore(root, options);
    expect((await next.space()).usedBytes).toBe(510);
    await (await next.resumeUpload(upload.id)).suspend();
    expect((await next.space()).usedBytes).toBe(510);
    await next.abortUpload(upload.id);
    expect((await next.space()).usedBytes).toBe(500);
    await next.remove(at('there'), undefined);
    await put(next, 'b', bytesOf(50), any);
    expect((await next.space()).usedBytes).toBe(50);
    await next.move(at('b'), at('c'), none);
    await put(next, 'd', bytesOf(20));
    await next.move(at('c'), at('d'), any);
    expect((await next.space()).usedBytes).toBe(50);
  });

  test('an upload that is kept holds only what came of it, and stays kept where there is no room for its rest', async () => {
    const { root } = rootWithOutside();
    const store = await openStore(root, { maxTotalBytes: 1000 });
    const bytes = bytesOf(1000);
    const upload = await store.createUpload({ path: at('hog'), sizeBytes: 1000, precondition: none });
    await upload.write(bytes.subarray(0, 1));
    await upload.suspend();
    await put(store, 'a', bytesOf(999));
    await expectRefusal(store.resumeUpload(upload.id), 'QUOTA');
    expect((await store.space()).usedBytes).toBe(1000);
    await store.remove(at('a'), undefined);
    const again = await store.resumeUpload(upload.id);
    expect((await store.space()).usedBytes).toBe(1000);
    await expectRefusal(put(store, 'b', 'x'), 'QUOTA');
    await again.write(bytes.subarray(1));
    await again.commit();
    expect((await contentOf(store, 'hog')).equals(bytes)).toBe(true);
    expect(leftovers(root)).toEqual([]);
  });

  test('nor does it hold the rest of the disk', async () => {
    const { root } = rootWithOutside();
    const operations = {
      ...realOperations,
      space: async (path: Buffer) => ({ ...(await realOperations.space(path)), freeBytes: 3 * MiB }),
    };
    const store = await openStore(root, { operations });
    const hog = await store.createUpload(whole);
    await hog.write(content.subarray(0, 1));
    await expectRefusal(store.createUpload({ ...whole, path: at('b') }), 'NOSPACE');
    await hog.suspend();
    const other = await store.createUpload({ ...whole, path: at('b') });
    await expectRefusal(store.resumeUpload(hog.id), 'NOSPACE');
    await other.abort();
    expect((await store.resumeUpload(hog.id)).durableBytes).toBe(1);
  });

  test('an upload of unknown length is stopped when the quota is reached, and takes nothing of it then', async () => {
    const { root } = rootWithOutside();
    const store = await openStore(root, { maxTotalBytes: 1000 });
    const upload = await store.createUpload({ path: at('a'), precondition: none });
    await upload.write(bytesOf(900));
    await expectRefusal(upload.write(bytesOf(101)), 'QUOTA');
    expect((await store.space()).usedBytes).toBe(0);
    await put(store, 'a', bytesOf(1000));
  });

  test('room that others made is found when it is needed', async () => {
    const { root } = rootWithOutside();
    writeFileSync(join(root, 'there'), bytesOf(1000));
    let nowMs = 1_000_000;
    const store = await openStore(root, { maxTotalBytes: 1000, now: () => nowMs });
    truncateSync(join(root, 'there'), 10);
    await expectRefusal(put(store, 'a', bytesOf(500)), 'QUOTA');
    nowMs += 60_000;
    await put(store, 'a', bytesOf(500));
    expect((await store.space()).usedBytes).toBe(510);
  });

  test('of the uploads that are kept the oldest goes when there are too many', async () => {
    const { root } = rootWithOutside();
    const store = await openStore(root, { maxKeptPartials: 2 });
    const ids: string[] = [];
    for (let index = 0; index < 3; index++) {
      const upload = await store.createUpload({ ...whole, path: at(`${index}`) });
      await upload.write(content.subarray(0, 10));
      await upload.suspend();
      ids.push(upload.id);
    }
    await expectRefusal(store.resumeUpload(ids[0] as string), 'NOTFOUND');
    await store.resumeUpload(ids[1] as string);
    await store.resumeUpload(ids[2] as string);
  });
});

describe('leftovers', () => {
  test('what is too old goes at the start, what is young stays', async () => {
    const { root } = rootWithOutside();
    const store = await openStore(root);
    const upload = await store.createUpload(whole);
    await upload.write(content.subarray(0, 10));
    await upload.suspend();
    await store.close();
    const later = await openStore(root, { keepPartialMs: 60_000, now: () => Date.now() + 59_000 });
    expect(later.describe()).toMatchObject({ keptPartials: 1, removedPartials: 0 });
    await later.close();
    const tooLate = await openStore(root, { keepPartialMs: 60_000, now: () => Date.now() + 61_000 });
    expect(tooLate.describe()).toMatchObject({ keptPartials: 0, removedPartials: 1 });
    expect(leftovers(root)).toEqual([]);
    await expectRefusal(tooLate.resumeUpload(upload.id), 'NOTFOUND');
  });

  test('what is too old goes by itself in time; how old that is may change, and may have no limit', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const { root } = rootWithOutside();
    let passedMs = 0;
    const store = await openStore(root, { keepPartialMs: 60_000, now: () => Date.now() + passedMs });
    const upload = await store.createUpload(whole);
    await upload.write(content.subarray(0, 10));
    await upload.suspend();
    const pass = async (ms: number): Promise<number> => {
      passedMs += ms;
      vi.advanceTimersByTime(ms);
      // Sweeps are one at a time: when this one is over, so are those that the timer began.
      await store.sweep();
      return leftovers(root).length;
    };
    expect(await pass(30_000)).toBe(2);
    store.keepPartialsFor(0);
    expect(await pass(1000 * 86_400_000)).toBe(2);
    store.keepPartialsFor(60_000);
    vi.advanceTimersByTime(6_000);
    await vi.waitFor(() => expect(leftovers(root)).toEqual([]));
    await expectRefusal(store.resumeUpload(upload.id), 'NOTFOUND');
  });

  test('of a crash have no record where all fits into one piece, which is sent again as quickly as it was noted', async () => {
    const { root } = rootWithOutside();
    const store = await openStore(root);
    const begin = async (sizeBytes: number) => {
      const upload = await store.createUpload({ ...whole, path: at(`of-${sizeBytes}`), sizeBytes });
      await upload.write(content.subarray(0, 400 * 1024));
      return upload.id;
    };
    const records = () => leftovers(root).filter((name) => name.endsWith('.json'));
    await begin(512 * 1024);
    expect(records()).toEqual([]);
    const larger = await begin(512 * 1024 + 1);
    expect(records()).toEqual([`${larger}.json`]);
  });

  test('of a process that is gone: what has a record is kept, the rest goes, and what is not ours stays', async () => {
    const { root } = rootWithOutside();
    const store = await openStore(root);
    const upload = await store.createUpload(whole);
    await upload.write(content.subarray(0, MiB));
    await upload.suspend();
    await store.close();
    const hidden = join(root, '.small-servers');
    // A pid beyond the largest that Linux gives.
    const gone = '4194305-1-00000000';
    renameSync(join(hidden, `${upload.id}.part`), join(hidden, `${upload.id}.${gone}.part`));
    const dead = ['1', '2', '3', '4'].map((digit) => digit.repeat(32));
    writeFileSync(join(hidden, `${dead[0]}.${gone}.part`), 'no record');
    writeFileSync(join(hidden, `${dead[1]}.part`), 'no record');
    writeFileSync(join(hidden, `${dead[2]}.json`), '{}');
    writeFileSync(join(hidden, `${dead[3]}.json.new`), '{');
    writeFileSync(join(hidden, 'README'), 'of the administrator');
    const next = await openStore(root);
    expect(next.describe()).toMatchObject({ keptPartials: 1, removedPartials: 4 });
    expect(readdirSync(hidden).sort()).toEqual(['README', `${upload.id}.json`, `${upload.id}.part`].sort());
    expect((await next.resumeUpload(upload.id)).durableBytes).toBe(MiB);
    expect(existsSync(join(hidden, 'README'))).toBe(true);
  });
});
