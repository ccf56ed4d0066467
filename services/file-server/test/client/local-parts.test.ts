/** The parts of the client that keep something on this side: the target folder, notes and digests of uploads. */
import { createHash } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { seededBytes } from '../../../../test/support/splits.ts';
import type { Connection } from '../../src/client/connection.ts';
import { readToken } from '../../src/client/environment.ts';
import { PartFetch } from '../../src/client/fetch-part.ts';
import { openLocalFile } from '../../src/client/local-file.ts';
import { openTemporary } from '../../src/client/part-file.ts';
import { temporaryName } from '../../src/client/part-name.ts';
import { TargetFolder } from '../../src/client/target-folder.ts';
import { REMEMBER_EVERY_BYTES, UploadDigest } from '../../src/client/upload-digest.ts';
import { UploadNotes, uploadNotesFolder } from '../../src/client/upload-notes.ts';
import { pathOf } from '../../src/protocol/path.ts';
import { chooseSha256 } from '../../src/store/sha256.ts';
import { portableSha256 } from '../../src/store/sha256-portable.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'small-servers-'));
});
afterEach(() => rm(home, { recursive: true }));

const names = (...texts: readonly string[]): Buffer[] => texts.map((text) => Buffer.from(text));

describe('the target folder', () => {
  test.each([
    ['held by descriptor', true],
    ['looked at before use', false],
  ])('%s: folders are made, links and files in the way are refused', async (_how, holds) => {
    const path = join(home, 'a', 'target');
    const target = new TargetFolder(path, holds);
    expect(target.directory(names('x', 'y')).isNew).toBe(true);
    expect((await stat(join(path, 'x', 'y'))).isDirectory()).toBe(true);
    await mkdir(join(home, 'elsewhere'));
    await symlink(join(home, 'elsewhere'), join(path, 'link'));
    await writeFile(join(path, 'file'), '');
    for (const name of ['link', 'file'])
      expect(() => target.directory(names(name, 'z'))).toThrow('links are not followed');
    expect(await readdir(join(home, 'elsewhere'))).toEqual([]);
    target.close();
  });

  test('a folder that is swapped for a link after it was entered still gets its files where it was', async () => {
    const path = join(home, 'target');
    const target = new TargetFolder(path, true);
    target.directory(names('sub'));
    await mkdir(join(home, 'elsewhere'));
    await rename(join(path, 'sub'), join(path, 'moved'));
    await symlink(join(home, 'elsewhere'), join(path, 'sub'));
    await writeFile(target.directory(names('sub')).at(Buffer.from('f')), 'x');
    expect([await readdir(join(home, 'elsewhere')), await readdir(join(path, 'moved'))]).toEqual([[], ['f']]);
    target.close();
  });

  test('the path that the user gave may lead through links', async () => {
    await mkdir(join(home, 'real'));
    await symlink(join(home, 'real'), join(home, 'link'));
    const target = new TargetFolder(join(home, 'link'));
    target.directory(names('x'));
    target.close();
    expect(await readdir(join(home, 'real'))).toEqual(['x']);
  });

  test('more folders than are held at a time, and deeper: descriptors do not pile up', async () => {
    const before = (await readdir('/proc/self/fd')).length;
    const target = new TargetFolder(join(home, 'target'), true);
    for (let index = 0; index < 300; index++) target.directory(names(`d${index}`, 'x'));
    expect((await readdir('/proc/self/fd')).length).toBeLessThan(before + 80);
    const deep = Array.from({ length: 100 }, () => Buffer.from('d'));
    await writeFile(target.directory(deep).at(Buffer.from('f')), 'x');
    target.close();
    expect((await readdir('/proc/self/fd')).length).toBeLessThanOrEqual(before + 1);
  });
});

test('a part whose reading is interrupted stays for the next run', async () => {
  const bytes = seededBytes(400_000, 1);
  await writeFile(join(home, 'f.e1.small-servers-part'), bytes);
  const entry = {
    path: pathOf([]),
    kind: 'file',
    sizeBytes: 500_000,
    modifiedMs: 0,
    etag: 'e1',
    sha256: undefined,
  } as const;
  const plan = { path: pathOf([Buffer.from('f')]), entry, folderNames: [], name: Buffer.from('f') };
  const target = new TargetFolder(home);
  const policy = { target, verify: 'auto', fsync: 'never', signal: AbortSignal.abort(), onBytes: () => {} } as const;
  const fetch = new PartFetch(plan, policy);
  // It ends before the server is asked for anything.
  await expect(fetch.run(undefined as unknown as Connection)).rejects.toMatchObject({ code: 'TRANSFER_INTERRUPTED' });
  fetch.close();
  target.close();
  expect(await readFile(join(home, 'f.e1.small-servers-part'))).toEqual(bytes);
});

describe('a file for a moment', () => {
  const taken = temporaryName(() => 0);

  test('leaves a name that somebody has already to them, and takes another one', async () => {
    await symlink('elsewhere', join(home, taken));
    const random = vi.spyOn(Math, 'random').mockReturnValueOnce(0).mockReturnValueOnce(0);
    const target = new TargetFolder(home);
    const { name, descriptor } = openTemporary(target.directory([]));
    random.mockRestore();
    closeSync(descriptor);
    target.close();
    expect(name.toString()).not.toBe(taken);
    expect(new Set(await readdir(home))).toEqual(new Set([taken, name.toString()]));
    expect(await readlink(join(home, taken))).toBe('elsewhere');
  });

  test('is given up where every name is taken', () => {
    const random = vi.spyOn(Math, 'random').mockReturnValue(0);
    const target = new TargetFolder(home);
    closeSync(openTemporary(target.directory([])).descriptor);
    expect(() => openTemporary(target.directory([]))).toThrow('EEXIST');
    random.mockRestore();
    target.close();
  });
});

describe('the notes of uploads', () => {
  const key = { target: '127.0.0.1:7021', remotePath: 'a', localPath: '/a' };

  async function identity() {
    await writeFile(join(home, 'f'), 'hello');
    const file = openLocalFile(join(home, 'f'), false);
    closeSync(file.descriptor);
    return file.identity;
  }

  test('come back for the same content, and for no other', async () => {
    const notes = new UploadNotes(join(home, 'notes'));
    const note = { id: 'a'.repeat(32), identity: await identity(), digests: [chooseSha256(process).maker().save()] };
    notes.save(key, note);
    expect(notes.load(key, note.identity)).toMatchObject(note);
    expect(notes.load(key, { ...note.identity, modifiedNs: '1' })).toBeUndefined();
    expect(notes.load({ ...key, remotePath: 'b' }, note.identity)).toBeUndefined();
    expect((await stat(join(home, 'notes'))).mode & 0o777).toBe(0o700);
    const [name = ''] = await readdir(join(home, 'notes'));
    expect((await stat(join(home, 'notes', name))).mode & 0o777).toBe(0o600);
    notes.remove(key);
    expect(await readdir(join(home, 'notes'))).toEqual([]);
  });

  test.each(['', '{', 'null', '{"id":"../../x","identity":{},"digests":[]}', '{"id":1}'])(
    'one that is no note counts for nothing: %j',
    async (text) => {
      const notes = new UploadNotes(join(home, 'notes'));
      const found = await identity();
      notes.save(key, { id: 'a'.repeat(32), identity: found, digests: [] });
      const [name = ''] = await readdir(join(home, 'notes'));
      await writeFile(join(home, 'notes', name), text);
      expect(notes.load(key, found)).toBeUndefined();
    },
  );

  test('are swept after a month', async () => {
    const found = await identity();
    new UploadNotes(join(home, 'notes')).save(key, { id: 'a'.repeat(32), identity: found, digests: [] });
    const [old = ''] = await readdir(join(home, 'notes'));
    const monthAgo = Date.now() / 1000 - 31 * 24 * 3_600;
    await utimes(join(home, 'notes', old), monthAgo, monthAgo);
    const other = { ...key, remotePath: 'b' };
    new UploadNotes(join(home, 'notes')).save(other, { id: 'b'.repeat(32), identity: found, digests: [] });
    expect(await readdir(join(home, 'notes'))).not.toContain(old);
    expect(await readdir(join(home, 'notes'))).toHaveLength(1);
  });

  test('live in the state folder of the user', () => {
    expect(uploadNotesFolder({ XDG_STATE_HOME: '/s' })).toBe('/s/small-servers/uploads');
    expect(uploadNotesFolder({ XDG_STATE_HOME: 'relative' })).toMatch(/^\/.*\/\.local\/state\/small-servers\/uploads$/);
  });
});

describe('the digest of an upload', () => {
  const signal = new AbortController().signal;
  const bytes = seededBytes(3_000_000, 1);
  const whole = createHash('sha256').update(bytes).digest('hex');

  test.each([
    ['native', chooseSha256(process).maker],
    ['portable', portableSha256],
  ])('%s: moved anywhere in the file, it ends as that of the whole', async (_which, make) => {
    await writeFile(join(home, 'f'), bytes);
    const descriptor = openSync(join(home, 'f'), 'r');
    for (const offset of [0, 1, 63, 64, 1_048_576, 2_999_999, 3_000_000]) {
      const digest = new UploadDigest(make);
      digest.update(bytes.subarray(0, 100));
      await digest.moveTo(descriptor, offset, signal);
      digest.update(bytes.subarray(offset));
      expect(digest.finish(), `${offset}`).toBe(whole);
    }
    closeSync(descriptor);
  });

  test('what a state remembers is not read again', async () => {
    const { maker } = chooseSha256(process);
    const first = new UploadDigest(maker);
    const block = Buffer.alloc(REMEMBER_EVERY_BYTES / 4, 7);
    const told = Array.from({ length: 9 }, () => first.update(block));
    expect(told).toEqual([false, false, false, true, false, false, false, true, false]);
    expect(first.states.map(({ totalBytes }) => totalBytes)).toEqual([REMEMBER_EVERY_BYTES, 2 * REMEMBER_EVERY_BYTES]);
    // An empty file: whatever was read of it would be an error.
    await writeFile(join(home, 'empty'), '');
    const descriptor = openSync(join(home, 'empty'), 'r');
    const second = new UploadDigest(maker, first.states);
    await second.moveTo(descriptor, 2 * REMEMBER_EVERY_BYTES, signal);
    second.update(block);
    expect(second.finish()).toBe(first.finish());
    await expect(new UploadDigest(maker, first.states).moveTo(descriptor, 70 * 1024 ** 2, signal)).rejects.toThrow(
      'written to while it was read',
    );
    closeSync(descriptor);
  });
});

describe('the token', () => {
  test('is the first line of its file, else of the variable, else there is none', async () => {
    await writeFile(join(home, 'token'), 'open-sesame \r\nsecond line\n');
    const variable = { SMALL_SERVERS_FILE_TOKEN: 'from-variable' };
    expect(readToken(join(home, 'token'), variable)).toBe('open-sesame');
    expect(readToken('', variable)).toBe('from-variable');
    expect(readToken('', { SMALL_SERVERS_FILE_TOKEN: '' })).toBeUndefined();
    expect(readToken('', {})).toBeUndefined();
  });

  test.each(['', 'two words', 'CR\rQUIT', 'x'.repeat(1_025), 'Grüße'])(
    '%j is none, and is not repeated',
    async (text) => {
      await writeFile(join(home, 'token'), text);
      expect(() => readToken(join(home, 'token'), {})).toThrow(/is no token: expected/);
      if (text !== '') expect(() => readToken(join(home, 'token'), {})).not.toThrow(text);
      expect(await readFile(join(home, 'token'), 'utf8')).toBe(text);
    },
  );
});
