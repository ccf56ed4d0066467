/** A server that means harm: whatever it says, nothing is written outside the target, and the exit code is 1. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { link, lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seededBytes } from '../../../../test/support/splits.ts';
import { until } from '../../../../test/support/tcp.ts';
import { get, type Ran } from './harness.ts';
import { content, entryFields, item, type Script, startScripted } from './scripted-server.ts';

let home: string;
let target: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'small-servers-'));
  target = join(home, 'target');
});
// The program, not the function: a path may be longer than a system call takes.
afterEach(() => promisify(execFile)('rm', ['-rf', home]));

const quick = { retries: '1', timeout: '300ms' };

/** Everything below the home of the test, but what is in the target. */
async function outside(): Promise<readonly string[]> {
  return (await readdir(home)).filter((name) => name !== 'target');
}

async function getTree(script: Script, flags: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const folder = `OK ${entryFields(0, 'directory')}\r\n`;
  await using server = await startScripted((line, ...rest) => (line === 'STAT tree' ? folder : script(line, ...rest)));
  return await get({
    port: server.port,
    path: 'tree',
    local: target,
    flags: { recursive: 'true', ...quick, ...flags },
  });
}

/** A listing of these lines, and a good answer to every GET. */
const listing =
  (...items: readonly string[]): Script =>
  (line) =>
    line.startsWith('LIST') ? `${items.join('')}OK count=${items.length} more=no\r\n` : content(Buffer.from('evil'));

describe('a listing that is not to be trusted', () => {
  test.each([
    ['a parent', item('..', 4)],
    ['a parent on the way', item('a/../../evil', 4)],
    ['a parent, encoded', item('%2E%2E/evil', 4)],
    ['a parent, encoded in lower case', item('%2e%2e/evil', 4)],
    ['itself', item('.', 4)],
    ['an absolute name', item('/etc/evil', 4)],
    ['no name', item('', 4)],
    ['an empty name on the way', item('a//evil', 4)],
    ['a slash in a name', item('..%2Fevil', 4)],
    ['NUL in a name', item('evil%00.txt', 4)],
    ['an encoding cut short', item('evil%4', 4)],
    ['a backslash in the open', item('..\\evil', 4)],
    ['an escape sequence in the open', item('\u001b[2Jevil', 4)],
    ['bytes that are no ASCII in the open', item('\u00ff', 4)],
    ['an entry without a name', `ITEM ${entryFields(4)}\r\n`],
    ['an entry of no type', 'ITEM path=a size=1 etag=e1\r\n'],
    ['an entry of an unknown type', item('a', 1, 'portal')],
    ['a size below zero', item('a', -4)],
    ['a size beyond 2^53', `ITEM path=a type=file size=9007199254740993 mtime=2026-01-02T03:04:05.678Z etag=e1\r\n`],
    ['a time that no calendar has', `ITEM path=a type=file size=1 mtime=2026-13-45T99:00:00.000Z etag=e1\r\n`],
    ['an etag that leads out of the folder', item('a', 4, 'file', '../../evil')],
    ['a field twice', `ITEM path=a path=b ${entryFields(4)}\r\n`],
    ['the same name twice', item('a', 4) + item('a', 4)],
    ['names out of order', item('b', 4) + item('a', 4)],
    ['a folder after what it holds', item('a/b', 4) + item('a', 0, 'directory')],
    ['a file deeper than was asked for', item(Array.from({ length: 33 }, () => 'a').join('/'), 4)],
    ['a line longer than any reply', item('a'.repeat(33_000), 4)],
    ['no line at all', 'GET / HTTP/1.1\r\n'],
  ])('%s: exit 1, nothing outside the target', async (_what, items) => {
    const { code, stderr } = await getTree(listing(items));
    expect([code, stderr]).toEqual([1, expect.stringContaining('the server broke the protocol: ')]);
    expect(stderr).not.toMatch(/[^\n\x20-\x7e]/);
    expect(await outside()).toEqual([]);
    expect(existsSync('/etc/evil')).toBe(false);
  });

  test('one that never ends is given up at --max-files, page after page', async () => {
    let sent = 0;
    const page = (): string => {
      const names = Array.from({ length: 100 }, () => `d${String(sent++).padStart(9, '0')}`);
      return names.map((name) => item(name, 0, 'directory')).join('');
    };
    const { code, stderr } = await getTree(() => `${page()}OK count=100 more=yes\r\n`, { 'max-files': '1000' });
    expect([code, stderr]).toEqual([1, expect.stringContaining('--max-files')]);
    expect(sent).toBeLessThan(1_300);
  });

  test('one page that never ends is given up as well', async () => {
    let sent = 0;
    const { code, stderr } = await getTree(
      (_line, socket) => {
        const more = (): void => {
          if (socket.destroyed) return;
          const names = Array.from({ length: 100 }, () => `d${String(sent++).padStart(9, '0')}`);
          socket.write(names.map((name) => item(name, 0, 'directory')).join(''), () => setImmediate(more));
        };
        more();
        return undefined;
      },
      { 'max-files': '500' },
    );
    expect([code, stderr]).toEqual([1, expect.stringContaining('a page of more than was asked for')]);
    expect(sent).toBeLessThan(5_000);
  });

  test('one page of names that no command has room for is given up when it is longer than any', async () => {
    const folder = 'n'.repeat(4_200);
    let sent = 0;
    const { code, stderr } = await getTree((_line, socket) => {
      const more = (): void => {
        if (socket.destroyed) return;
        const names = Array.from({ length: 100 }, () => `${folder}${String(sent++).padStart(9, '0')}`);
        socket.write(names.map((name) => item(name, 0, 'directory')).join(''), () => setImmediate(more));
      };
      more();
      return undefined;
    });
    expect([code, stderr]).toEqual([1, expect.stringContaining('a page without an end')]);
    expect(sent * folder.length).toBeLessThan(64 * 1024 * 1024);
  });

  test.each([
    ['OK', 'another count'],
    ['OK count=2 more=no', 'another count'],
    ['OK count=1', 'whether it goes on'],
    ['OK count=1 more=perhaps', 'whether it goes on'],
  ])('one that ends with %j is not the whole of one', async (end, said) => {
    const { code, stderr } = await getTree(() => `${item('d', 0, 'directory')}${end}\r\n`);
    expect([code, stderr]).toEqual([1, expect.stringContaining(said)]);
  });

  test('one that goes on after nothing is no listing', async () => {
    const { code, stderr } = await getTree(() => 'OK count=0 more=yes\r\n');
    expect([code, stderr]).toEqual([1, expect.stringContaining('goes on after nothing')]);
  });

  test('folders without end stop where no path can name them', async () => {
    const chain = Array.from({ length: 32 }, (_, depth) =>
      Array.from({ length: depth + 1 }, () => 'd'.repeat(60)).join('/'),
    );
    const { code, stderr } = await getTree(
      () => `${chain.map((path) => item(path, 0, 'directory')).join('')}OK count=32 more=no\r\n`,
    );
    expect([code, stderr]).toEqual([1, expect.stringMatching(/deeper than any path|ENAMETOOLONG|file name too long/i)]);
  });
});

describe('content that is not to be trusted', () => {
  beforeEach(() => mkdir(target));

  const hello = Buffer.from('hello');
  const stat = `OK ${entryFields(hello.length)}\r\n`;
  const answering =
    (answer: string | Uint8Array): Script =>
    (line) =>
      line.startsWith('STAT') ? stat : answer;

  test.each([
    ['more bytes than it promised', `DATA 5 etag=e1\r\nhello!!\r\nOK crc32=3610a686\r\n`],
    ['a promise of more than was listed', `DATA 7 etag=e1\r\nhello!!\r\nOK crc32=00000000\r\n`],
    ['a promise of less than was listed', content(Buffer.from('hell'))],
    ['a promise with a sign', 'DATA +5 etag=e1\r\n'],
    ['a promise below zero', 'DATA -1 etag=e1\r\n'],
    ['a promise with leading zeros', 'DATA 005 etag=e1\r\n'],
    ['a promise in exponents', 'DATA 5e0 etag=e1\r\n'],
    ['another content than asked for', content(hello, { etag: 'e2' })],
    ['no digest behind it', 'DATA 5 etag=e1\r\nhello\r\nOK\r\n'],
    ['a payload that nobody asked for', `ITEM path=a ${entryFields(1)}\r\n`],
    ['SEND in place of content', 'SEND 0 id=0\r\n'],
    ['content twice', Buffer.concat([content(hello), content(hello)])],
    ['an error without a code', 'ERR\r\n'],
    ['an error that does not say when to try again', 'ERR NOTFOUND: nothing\r\n'],
    ['a web page', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['a line without end', 'x'.repeat(40_000)],
  ])('%s: exit 1 and no file', async (what, answer) => {
    await using server = await startScripted(answering(answer));
    const { code, stderr } = await get({ port: server.port, path: 'f', local: join(target, 'f'), flags: quick });
    if (what === 'content twice') {
      // The first answer was whole and right; what comes after it belongs to nothing.
      expect(code).toBe(0);
      return;
    }
    expect([code, stderr]).toEqual([1, expect.stringContaining('the server broke the protocol: ')]);
    expect(await readdir(target)).toEqual([]);
  });

  test.each([
    ['small', 5],
    ['large', 700_000],
  ])('a wrong crc32 of a %s file: exit 1, and no file and no part is left', async (_what, size) => {
    const bytes = seededBytes(size, 7);
    await using server = await startScripted((line) =>
      line.startsWith('STAT') ? `OK ${entryFields(size)}\r\n` : content(bytes, { crc: 'deadbeef' }),
    );
    const { code, stderr } = await get({ port: server.port, path: 'f', local: join(target, 'f'), flags: quick });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^f: its crc32 is [0-9a-f]{8}, .*deadbeef\n$/)]);
    expect(await readdir(target)).toEqual([]);
  });

  test.each([
    ['small', 5],
    ['large', 700_000],
  ])('a wrong sha256 of a %s file: exit 1 and no file', async (_what, size) => {
    const bytes = seededBytes(size, 8);
    const wrong = '0'.repeat(64);
    await using server = await startScripted((line) =>
      line.startsWith('STAT') ? `OK ${entryFields(size)} sha256=${wrong}\r\n` : content(bytes),
    );
    const { code, stderr } = await get({ port: server.port, path: 'f', local: join(target, 'f'), flags: quick });
    expect([code, stderr]).toEqual([1, expect.stringContaining(`should be ${wrong}`)]);
    expect(await readdir(target)).toEqual([]);
  });

  test('an error message can not put control sequences on the terminal, or a second line', async () => {
    await using server = await startScripted(() => 'ERR DENIED retry=no: \u001b[2Jno\u0007\r\n');
    const { code, stderr } = await get({ port: server.port, path: 'f', local: join(target, 'f'), flags: quick });
    expect([code, stderr]).toEqual([1, 'f: DENIED: \\x1b[2Jno\\x07\n']);
  });

  test('a server that falls silent is given up after --timeout, and asked again --retries times', async () => {
    await using server = await startScripted((line) =>
      line.startsWith('STAT') ? `OK ${entryFields(4)}\r\n` : undefined,
    );
    const { code, stderr } = await get({ port: server.port, path: 'f', flags: { retries: '1', timeout: '100ms' } });
    expect([code, stderr]).toEqual([1, expect.stringContaining('nothing moved for 0.1 s')]);
    expect(server.connections).toBe(3);
  });
});

describe('a target with traps in it', () => {
  beforeEach(() => mkdir(target));

  test('a link to a folder is not followed: exit 1, the folder behind it stays as it is', async () => {
    await mkdir(join(home, 'elsewhere'));
    await symlink(join(home, 'elsewhere'), join(target, 'a'));
    const { code, stderr } = await getTree(listing(item('a/evil', 4)));
    expect([code, stderr]).toEqual([1, expect.stringContaining('links are not followed')]);
    expect(await readdir(join(home, 'elsewhere'))).toEqual([]);
  });

  test('a link where a file is to be is replaced, and what it led to stays as it is', async () => {
    await writeFile(join(home, 'precious'), 'precious');
    await symlink(join(home, 'precious'), join(target, 'f'));
    expect(await getTree(listing(item('f', 4)))).toMatchObject({ code: 0 });
    expect([await readFile(join(home, 'precious'), 'utf8'), await readFile(join(target, 'f'), 'utf8')]).toEqual([
      'precious',
      'evil',
    ]);
    expect((await lstat(join(target, 'f'))).isFile()).toBe(true);
  });

  test.each([
    ['small', 4],
    ['large', 300_000],
  ])('a link, symbolic or hard, where the part of a %s file would be is not written through', async (_what, size) => {
    for (const plant of [symlink, link]) {
      await writeFile(join(home, 'precious'), 'precious');
      await plant(join(home, 'precious'), join(target, 'f.e1.small-servers-part'));
      await getTree((line) => {
        if (line.startsWith('LIST')) return `${item('f', size)}OK count=1 more=no\r\n`;
        // It goes along with whatever is asked for.
        const offset = Number(/ off=(\d+)/.exec(line)?.[1] ?? 0);
        return content(Buffer.alloc(size - offset));
      });
      expect(await readFile(join(home, 'precious'), 'utf8')).toBe('precious');
      await rm(join(target, 'f.e1.small-servers-part'), { force: true });
      await rm(join(target, 'f'), { force: true });
    }
  });

  test('a file where a folder must be, a folder where a file must be: the others still come', async () => {
    await writeFile(join(target, 'a'), 'a file');
    await mkdir(join(target, 'b'));
    const { code, stderr } = await getTree(
      listing(item('a', 0, 'directory'), item('a/x', 4), item('b', 4), item('c', 4)),
    );
    expect(code).toBe(1);
    expect(stderr).toContain('tree/b: there is a folder of this name');
    expect(await readFile(join(target, 'c'), 'utf8')).toBe('evil');
    expect(await readFile(join(target, 'a'), 'utf8')).toBe('a file');
  });

  test('links, FIFOs and devices of the server are left out, and counted', async () => {
    const { code, stdout } = await getTree(listing(item('a', 4), item('b', 0, 'other')));
    expect([code, stdout]).toEqual([0, expect.stringContaining('1 file, ')]);
    expect(stdout).toContain('1 link or special file left out');
    expect(await readdir(target)).toEqual(['a']);
  });
});

describe('names of files that are not whole yet', () => {
  const large = seededBytes(600_000, 3);
  const small = seededBytes(50, 4);
  const found = (name: string): Promise<Buffer> => readFile(join(target, name));
  const listed = (...items: readonly string[]): string => `${items.join('')}OK count=${items.length} more=no\r\n`;

  function isThere(name: string, bytes: Buffer): boolean {
    const path = join(target, name);
    return existsSync(path) && readFileSync(path).equals(bytes);
  }

  test.each([
    ['small file', small, 'file'],
    ['large file', large, 'file'],
    ['folder', Buffer.alloc(0), 'directory'],
  ])(
    'a server can not list one, as a %s: it fails in a line, and the file that it is aimed at comes',
    async (_what, bytes, kind) => {
      const evil = 'x.e1.small-servers-part';
      const { code, stderr } = await getTree((line) => {
        if (line.startsWith('LIST')) return listed(item('x', large.length), item(evil, bytes.length, kind));
        return content(line.includes(evil) ? bytes : large);
      });
      const words = 'this name is not written here: get gives such names to files that are not whole yet';
      expect([code, stderr]).toEqual([1, `tree/${evil}: ${evil}: ${words}\n`]);
      expect(await readdir(target)).toEqual(['x']);
      expect((await found('x')).equals(large)).toBe(true);
    },
  );

  test('NAME.ETAG.part is a name like any other: a large NAME that arrives meanwhile is not mixed up with it', async () => {
    const whole = content(large);
    const { code, stderr } = await getTree(
      (line, socket) => {
        if (line.startsWith('LIST')) return listed(item('x', large.length), item('x.e1.part', small.length));
        if (line.includes('x.e1.part')) return content(small);
        socket.write(whole.subarray(0, 300_000));
        void until(() => isThere('x.e1.part', small), 'the other file is there').then(() =>
          socket.write(whole.subarray(300_000)),
        );
        return undefined;
      },
      { parallel: '2', timeout: '5s' },
    );
    expect([code, stderr]).toEqual([0, '']);
    expect([(await found('x')).equals(large), isThere('x.e1.part', small)]).toEqual([true, true]);
  });

  test('nor is a small NAME that comes after it', async () => {
    let isBusy = true;
    // Over one connection, on which all are asked for ahead: the second attempt comes after the other file.
    const { code, stderr } = await getTree(
      (line) => {
        if (line.startsWith('LIST')) return listed(item('x', 4), item('x.e1.part', small.length));
        if (line.includes('x.e1.part')) return content(small);
        if (!isBusy) return content(Buffer.from('good'));
        isBusy = false;
        return 'ERR BUSY retry=later: soon\r\n';
      },
      { parallel: '1' },
    );
    expect([code, stderr]).toEqual([0, '']);
    expect([(await found('x')).toString(), isThere('x.e1.part', small)]).toEqual(['good', true]);
  });

  test.each([
    ['small', 4, 'true'],
    ['large', 300_000, 'true'],
    ['small', 4, 'false'],
    ['large', 300_000, 'false'],
  ])("the user's own NAME.ETAG.part stays as it is: a %s file of %i bytes, -r %s", async (_what, size, recursive) => {
    const own = Buffer.from("somebody else's download");
    await mkdir(target);
    await writeFile(join(target, 'foo.zip.part'), own);
    await using server = await startScripted((line) => {
      if (line === 'STAT foo') return `OK ${entryFields(size, 'file', 'zip')}\r\n`;
      if (line.startsWith('STAT')) return `OK ${entryFields(0, 'directory')}\r\n`;
      if (line.startsWith('LIST')) return listed(item('foo', size, 'file', 'zip'));
      // It goes along with whatever is asked for.
      return content(Buffer.alloc(size - Number(/ off=(\d+)/.exec(line)?.[1] ?? 0)), { etag: 'zip' });
    });
    const path = recursive === 'true' ? 'tree' : 'foo';
    const flags = { ...quick, recursive, existing: 'fail' };
    const { code, stderr } = await get({ port: server.port, path, local: target, flags });
    expect([code, stderr]).toEqual([0, '']);
    expect([isThere('foo.zip.part', own), isThere('foo', Buffer.alloc(size))]).toEqual([true, true]);
  });

  test.each([
    ['something else is put in its place', 'something else', 'somebody put something else in its place'],
    ['it is removed', undefined, 'somebody removed it'],
  ])('a part does not become the file if %s', async (_what, replacement, words) => {
    await mkdir(target);
    const part = 'f.e1.small-servers-part';
    await using server = await startScripted((line) => {
      if (line.startsWith('STAT')) return `OK ${entryFields(large.length)}\r\n`;
      unlinkSync(join(target, part));
      if (replacement !== undefined) writeFileSync(join(target, part), replacement);
      return content(large);
    });
    const { code, stderr } = await get({ port: server.port, path: 'f', local: target, flags: quick });
    expect([code, stderr]).toEqual([1, `f: ${part}: ${words}\n`]);
    expect(await readdir(target)).toEqual(replacement === undefined ? [] : [part]);
    if (replacement !== undefined) expect(isThere(part, Buffer.from(replacement))).toBe(true);
  });

  test.each(['each', 'never'])(
    'a small file that can not get its name leaves nothing behind (--fsync %s)',
    async (fsync) => {
      await mkdir(target);
      await using server = await startScripted((line) => {
        if (line.startsWith('STAT')) return `OK ${entryFields(4)}\r\n`;
        mkdirSync(join(target, 'f'));
        return content(Buffer.from('good'));
      });
      const { code, stderr } = await get({ port: server.port, path: 'f', local: target, flags: { ...quick, fsync } });
      expect([code, stderr]).toEqual([1, expect.stringMatching(/^f: f: E[^\n]*\n$/)]);
      expect(await readdir(target)).toEqual(['f']);
    },
  );
});
