/** What every store must do, in each way in which this one may work. */
import { existsSync, statSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  any,
  at,
  bytesOf,
  contentOf,
  etag,
  expectRefusal,
  leftovers,
  namesIn,
  none,
  openDescriptors,
  openStore,
  put,
  rootWithOutside,
  sha256,
  temporaryDirectory,
  ways,
} from './support/roots.ts';

describe.each(ways)('$name', ({ name, options, under }) => {
  const opened = async () => {
    const { root, outside } = rootWithOutside(under);
    return { root, outside, store: await openStore(root, options) };
  };

  test('says how it works', async () => {
    const { store } = await opened();
    expect(store.describe()).toMatchObject({ keptPartials: 0, removedPartials: 0 });
    if (process.platform === 'linux' && !name.startsWith('in memory')) expect(store.describe().confinement).toBe(name);
  });

  test('a file that is put is there, whole, with its digest, under its name and with the usual permissions', async () => {
    const { store, root } = await opened();
    const content = bytesOf(3000);
    const entry = await put(store, 'a.bin', content);
    expect(entry).toMatchObject({ kind: 'file', sizeBytes: 3000, sha256: sha256(content) });
    expect(entry.etag).toMatch(/^[0-9a-f]{16}$/);
    expect(await store.stat(at('a.bin'))).toEqual(entry);
    expect(await contentOf(store, 'a.bin')).toEqual(content);
    expect(statSync(join(root, 'a.bin')).mode & 0o777).toBe(0o666 & ~process.umask());
    expect(leftovers(root)).toEqual([]);
  });

  test('an empty file is a file', async () => {
    const { store } = await opened();
    expect(await put(store, 'empty', '')).toMatchObject({ sizeBytes: 0, sha256: sha256(Buffer.alloc(0)) });
    expect(await contentOf(store, 'empty')).toEqual(Buffer.alloc(0));
  });

  test('preconditions: none, any, an etag', async () => {
    const { store } = await opened();
    const first = await put(store, 'a', '1');
    await expectRefusal(put(store, 'a', '2'), 'EXISTS');
    const second = await put(store, 'a', '22', etag(first.etag));
    expect(second.etag).not.toBe(first.etag);
    await expectRefusal(put(store, 'a', '3', etag(first.etag)), 'CHANGED');
    await expectRefusal(put(store, 'b', '3', etag(first.etag)), 'CHANGED');
    await put(store, 'a', '333', any);
    await put(store, 'b', 'new', any);
    expect((await contentOf(store, 'a')).toString()).toBe('333');
    expect(await namesIn(store, '/')).toEqual(['a', 'b']);
  });

  test('of two writers of one new name exactly one wins, and the other one is told so at its end', async () => {
    const { store, root } = await opened();
    const request = { path: at('a'), sizeBytes: 1, precondition: none };
    const uploads = await Promise.all(Array.from({ length: 8 }, () => store.createUpload(request)));
    await Promise.all(uploads.map((upload, index) => upload.write(Buffer.from(`${index}`))));
    const ends = await Promise.allSettled(uploads.map((upload) => upload.commit()));
    const winners = ends.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []));
    expect(winners).toHaveLength(1);
    expect((await contentOf(store, 'a')).toString()).toBe(`${winners[0]}`);
    for (const end of ends) if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'EXISTS' });
    expect(leftovers(root)).toEqual([]);
  });

  test('of two who replace one version exactly one wins', async () => {
    const { store } = await opened();
    const { etag: version } = await put(store, 'a', 'old');
    const ends = await Promise.allSettled([
      put(store, 'a', 'one', etag(version)),
      put(store, 'a', 'two', etag(version)),
    ]);
    expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  test('directories are made, listed, and removed when they are empty', async () => {
    const { store } = await opened();
    expect(await store.makeDirectory(at('d'))).toMatchObject({ kind: 'directory', sizeBytes: 0 });
    await store.makeDirectory(at('d/e'));
    await put(store, 'd/e/f', 'x');
    expect(await namesIn(store, '/', 3)).toEqual(['d', 'd/e', 'd/e/f']);
    await expectRefusal(store.makeDirectory(at('d')), 'EXISTS');
    await expectRefusal(store.makeDirectory(at('missing/d')), 'NOTFOUND');
    await expectRefusal(store.removeDirectory(at('d/e')), 'NOTEMPTY');
    await expectRefusal(store.removeDirectory(at('d/e/f')), 'NOTDIR');
    await expectRefusal(store.remove(at('d/e'), undefined), 'ISDIR');
    await store.remove(at('d/e/f'), undefined);
    await store.removeDirectory(at('d/e'));
    expect(await namesIn(store, 'd')).toEqual([]);
  });

  test('what is no such thing is refused with the word for it', async () => {
    const { store } = await opened();
    await put(store, 'f', 'x');
    await store.makeDirectory(at('d'));
    await expectRefusal(store.stat(at('missing')), 'NOTFOUND');
    await expectRefusal(store.stat(at('missing/x')), 'NOTFOUND');
    await expectRefusal(store.stat(at('f/x')), 'NOTDIR');
    await expectRefusal(store.open(at('d')), 'ISDIR');
    await expectRefusal(store.open(at('/')), 'ISDIR');
    await expectRefusal(store.open(at('f/x')), 'NOTDIR');
    await expectRefusal(store.open(at('a'.repeat(256))), 'BADNAME');
    await expectRefusal(store.list(at('f'), { limit: 1, depth: 1 }), 'NOTDIR');
    await expectRefusal(store.list(at('missing'), { limit: 1, depth: 1 }), 'NOTFOUND');
    await expectRefusal(put(store, 'd', 'x', any), 'ISDIR');
    await expectRefusal(put(store, '/', 'x', any), 'ISDIR');
    await expectRefusal(put(store, 'f/x', 'x'), 'NOTDIR');
    await expectRefusal(put(store, 'missing/x', 'x'), 'NOTFOUND');
    await expectRefusal(put(store, 'CON', 'x'), 'BADNAME');
    await expectRefusal(store.makeDirectory(at('a%0Ab')), 'BADNAME');
    await expectRefusal(store.remove(at('missing'), undefined), 'NOTFOUND');
    await expectRefusal(store.remove(at('/'), undefined), 'ISDIR');
    await expectRefusal(store.removeDirectory(at('/')), 'BADARG');
    await expectRefusal(store.resumeUpload('../../etc/passwd'), 'NOTFOUND');
    await expectRefusal(store.abortUpload('0'.repeat(32)), 'NOTFOUND');
  });

  test('a file is removed, or not if it is another one by now', async () => {
    const { store } = await opened();
    const { etag: version } = await put(store, 'a', '1');
    await put(store, 'a', '2', any);
    await expectRefusal(store.remove(at('a'), version), 'CHANGED');
    const { etag: now } = await store.stat(at('a'));
    await store.remove(at('a'), now);
    await expectRefusal(store.stat(at('a')), 'NOTFOUND');
  });

  test('files and directories move under a precondition on the target, and the digest goes along', async () => {
    const { store } = await opened();
    const content = bytesOf(100);
    await put(store, 'a', content);
    await put(store, 'b', 'b');
    await store.makeDirectory(at('d'));
    await expectRefusal(store.move(at('a'), at('b'), none), 'EXISTS');
    await expectRefusal(store.move(at('a'), at('d'), any), 'ISDIR');
    await expectRefusal(store.move(at('missing'), at('c'), none), 'NOTFOUND');
    await expectRefusal(store.move(at('a'), at('missing/c'), none), 'NOTFOUND');
    await expectRefusal(store.move(at('a'), at('a:b'.replace(':', '%3A')), none), 'BADNAME');
    await expectRefusal(store.move(at('/'), at('c'), none), 'BADARG');
    await expectRefusal(store.move(at('d'), at('d/e'), none), 'BADARG');
    const moved = await store.move(at('a'), at('d/a'), none);
    expect(moved).toEqual(await store.stat(at('d/a')));
    expect(moved.sha256).toBe(sha256(content));
    const { etag: version } = await store.stat(at('b'));
    await expectRefusal(store.move(at('d/a'), at('b'), etag(moved.etag)), 'CHANGED');
    await store.move(at('d/a'), at('b'), etag(version));
    expect(await contentOf(store, 'b')).toEqual(content);
    await store.move(at('d'), at('e'), none);
    expect(await namesIn(store, '/')).toEqual(['b', 'e']);
  });

  test('an open file is what it was, whatever happens to its name, and says when its content changed', async () => {
    const { store, root } = await opened();
    await put(store, 'a', 'before');
    const file = await store.open(at('a'));
    const bytes = Buffer.alloc(6);
    await put(store, 'a', 'after!', any);
    expect(await file.read(bytes, 0)).toBe(6);
    expect(bytes.toString()).toBe('before');
    expect((await file.check()).etag).not.toBe(file.entry.etag);
    await file.close();
    await file.close();
    await expect(file.read(bytes, 0)).rejects.toThrow('the file is closed');

    const shrinking = await store.open(at('a'));
    expect((await shrinking.check()).etag).toBe(shrinking.entry.etag);
    truncateSync(join(root, 'a'), 2);
    expect(await shrinking.read(bytes, 2)).toBe(0);
    expect(await shrinking.check()).toMatchObject({ sizeBytes: 2 });
    await shrinking.close();
  });

  test('a file that is in memory is read whole in one turn, unless it was written to since it was opened', async () => {
    const { store, root } = await opened();
    await put(store, 'a', 'before');
    const bytes = Buffer.alloc(6);
    const file = store.openNow(at('a'));
    // The walk over descriptors has no way to ask what is in memory.
    if (file === undefined) return;
    expect([file.readWholeNow?.(bytes), bytes.toString()]).toEqual([true, 'before']);
    expect(await file.isWrittenTo()).toBe(false);
    utimesSync(join(root, 'a'), 1, 1);
    expect([file.readWholeNow?.(bytes), await file.isWrittenTo()]).toEqual([false, true]);
    await file.close();
    const moved = store.openNow(at('a'));
    await store.move(at('a'), at('b'), none);
    expect([moved?.readWholeNow?.(bytes), await moved?.isWrittenTo()]).toEqual([true, false]);
    await moved?.close();
  });

  test('a large file is read in pieces of any size', async () => {
    const { store, root } = await opened();
    const content = bytesOf(1_500_000);
    writeFileSync(join(root, 'a'), content);
    const file = await store.open(at('a'));
    for (const pieceBytes of [1000, 65_536, 1_048_576]) {
      const piece = Buffer.alloc(pieceBytes);
      const read = await file.read(piece, 700_001);
      expect(read).toBeGreaterThan(0);
      expect(piece.subarray(0, read)).toEqual(content.subarray(700_001, 700_001 + read));
    }
    expect(await file.read(Buffer.alloc(10), 1_500_000)).toBe(0);
    await file.close();
  });

  test('a digest that was computed once is known as long as the file stays the same', async () => {
    const { root } = rootWithOutside(under);
    writeFileSync(join(root, 'a'), 'x');
    let sinceChangeMs = 1;
    const { ctimeMs } = statSync(join(root, 'a'));
    const store = await openStore(root, { ...options, now: () => ctimeMs + sinceChangeMs });
    const fresh = await store.open(at('a'));
    fresh.remember(sha256(Buffer.from('x')));
    expect(await store.stat(at('a')), 'a file that changed just now may change again unseen').not.toMatchObject({
      sha256: expect.anything(),
    });
    sinceChangeMs = 10_000;
    fresh.remember(sha256(Buffer.from('x')));
    await fresh.close();
    expect(await store.stat(at('a')), 'what was read of it may be of a time before').not.toMatchObject({
      sha256: expect.anything(),
    });
    const settled = await store.open(at('a'));
    settled.remember(sha256(Buffer.from('x')));
    await settled.close();
    expect(await store.stat(at('a'))).toMatchObject({ sha256: sha256(Buffer.from('x')) });
    utimesSync(join(root, 'a'), 1, 1);
    expect((await store.stat(at('a'))).sha256).toBeUndefined();
  });

  test('names that are awkward but there are listed, read, replaced, moved and removed', async () => {
    const { store, root } = await opened();
    const name = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x61, 0x0a, 0x1b, 0xff])]);
    writeFileSync(name, 'x');
    expect(await namesIn(store, '/')).toEqual(['a%0A%1B%FF']);
    expect((await contentOf(store, 'a%0A%1B%FF')).toString()).toBe('x');
    await put(store, 'a%0A%1B%FF', 'yy', any);
    await expectRefusal(put(store, 'b%0A', 'x', any), 'BADNAME');
    await store.move(at('a%0A%1B%FF'), at('a'), none);
    writeFileSync(name, 'x');
    await store.remove(at('a%0A%1B%FF'), undefined);
    expect(await namesIn(store, '/')).toEqual(['a']);
  });

  test('what is used is the sum of all files, whoever made them, without what links lead to', async () => {
    const { root, outside } = rootWithOutside(under);
    let nowMs = 1_000_000;
    const store = await openStore(root, { ...options, now: () => nowMs });
    await put(store, 'a', bytesOf(100));
    await store.makeDirectory(at('d'));
    await store.makeDirectory(at('d/e'));
    await put(store, 'd/e/b', bytesOf(20));
    writeFileSync(join(outside, 'c'), bytesOf(3000));
    symlinkSync('../outside', join(root, 'link'));
    symlinkSync('../../outside/c', join(root, 'd/link'));
    expect(await store.space()).toMatchObject({ usedBytes: 120, quotaBytes: 0, freeBytes: expect.any(Number) });
    writeFileSync(join(root, 'd/c'), bytesOf(3));
    nowMs += 60_000;
    expect(await store.space()).toMatchObject({ usedBytes: 123 });
  });

  test("no verb reaches the store's own directory", async () => {
    const { store } = await opened();
    const kept = await store.createUpload({ path: at('a'), sizeBytes: 10, precondition: none });
    await kept.write(Buffer.from('12345'));
    await kept.suspend();
    await put(store, 'b', 'x');
    const inside = at(`.small-servers/${kept.id}.part`);
    for (const path of [at('.small-servers'), inside]) {
      await expectRefusal(store.stat(path), 'NOTFOUND');
      await expectRefusal(store.open(path), 'NOTFOUND');
      await expectRefusal(store.list(path, { limit: 10, depth: 1 }), 'NOTFOUND');
      await expectRefusal(store.remove(path, undefined), 'NOTFOUND');
      await expectRefusal(store.removeDirectory(path), 'NOTFOUND');
      await expectRefusal(store.move(path, at('c'), none), 'NOTFOUND');
      await expectRefusal(store.move(at('b'), path, any), 'BADNAME');
      await expectRefusal(store.makeDirectory(path), 'BADNAME');
      await expectRefusal(store.createUpload({ path, sizeBytes: 1, precondition: any }), 'BADNAME');
    }
    expect(await namesIn(store, '/', 3)).toEqual(['b']);
    const page = await store.list(at('/'), { limit: 10, depth: 3, after: '.small-servers/0' });
    expect(page.entries.map(({ path }) => path.text)).toEqual(['b']);
    await store.abortUpload(kept.id);
  });

  test('no descriptor is left open, whatever was asked for and however it ended', async () => {
    const { store, root } = await opened();
    await store.makeDirectory(at('d'));
    symlinkSync('/', join(root, 'link'));
    const everything = async () => {
      await put(store, 'd/a', bytesOf(700_000), any);
      await contentOf(store, 'd/a');
      await namesIn(store, '/', 4);
      await store.space();
      for (const path of ['d', 'd/missing', 'd/a/x', 'link', 'link/etc', 'd/CON']) {
        await Promise.allSettled([
          store.stat(at(path)),
          store.open(at(path)).then((file) => file.close()),
          store.list(at(path), { limit: 10, depth: 3 }),
          put(store, path, 'x', etag('0')),
          store.remove(at(path), '0'),
          store.removeDirectory(at(path)),
          store.makeDirectory(at(path)).then(() => store.removeDirectory(at(path))),
          store.move(at(path), at('d/a'), none),
          store.move(at('d/a'), at(path), etag('0')),
        ]);
      }
      const upload = await store.createUpload({ path: at('d/b'), sizeBytes: 900_000, precondition: none });
      await upload.write(bytesOf(600_000));
      await upload.suspend();
      const again = await store.resumeUpload(upload.id);
      await again.abort();
      if (!existsSync(join(root, 'd'))) await store.makeDirectory(at('d'));
    };
    await everything();
    const before = openDescriptors();
    await everything();
    await everything();
    expect(openDescriptors()).toBe(before);
  });
});

test('a root that only reads is never written to', async () => {
  const { root } = rootWithOutside();
  writeFileSync(join(root, 'a'), 'x');
  const store = await openStore(root, { writable: false });
  expect((await contentOf(store, 'a')).toString()).toBe('x');
  await expectRefusal(put(store, 'b', 'x'), 'READONLY');
  await expectRefusal(store.makeDirectory(at('d')), 'READONLY');
  await expectRefusal(store.remove(at('a'), undefined), 'READONLY');
  await expectRefusal(store.move(at('a'), at('b'), none), 'READONLY');
  await expectRefusal(store.removeDirectory(at('a')), 'READONLY');
  await expectRefusal(store.resumeUpload('0'.repeat(32)), 'READONLY');
  await expectRefusal(store.abortUpload('0'.repeat(32)), 'READONLY');
  expect(existsSync(join(root, '.small-servers'))).toBe(false);
});

describe('a root that cannot be one', () => {
  test('is named, with what is wrong', async () => {
    const directory = temporaryDirectory();
    const file = join(directory, 'file');
    writeFileSync(file, '');
    await expect(openStore(join(directory, 'missing'))).rejects.toMatchObject({
      code: 'USAGE_INVALID',
      message: `root ${directory}/missing: there is no such directory`,
    });
    await expect(openStore(file)).rejects.toMatchObject({
      code: 'USAGE_INVALID',
      message: `root ${file}: is no directory`,
    });
  });

  test.each(['file', 'link'])("a %s where the store's own directory should be", async (kind) => {
    const { root, outside } = rootWithOutside();
    const hidden = join(root, '.small-servers');
    if (kind === 'file') writeFileSync(hidden, '');
    else symlinkSync(outside, hidden);
    const before = openDescriptors();
    await expect(openStore(root)).rejects.toMatchObject({
      code: 'USAGE_INVALID',
      message: `root ${root}: its .small-servers is no directory, which uploads need`,
    });
    expect(openDescriptors()).toBe(before);
  });
});

test('a store that is closed touches no file any more', async () => {
  const { root } = rootWithOutside();
  const store = await openStore(root);
  await store.close();
  await expectRefusal(put(store, 'a', 'x'), 'SHUTDOWN');
  await expectRefusal(store.resumeUpload('0'.repeat(32)), 'SHUTDOWN');
  await expect(store.makeDirectory(at('d'))).rejects.toThrow('the root is closed');
  await expect(store.stat(at('a'))).rejects.toThrow('the root is closed');
  await expect(store.list(at('/'), { limit: 1, depth: 1 })).rejects.toThrow('the root is closed');
});
