/** Content on its way through memory: how much of it there is at a time, whatever the file and the peer. */
import { describe, expect, test } from 'vitest';
import { seededBytes } from '../../../test/support/splits.ts';
import { BLOCK_BYTES, BlockPool, lend, SMALL_BLOCK_BYTES } from '../src/block-pool.ts';
import { DigestCache } from '../src/digest-cache.ts';
import { Downloader, readFully } from '../src/download.ts';
import { Intake } from '../src/intake.ts';
import type { OpenedFile, Upload } from '../src/store/store.ts';
import { Turn } from '../src/turn.ts';

const MiB = 1024 * 1024;

function fileOf(content: Buffer, atMost = Number.POSITIVE_INFINITY): OpenedFile {
  const read = async (target: Uint8Array, offset: number): Promise<number> =>
    offset < content.length ? content.copy(target, 0, offset, Math.min(content.length, offset + atMost)) : 0;
  return { read } as OpenedFile;
}

/** A peer that takes a write when it is told to, and remembers what each looked like then. */
class SlowPeer {
  readonly taken: Buffer[] = [];
  readonly waiting: { bytes: Uint8Array; done: () => void }[] = [];
  nowMs = 0;
  gone = false;

  readonly outlet = {
    isGone: (): boolean => this.gone,
    write: (bytes: Uint8Array, done: () => void): void => void this.waiting.push({ bytes, done }),
  };

  take(afterMs: number): void {
    const next = this.waiting.shift();
    if (next === undefined) return;
    this.nowMs += afterMs;
    this.taken.push(Buffer.from(next.bytes));
    next.done();
  }

  get waitingBytes(): number {
    return this.waiting.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the pool', () => {
  test('lends so many blocks and no more; who finds none left gets a small one', () => {
    const pool = new BlockPool(2);
    const lent = [lend(pool, 10 * MiB), lend(pool, 10 * MiB), lend(pool, 10 * MiB)];
    expect(lent.map(({ bytes }) => bytes.length)).toEqual([BLOCK_BYTES, BLOCK_BYTES, SMALL_BLOCK_BYTES]);
    for (const { release } of lent) release();
    expect(pool.lentBlocks).toBe(0);
    expect(lend(pool, 10 * MiB).bytes).toBe(lent[1]?.bytes);
  });

  test('is not asked for what is small', () => {
    const pool = new BlockPool(2);
    expect(lend(pool, 100).bytes).toHaveLength(100);
    expect(pool.lentBlocks).toBe(0);
  });
});

describe('a download', () => {
  test('has three blocks under way at most, and they are used again', async () => {
    const content = seededBytes(20 * MiB + 5, 3);
    const peer = new SlowPeer();
    const pool = new BlockPool(64);
    const sent = new Downloader(peer.outlet, pool, new Turn(() => peer.nowMs), () => peer.nowMs).send({
      file: fileOf(content, 300_000),
      offset: 0,
      lengthBytes: content.length,
      sum: false,
    });
    let most = 0;
    while (peer.taken.reduce((sum, { length }) => sum + length, 0) < content.length) {
      await settle();
      most = Math.max(most, pool.lentBlocks);
      peer.take(1);
    }
    await sent;
    expect(most).toBe(3);
    expect(Buffer.concat(peer.taken).equals(content)).toBe(true);
    await settle();
    expect(pool.lentBlocks).toBe(0);
  });

  test('to a slow peer goes on with one small block at a time', async () => {
    const content = seededBytes(8 * MiB, 4);
    const peer = new SlowPeer();
    const pool = new BlockPool(64);
    void new Downloader(peer.outlet, pool, new Turn(() => peer.nowMs), () => peer.nowMs).send({
      file: fileOf(content),
      offset: 0,
      lengthBytes: content.length,
      sum: false,
    });
    for (let turn = 0; turn < 10; turn += 1) {
      for (let step = 0; step < 10; step += 1) await settle();
      peer.take(10_000);
    }
    for (let step = 0; step < 10; step += 1) await settle();
    expect(peer.waitingBytes).toBe(SMALL_BLOCK_BYTES);
    expect(pool.lentBlocks).toBe(0);
  });

  test('that nothing makes wait, neither file nor peer, leaves others their turn', async () => {
    let nowMs = 0;
    let blocks = 0;
    let others = 0;
    const goOn = (): void => {
      others += 1;
      if (blocks < 1_000) setImmediate(goOn);
    };
    const outlet = {
      isGone: () => false,
      write: (_bytes: Uint8Array, done: () => void) => {
        blocks += 1;
        nowMs += 1;
        queueMicrotask(done);
      },
    };
    const file: Partial<OpenedFile> = { read: async (target) => target.length };
    const clock = (): number => nowMs;
    setImmediate(goOn);
    const downloader = new Downloader(outlet, new BlockPool(64), new Turn(clock), clock);
    await downloader.send({ file: file as OpenedFile, offset: 0, lengthBytes: 1_000 * MiB, sum: false });
    expect(blocks).toBe(1_000);
    expect(others).toBeGreaterThan(150);
  });

  test('ends when its peer is gone, and gives everything back', async () => {
    const peer = new SlowPeer();
    const pool = new BlockPool(64);
    const sent = new Downloader(peer.outlet, pool, new Turn(() => 0), () => 0).send({
      file: fileOf(seededBytes(8 * MiB, 4)),
      offset: 0,
      lengthBytes: 8 * MiB,
      sum: true,
    });
    for (let step = 0; step < 10; step += 1) await settle();
    peer.gone = true;
    while (peer.waiting.length > 0) peer.take(0);
    expect(await sent, 'no sum of a part').toBeUndefined();
    expect(pool.lentBlocks).toBe(0);
  });

  test('a scan says whether it saw everything', async () => {
    const peer = new SlowPeer();
    const pool = new BlockPool(64);
    const downloader = new Downloader(peer.outlet, pool, new Turn(() => 0), () => 0);
    const file = fileOf(seededBytes(4 * MiB, 5));
    let seen = 0;
    const visit = (bytes: Buffer): void => {
      seen += bytes.length;
      peer.gone = seen > 5 * MiB;
    };
    expect(await downloader.scan(file, 4 * MiB, visit)).toBe(true);
    expect(await downloader.scan(file, 4 * MiB, visit)).toBe(false);
    expect([seen, pool.lentBlocks]).toEqual([6 * MiB, 0]);
  });

  test('of a file that is shorter than it was is an error, and no byte is made up', async () => {
    const target = Buffer.alloc(10, 'x');
    await expect(readFully(fileOf(Buffer.from('short')), target, 0)).rejects.toThrow('the file ended at 5');
    await expect(readFully(fileOf(Buffer.from('short')), target, 9)).rejects.toThrow('the file ended at 9');
  });
});

/** An upload that takes each piece when it is told to. */
class SlowStore {
  readonly pieces: Buffer[] = [];
  #next: (() => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  readonly upload = {
    write: (bytes: Uint8Array): Promise<void> =>
      new Promise((resolve, reject) => {
        this.#next = () => {
          this.pieces.push(Buffer.from(bytes));
          resolve();
        };
        this.#fail = reject;
      }),
  } as Upload;

  take(): void {
    this.#next?.();
    this.#next = undefined;
  }

  fail(): void {
    this.#fail?.(new Error('full'));
  }
}

describe('an upload', () => {
  test('is gathered into blocks, two at most; then its peer waits', async () => {
    const store = new SlowStore();
    const pool = new BlockPool(64);
    const content = seededBytes(5 * MiB, 7);
    let room = true;
    const intake = new Intake(store.upload, content.length, pool, {
      onRoom: () => {
        room = true;
      },
      onError: () => {},
    });
    let most = 0;
    for (let at = 0; at < content.length; at += 200_000) {
      while (!room) {
        store.take();
        await settle();
      }
      room = intake.write(content.subarray(at, at + 200_000));
      most = Math.max(most, pool.lentBlocks);
    }
    const flushed = intake.flush();
    for (let step = 0; step < 5; step += 1) {
      store.take();
      await settle();
    }
    await flushed;
    expect(most).toBe(2);
    expect(pool.lentBlocks).toBe(0);
    expect(Buffer.concat(store.pieces).equals(content)).toBe(true);
    expect(store.pieces.length).toBeLessThan(9);
  });

  test('takes reads of any size where blocks are small', async () => {
    const store = new SlowStore();
    const content = seededBytes(900_000, 8);
    const intake = new Intake(store.upload, Number.POSITIVE_INFINITY, new BlockPool(0), {
      onRoom: () => {},
      onError: () => {},
    });
    for (const [from, to] of [
      [0, 10],
      [10, 260_000],
      [260_000, 900_000],
    ] as const) {
      intake.write(content.subarray(from, to));
    }
    const flushed = intake.flush();
    for (let step = 0; step < 5; step += 1) {
      store.take();
      await settle();
    }
    await flushed;
    expect(Buffer.concat(store.pieces).equals(content)).toBe(true);
  });

  test('that fails says so once, and gives its blocks back', async () => {
    const store = new SlowStore();
    const pool = new BlockPool(64);
    const errors: unknown[] = [];
    const intake = new Intake(store.upload, 10 * MiB, pool, {
      onRoom: () => {},
      onError: (error) => errors.push(error),
    });
    for (let step = 0; step < 8; step += 1) intake.write(Buffer.alloc(200_000));
    store.fail();
    await settle();
    expect(errors).toEqual([new Error('full')]);
    expect(pool.lentBlocks).toBe(0);
  });

  test('that fails when all of it is here gives back the block behind the one that failed', async () => {
    const store = new SlowStore();
    const pool = new BlockPool(64);
    const intake = new Intake(store.upload, 10 * MiB, pool, { onRoom: () => {}, onError: () => {} });
    for (let step = 0; step < 8; step += 1) intake.write(Buffer.alloc(200_000));
    expect(pool.lentBlocks).toBe(2);
    const flushed = expect(intake.flush()).rejects.toThrow('full');
    store.fail();
    await flushed;
    expect(pool.lentBlocks).toBe(0);
  });

  test('of a slow sender is written after two seconds, however little it is', async () => {
    const store = new SlowStore();
    const intake = new Intake(store.upload, 10 * MiB, new BlockPool(64), { onRoom: () => {}, onError: () => {} });
    intake.look(0);
    intake.write(Buffer.from('some'));
    intake.look(10_000);
    intake.look(11_999);
    intake.write(Buffer.from(' more'));
    intake.look(12_000);
    store.take();
    await settle();
    intake.look(99_000);
    expect(store.pieces.map(String)).toEqual(['some more']);
  });
});

test('of the sums the one that was not asked for longest is forgotten', () => {
  const cache = new DigestCache(2);
  cache.rememberCrc32('a', 1);
  cache.rememberCrc32('b', 2);
  expect(cache.crc32('a')).toBe(1);
  cache.rememberCrc32('c', 3);
  expect([cache.crc32('a'), cache.crc32('b'), cache.crc32('c')]).toEqual([1, undefined, 3]);
});
