/** The client and the real server, with a relay between them that cuts. */
import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import {
  appendFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Daemon, nodePath, repository, runProgram, startDaemon } from '../../../../test/support/daemon.ts';
import { runWith } from '../../../../test/support/run.ts';
import { seededBytes } from '../../../../test/support/splits.ts';
import { until } from '../../../../test/support/tcp.ts';
import { startRelay } from './cutting-relay.ts';
import { get, put } from './harness.ts';
import { startScripted } from './scripted-server.ts';

let home: string;
let served: string;
let here: string;
let server: Daemon & { readonly port: number };

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'small-servers-'));
  served = join(home, 'served');
  await mkdir(served);
  vi.stubEnv('XDG_STATE_HOME', join(home, 'state'));
  server = await startDaemon('file-server', ['--root', served, '--writable']);
});
afterAll(async () => {
  await server.stop();
  vi.unstubAllEnvs();
  await rm(home, { recursive: true });
});
beforeEach(async () => {
  here = await mkdtemp(join(home, 'here-'));
});
afterEach(async () => {
  for (const name of await readdir(served)) {
    if (!name.startsWith('.')) await rm(join(served, name), { recursive: true });
  }
});

const sha256 = (bytes: Uint8Array): string => hash('sha256', bytes, 'hex');
const large = seededBytes(3_000_001, 1);

/** Every file below a folder: path to sha256. */
async function contentOf(folder: string): Promise<ReadonlyMap<string, string>> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true, encoding: 'buffer' });
  const files = found.filter((entry) => entry.isFile());
  const pairs = await Promise.all(
    files.map(async ({ parentPath, name }) => {
      const path = Buffer.concat([Buffer.from(`${parentPath}/`), name]);
      return [path.subarray(folder.length).toString('latin1'), sha256(await readFile(path))] as const;
    }),
  );
  return new Map(pairs.filter(([path]) => !path.startsWith('/.')).toSorted());
}

const awkward = [
  'plain.txt',
  'with space',
  '100%',
  '%41',
  '-r',
  '--help',
  'a.part',
  'Grüße.txt',
  '日本語',
  'quote\'"`$HOME',
  'semi;colon&pipe|',
  'question?hash#',
  'plus+at@',
  'tilde~',
  'n'.repeat(255),
];

async function makeTree(folder: string): Promise<void> {
  await mkdir(join(folder, 'sub', 'deeper', 'empty folder'), { recursive: true });
  for (const [index, name] of awkward.entries()) {
    await writeFile(join(folder, name), seededBytes(index * 1_000, index + 1));
    await writeFile(join(folder, 'sub', 'deeper', name), seededBytes(index * 37, index + 50));
  }
  await writeFile(join(folder, 'sub', 'empty'), '');
  await writeFile(join(folder, 'sub', 'large'), large);
}

describe('trees', () => {
  test.each([['1'], ['4']])('go there and back with every awkward name, over %s connections', async (parallel) => {
    const tree = join(here, 'tree');
    await makeTree(tree);
    const flags = { recursive: 'true', parallel };
    const sent = await put({ port: server.port, path: 'a/tree', local: tree, flags });
    expect([sent.code, sent.stderr]).toEqual([0, '']);
    expect(await contentOf(join(served, 'a/tree'))).toEqual(await contentOf(tree));
    const fetched = await get({ port: server.port, path: 'a/tree', local: join(here, 'back'), flags });
    expect([fetched.code, fetched.stderr]).toEqual([0, '']);
    expect(await contentOf(join(here, 'back'))).toEqual(await contentOf(tree));
    expect((await stat(join(here, 'back/sub/deeper/empty folder'))).isDirectory()).toBe(true);
    // Times came along, so a second run has nothing to fetch.
    const again = await get({ port: server.port, path: 'a/tree', local: join(here, 'back'), flags });
    expect(again.stdout).toMatch(/^0 files, .*; 32 here already\n$/);
    const resent = await put({ port: server.port, path: 'a/tree', local: tree, flags });
    expect([resent.code, resent.stdout]).toEqual([
      0,
      expect.stringMatching(/^0 files, .*; 32 there already, the same\n$/),
    ]);
  });

  test('names that could not be made through the server come all the same: control characters, no UTF-8', async () => {
    await mkdir(join(served, 'old'));
    const names = ['new\nline', 'es\u001b[2Jcape', 'back\\slash', 'CON'].map((name) => Buffer.from(name));
    for (const name of [...names, Buffer.from([0x66, 0xff, 0xfe])]) {
      await writeFile(Buffer.concat([Buffer.from(`${served}/old/`), name]), name);
    }
    const { code, stderr } = await get({
      port: server.port,
      path: 'old',
      local: join(here, 'old'),
      flags: { recursive: 'true' },
    });
    expect([code, stderr]).toEqual([0, '']);
    expect(await contentOf(join(here, 'old'))).toEqual(await contentOf(join(served, 'old')));
  });

  test('links here are left out of what is sent, and so are links there of what is fetched', async () => {
    await mkdir(join(here, 'tree'));
    await writeFile(join(here, 'tree', 'a'), 'a');
    await symlink('/etc/passwd', join(here, 'tree', 'link'));
    const flags = { recursive: 'true' };
    const sent = await put({ port: server.port, path: 'tree', local: join(here, 'tree'), flags });
    expect([sent.code, sent.stdout]).toEqual([0, expect.stringContaining('1 link or special file left out')]);
    await symlink('/etc/passwd', join(served, 'tree', 'link'));
    const fetched = await get({ port: server.port, path: 'tree', local: join(here, 'back'), flags });
    expect([fetched.code, await readdir(join(here, 'back'))]).toEqual([0, ['a']]);
  });

  test('--json: one object a file, one a line, and a summary', async () => {
    await mkdir(join(served, 'tree'));
    await writeFile(join(served, 'tree', 'a b'), 'hello');
    const { stdout } = await get({
      port: server.port,
      path: 'tree',
      local: join(here, 'tree'),
      flags: { recursive: 'true' },
      json: true,
    });
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { path: 'tree/a%20b', outcome: 'fetched', bytes: 5, resumedBytes: 0, etag: expect.stringMatching(/^\w+$/) },
      { summary: { fetched: 1, kept: 0, skipped: 0, failed: 0, bytes: 5, durationMs: expect.any(Number) } },
    ]);
  });
});

describe('cuts', () => {
  const quick = { retries: '3' };
  const offsets = [0, 1, 60, 70, 300_000, 1_000_000, 2_999_990, 3_000_080];

  test.each(offsets)('a download that is cut after %i bytes goes on, and is the same', async (down) => {
    await writeFile(join(served, 'f'), large);
    await using relay = await startRelay(server.port, [{}, { down, reset: down % 2 === 0 }]);
    const { code, stderr } = await get({ port: relay.port, path: 'f', local: join(here, 'f'), flags: quick });
    expect([code, stderr, relay.cuts]).toEqual([0, '', 1]);
    expect(sha256(await readFile(join(here, 'f')))).toBe(sha256(large));
    expect(await readdir(here)).toEqual(['f']);
  });

  test.each(offsets)('to standard output as well: cut after %i bytes, and nothing comes twice', async (down) => {
    await writeFile(join(served, 'f'), large);
    await using relay = await startRelay(server.port, [{}, { down }]);
    const { code, content } = await get({ port: relay.port, path: 'f', local: '-', flags: quick });
    expect([code, relay.cuts, sha256(content)]).toEqual([0, 1, sha256(large)]);
  });

  test.each([0, 1, 50, 100, 300_000, 1_000_000, 2_999_990, 3_000_020])(
    'an upload that is cut after %i bytes goes on, and is the same',
    async (up) => {
      await writeFile(join(here, 'f'), large);
      await using relay = await startRelay(server.port, [{ up }]);
      const { code, stderr } = await put({ port: relay.port, path: 'f', local: join(here, 'f'), flags: quick });
      expect([code, stderr, relay.cuts]).toEqual([0, '', 1]);
      expect(sha256(await readFile(join(served, 'f')))).toBe(sha256(large));
      expect(await readdir(join(home, 'state/small-servers/uploads')).catch(() => [])).toEqual([]);
    },
  );

  test('an upload whose OK was lost is found to be there', async () => {
    await writeFile(join(here, 'f'), large);
    await using relay = await startRelay(server.port, [{ down: 60 }]);
    const { code, stderr } = await put({ port: relay.port, path: 'f', local: join(here, 'f'), flags: quick });
    expect([code, stderr, relay.cuts]).toEqual([0, '', 1]);
    expect(sha256(await readFile(join(served, 'f')))).toBe(sha256(large));
  });

  test('a tree over connections that are cut again and again comes whole', async () => {
    await makeTree(join(served, 'tree'));
    const cuts = [500, 5_000, 20_000, 60_000, 100_000, 900_000].map((down) => ({ down }));
    await using relay = await startRelay(server.port, cuts);
    const flags = { recursive: 'true', retries: '8', parallel: '2' };
    const { code, stderr } = await get({ port: relay.port, path: 'tree', local: join(here, 'tree'), flags });
    expect([code, stderr]).toEqual([0, '']);
    // How far the last connection comes depends on which files the others had.
    expect(relay.cuts).toBeGreaterThanOrEqual(cuts.length - 2);
    expect(await contentOf(join(here, 'tree'))).toEqual(await contentOf(join(served, 'tree')));
  });

  test('attempts end: a server that always cuts is given up with exit 1, and the part is kept', async () => {
    await writeFile(join(served, 'f'), large);
    const cuts = [{}, ...Array.from({ length: 9 }, () => ({ down: 400_000 }))];
    await using relay = await startRelay(server.port, cuts);
    const { code, stderr } = await get({
      port: relay.port,
      path: 'f',
      local: join(here, 'f'),
      flags: { retries: '2' },
    });
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(
        /^f: .*; 1\.[1-9] MiB of 2\.9 MiB are kept as f\.[a-z0-9]+\.small-servers-part, and the same command/,
      ),
    ]);
    const [part = ''] = await readdir(here);
    const { size } = await stat(join(here, part));
    expect(size).toBeGreaterThan(1_000_000);
    const next = await get({ port: server.port, path: 'f', local: join(here, 'f'), json: true });
    expect(JSON.parse(next.stdout)).toMatchObject({ outcome: 'fetched', resumedBytes: size });
    expect(sha256(await readFile(join(here, 'f')))).toBe(sha256(large));
  });

  test('a part that was damaged meanwhile does not become a file', async () => {
    await writeFile(join(served, 'f'), large);
    await using relay = await startRelay(server.port, [{}, { down: 500_000 }]);
    await get({ port: relay.port, path: 'f', local: join(here, 'f'), flags: { retries: '0' } });
    const [part = ''] = await readdir(here);
    const bytes = await readFile(join(here, part));
    bytes[1_234] = (bytes[1_234] ?? 0) ^ 1;
    await writeFile(join(here, part), bytes);
    const { code, stderr } = await get({ port: server.port, path: 'f', local: join(here, 'f') });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^f: its (?:crc32|sha256) is /)]);
    expect(await readdir(here)).toEqual([]);
  });

  test('a file that changed on the server since the cut is fetched anew', async () => {
    await writeFile(join(served, 'f'), large);
    await using relay = await startRelay(server.port, [{}, { down: 500_000 }]);
    await get({ port: relay.port, path: 'f', local: join(here, 'f'), flags: { retries: '0' } });
    await appendFile(join(served, 'f'), 'more');
    const { code } = await get({ port: server.port, path: 'f', local: join(here, 'f') });
    expect(code).toBe(0);
    expect(sha256(await readFile(join(here, 'f')))).toBe(sha256(Buffer.concat([large, Buffer.from('more')])));
  });

  test('an upload goes on in another run, by its note, which is gone when it is done', async () => {
    await writeFile(join(here, 'f'), large);
    await using relay = await startRelay(server.port, [{ up: 1_500_000 }]);
    const first = await put({ port: relay.port, path: 'f', local: join(here, 'f'), flags: { retries: '0' } });
    expect([first.code, first.stderr]).toEqual([1, expect.stringContaining('the server keeps what came')]);
    const notes = join(home, 'state/small-servers/uploads');
    expect(await readdir(notes)).toHaveLength(1);
    // The note is about this server: through the relay's port again.
    await server.record('transfer', 1, ({ outcome, path }) => outcome === 'suspended' && path === 'f');
    const second = await put({ port: relay.port, path: 'f', local: join(here, 'f'), json: true });
    const { outcome, resumedBytes } = JSON.parse(second.stdout);
    expect([outcome, resumedBytes > 0]).toEqual(['stored', true]);
    expect(sha256(await readFile(join(served, 'f')))).toBe(sha256(large));
    expect(await readdir(notes)).toEqual([]);
  });

  test('a note is worth nothing for a file that is another one by now', async () => {
    await writeFile(join(here, 'f'), large);
    await using relay = await startRelay(server.port, [{ up: 1_500_000 }]);
    await put({ port: relay.port, path: 'f', local: join(here, 'f'), flags: { retries: '0' } });
    const other = seededBytes(3_000_001, 99);
    await writeFile(join(here, 'f'), other);
    const second = await put({ port: relay.port, path: 'f', local: join(here, 'f'), json: true });
    expect(JSON.parse(second.stdout)).toMatchObject({ outcome: 'stored', resumedBytes: 0 });
    expect(sha256(await readFile(join(served, 'f')))).toBe(sha256(other));
  });
});

describe('a name that is taken', () => {
  test.each([
    ['small', seededBytes(1_000, 3)],
    ['large', large],
  ])(
    'on the server, by a %s file: the same content is done, another fails, replace replaces, keep keeps',
    async (_what, bytes) => {
      const local = join(here, 'f');
      await writeFile(local, bytes);
      const send = (flags = {}) => put({ port: server.port, path: 'f', local, flags });
      expect(await send()).toMatchObject({ code: 0 });
      expect(await send()).toMatchObject({ code: 0, stdout: expect.stringContaining('is there already, the same') });
      const other = seededBytes(bytes.length, 4);
      await writeFile(local, other);
      expect(await send()).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^f: EXISTS: .*--existing replace/),
      });
      expect(await send({ existing: 'keep' })).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('stays as it is'),
      });
      expect(sha256(await readFile(join(served, 'f')))).toBe(sha256(bytes));
      expect(await send({ existing: 'replace' })).toMatchObject({ code: 0 });
      expect(sha256(await readFile(join(served, 'f')))).toBe(sha256(other));
      expect(await send({ existing: 'replace', 'digest-first': 'true' })).toMatchObject({ code: 0 });
    },
  );

  test('here: of the same size and time it is left alone; else replace replaces, keep keeps, fail fails', async () => {
    const local = join(here, 'f');
    await writeFile(join(served, 'f'), 'theirs');
    await writeFile(local, 'ours!!');
    await utimes(local, 1, 1);
    const fetch = (existing: string) => get({ port: server.port, path: 'f', local, flags: { existing } });
    expect(await fetch('keep')).toMatchObject({ code: 0, stdout: 'f: 6 B, is here already\n' });
    expect(await fetch('fail')).toMatchObject({ code: 1, stderr: expect.stringContaining('it is already here') });
    expect(await readFile(local, 'utf8')).toBe('ours!!');
    expect(await fetch('replace')).toMatchObject({ code: 0 });
    expect(await readFile(local, 'utf8')).toBe('theirs');
    const { mtimeMs } = await stat(join(served, 'f'));
    expect(Math.abs((await stat(local)).mtimeMs - mtimeMs)).toBeLessThan(1);
    expect(await fetch('fail')).toMatchObject({ code: 0, stdout: 'f: 6 B, is here already\n' });
    await utimes(local, 1, 1);
    expect(await fetch('fail')).toMatchObject({ code: 1 });
  });

  test('of a folder that is not here: exit 1 before the server is asked, and only -r makes folders', async () => {
    await writeFile(join(served, 'f'), 'theirs');
    await mkdir(join(served, 'tree'));
    await writeFile(join(here, 'file'), 'ours');
    for (const [local, missing] of [
      ['new/dir/x', 'new/dir'],
      ['new/', 'new/'],
      ['file/x', 'file'],
    ] as const) {
      const ran = await get({ port: 1, path: 'f', local: join(here, local) });
      const words = 'there is no such folder to put the file into; make it first (mkdir -p)';
      expect([ran.code, ran.stderr]).toEqual([1, `${join(here, missing)}: ${words}\n`]);
    }
    const flags = { recursive: 'true' };
    expect(await get({ port: server.port, path: 'f', local: join(here, 'new/x'), flags })).toMatchObject({ code: 1 });
    expect(await readdir(here)).toEqual(['file']);
    expect(await get({ port: server.port, path: 'tree', local: join(here, 'new/dir'), flags })).toMatchObject({
      code: 0,
    });
    expect(await readdir(join(here, 'new'))).toEqual(['dir']);
  });

  test('here by a folder, or by what is no file: exit 1, and it stays', async () => {
    await writeFile(join(served, 'f'), 'theirs');
    await mkdir(join(here, 'd', 'f'), { recursive: true });
    expect(await get({ port: server.port, path: 'f', local: join(here, 'd') })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is a folder of this name'),
    });
    expect(await get({ port: server.port, path: 'f', local: '/dev/null' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('what is there is no file'),
    });
    expect((await lstat('/dev/null')).isCharacterDevice()).toBe(true);
  });
});

describe('standard input and output', () => {
  test.each([0, 1, 65_536, 3_000_001])('%i bytes go in and come out', async (size) => {
    const bytes = seededBytes(size, 5);
    const parts = [bytes.subarray(0, size / 3), bytes.subarray(size / 3)];
    expect(await put({ port: server.port, path: 'f', input: parts })).toMatchObject({ code: 0 });
    const { code, content, stdout } = await get({ port: server.port, path: 'f', local: '-' });
    expect([code, stdout, sha256(content)]).toEqual([0, '', sha256(bytes)]);
  });

  test('cut in the middle, what was read can not be sent again: exit 1 and a sentence that says so', async () => {
    await using relay = await startRelay(server.port, [{ up: 100_000 }]);
    const { code, stderr } = await put({ port: relay.port, path: 'f', input: [seededBytes(300_000, 6)] });
    expect([code, stderr]).toEqual([1, expect.stringContaining('can not be sent again')]);
    expect(await readdir(served).then((names) => names.filter((name) => name === 'f'))).toEqual([]);
  });
});

describe('standard input that is silent', () => {
  test('keeps nobody from hearing that the server is gone', async () => {
    await using relay = await startRelay(server.port, [{ up: 100 }]);
    const input = [seededBytes(300, 6)];
    expect(await put({ port: relay.port, path: 'f', input, staysOpen: true })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^f: .*closed the connection.*; what standard input gave can not be sent again\n$/),
    });
  });

  test('nor that the file is refused', async () => {
    await writeFile(join(served, 'f'), '');
    const refused = await put({ port: server.port, path: 'f', input: [Buffer.from('x')], staysOpen: true });
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/^f: EXISTS: /) });
  });

  test('nor Ctrl-C: one line and exit 1', async () => {
    const begun = Promise.withResolvers<void>();
    await using asked = await startScripted((line) => {
      if (line === '15') begun.resolve();
      return line.startsWith('PUT') ? `SEND 0 id=${'0'.repeat(32)}\r\n` : undefined;
    });
    const args = ['put', `127.0.0.1:${asked.port}`, '-', 'f'];
    const child = spawn(nodePath, [`${repository}services/file-server/src/main.ts`, ...args], { stdio: 'pipe' });
    let stderr = '';
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    child.stdin.write('the first bytes');
    await begun.promise;
    child.kill('SIGINT');
    const [code] = await once(child, 'close');
    expect([code, stderr]).toEqual([1, 'file-server: f: interrupted\n']);
  });
});

test.each([
  ['is open for writing alone', '> "$1/f"', 'f: standard input: EBADF: '],
  ['is a folder', '< "$1"', 'standard input: it is a folder\n'],
])('standard input that %s is told as what it is', async (_what, redirection, words) => {
  const program = [nodePath, `${repository}services/file-server/src/main.ts`];
  const args = ['sh', here, ...program, 'put', `127.0.0.1:${server.port}`, '-', 'f'];
  const { code, stderr } = await runWith('', 'sh', '-c', `exec 0${redirection}; shift; exec "$@"`, ...args);
  expect([code, stderr.slice(0, 13 + words.length)]).toEqual([1, `file-server: ${words}`]);
  expect(stderr.trimEnd()).not.toContain('\n');
});

describe('as users run it', () => {
  const run = (...args: readonly string[]) => runProgram('file-server', args);
  const address = (): string => `127.0.0.1:${server.port}`;

  test('ls, stat, sum, mkdir, mv and rm do what they say', async () => {
    await writeFile(join(served, 'f'), 'hello');
    await utimes(join(served, 'f'), 1_700_000_000, 1_700_000_000);
    expect(await run('ls', address())).toEqual({
      code: 0,
      stdout: '-             5  2023-11-14T22:13:20Z  f\n',
      stderr: '',
    });
    expect((await run('sum', address(), 'f')).stdout).toBe(`${sha256(Buffer.from('hello'))}  f\n`);
    expect((await run('sum', address(), 'f', '--alg', 'crc32', '--json')).stdout).toBe(
      '{"path":"f","crc32":"3610a686"}\n',
    );
    const stats = JSON.parse((await run('stat', address(), 'f', '--json')).stdout);
    expect(stats).toMatchObject({ path: 'f', type: 'file', sizeBytes: 5, modified: '2023-11-14T22:13:20.000Z' });
    expect(await run('mkdir', address(), 'x/y', '-p')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await run('mv', address(), 'f', 'x/y/g')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(
      (await run('ls', address(), '-r', '--json')).stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).path),
    ).toEqual(['x', 'x/y', 'x/y/g']);
    expect(await run('rm', address(), 'x')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('x: ISDIR: it is a folder; give -r'),
    });
    expect(await run('rm', address(), '-r', 'x', '--json')).toEqual({
      code: 0,
      stdout: '{"path":"x","removed":3}\n',
      stderr: '',
    });
    expect((await run('ls', address())).stdout).toBe('');
  });

  test('a name that a shell can not hold is reached by --encoded, and shown without harm', async () => {
    await writeFile(Buffer.concat([Buffer.from(`${served}/`), Buffer.from([0x1b, 0x5b, 0xff])]), 'x');
    expect((await run('ls', address())).stdout).toMatch(/ {2}\\x1b\[\\xff\n$/);
    const { stdout } = await run('ls', address(), '--json');
    const { path } = JSON.parse(stdout);
    expect(await run('get', address(), path, '-', '--encoded')).toEqual({ code: 0, stdout: 'x', stderr: '' });
    expect(await run('rm', address(), path, '--encoded')).toMatchObject({ code: 0 });
  });

  test('what lies so deep that its path fills many lines is listed all the same', async () => {
    const folders = Array.from({ length: 12 }, () => '\u00e9'.repeat(127));
    await mkdir(join(served, ...folders), { recursive: true });
    const { code, stdout, stderr } = await run('ls', address(), '-r', '--json');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.trimEnd().split('\n')).toHaveLength(folders.length);
  });

  test('wrong port, wrong path, a folder without -r: exit 1 and one line', async () => {
    await mkdir(join(served, 'd'));
    const local = join(here, 'x');
    const file = join(here, 'file');
    await writeFile(file, 'x');
    const recursive = { recursive: 'true' };
    for (const [ran, said] of [
      [await get({ port: 1, path: 'f' }), 'connection refused'],
      [await get({ port: server.port, path: 'nope' }), 'nope: NOTFOUND'],
      [await get({ port: server.port, path: 'nope', local, flags: recursive }), 'nope: NOTFOUND'],
      [await get({ port: server.port, path: 'd' }), 'd: ISDIR: it is a folder; give -r'],
      [await put({ port: server.port, path: 'f', local: '/nonexistent' }), 'there is no such file'],
      [await put({ port: server.port, path: 'f', local: here }), 'it is a folder; give -r'],
      [
        await put({ port: server.port, path: 'd', local: file }),
        'd: EXISTS: there is a folder of this name; end it with /',
      ],
      [await put({ port: server.port, path: 'f', local, flags: recursive }), 'it is no folder'],
    ] as const) {
      expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining(said)]);
      expect(ran.stderr.trimEnd().split('\n'), said).toHaveLength(1);
    }
    expect(await run('stat', address(), 'nope')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'file-server: nope: NOTFOUND: there is no such file or directory\n',
    });
  });

  test.each([
    [['get', 'nowhere', 'f'], 'HOST:PORT'],
    [['get', '127.0.0.1:1', '../x'], 'PATH: "../x" is not allowed'],
    [['get', '127.0.0.1:1', '%zz', '--encoded'], 'PATH: "%zz" is not allowed'],
    [['get', '127.0.0.1:1', '/', '-r'], 'LOCAL: is missing'],
    [['put', '127.0.0.1:1', '-'], 'PATH: is missing'],
    [['put', '127.0.0.1:1', '-', 'f', '--token-file', '/nonexistent'], 'ENOENT'],
  ])('bad usage %j: exit 78', async (args, said) => {
    const { code, stdout, stderr } = await run(...args);
    expect([code, stdout, stderr]).toEqual([78, '', expect.stringContaining(said)]);
  });

  test('a read-only server says so; one with a token wants it, from a file or a variable', async () => {
    const root = join(here, 'root');
    await mkdir(root);
    await writeFile(join(here, 'tokens'), `sha256:${sha256(Buffer.from('open-sesame'))}\n`);
    await writeFile(join(here, 'token'), 'open-sesame\n');
    chmodSync(join(here, 'tokens'), 0o600);
    await writeFile(join(here, 'f'), 'hello');
    await using readOnly = await startDaemon('file-server', ['--root', root]);
    expect(await run('put', `127.0.0.1:${readOnly.port}`, join(here, 'f'))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('READONLY'),
    });
    const args = ['--root', root, '--writable', '--token-file', join(here, 'tokens')];
    await using guarded = await startDaemon('file-server', args);
    const target = `127.0.0.1:${guarded.port}`;
    expect(await run('put', target, join(here, 'f'))).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^file-server: f: AUTH: .*--token-file FILE.*\n$/),
    });
    expect(await run('put', target, join(here, 'f'), '--token-file', join(here, 'token'))).toMatchObject({ code: 0 });
    const env = { SMALL_SERVERS_FILE_TOKEN: 'open-sesame' };
    expect(await runProgram('file-server', ['rm', target, 'f'], env)).toMatchObject({ code: 0 });
    const wrong = { SMALL_SERVERS_FILE_TOKEN: 'guess' };
    expect(await runProgram('file-server', ['rm', target, 'f'], wrong)).toMatchObject({ code: 1 });
  });

  test('probe says what a server allows, with a token and without; a wrong one is exit 1', async () => {
    expect(await run('probe', address())).toEqual({
      code: 0,
      stdout: expect.stringMatching(
        /^\S+ is a file server, protocol 1\n {2}allows {6}reading and changes\n {2}tokens {6}nothing needs a token\n {2}round trip {2}[\d.]+ ms\n$/,
      ),
      stderr: '',
    });
    const root = join(here, 'locked');
    await mkdir(root);
    await writeFile(join(here, 'tokens'), `sha256:${sha256(Buffer.from('open-sesame'))}\n`, { mode: 0o600 });
    await writeFile(join(here, 'token'), 'open-sesame\n');
    await writeFile(join(here, 'wrong'), 'guess\n');
    const args = ['--root', root, '--token-file', join(here, 'tokens'), '--auth', 'all'];
    await using locked = await startDaemon('file-server', args);
    const target = `127.0.0.1:${locked.port}`;
    const without = await run('probe', target, '--json');
    expect([without.code, JSON.parse(without.stdout)]).toEqual([
      0,
      {
        protocol: 1,
        writable: false,
        auth: 'all',
        authenticated: false,
        roundTripMs: expect.any(Number),
        note: expect.stringContaining(`file-server probe ${target} --token-file FILE`),
      },
    ]);
    const token = ['--token-file', join(here, 'token')];
    expect((await run('probe', target, ...token)).stdout).toContain(
      '  tokens      everything needs a token, and the one that was shown is right\n',
    );
    const json = JSON.parse((await run('probe', target, ...token, '--json')).stdout);
    expect(json).not.toHaveProperty('note');
    expect(json).toMatchObject({ authenticated: true });
    expect(await run('probe', target, '--token-file', join(here, 'wrong'))).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^file-server: AUTH: the token that was shown is none of this server's\n$/),
    });
  });

  describe('ls into a pipe', () => {
    const program = `${nodePath} ${repository}services/file-server/src/bin.js`;
    const inShell = (command: string) => runWith('', 'bash', '-c', `set -o pipefail; ${command}`);
    beforeEach(async () => {
      await mkdir(join(served, 'many'));
      for (let index = 0; index < 1_500; index += 1) {
        await writeFile(join(served, 'many', `${index}-${'x'.repeat(200)}`), '');
      }
    });

    test('loses nothing that its reader is slow to take', async () => {
      // The pipe holds 64 KiB of 350, and the reader takes its time to start when the first line is there.
      const count = `${nodePath} -p 'fs.readFileSync(0, "utf8").split("\\n").length - 1'`;
      const { code, stdout } = await inShell(`${program} ls ${address()} many | (read -r line; ${count})`);
      expect([code, Number(stdout)]).toEqual([0, 1_499]);
    });

    test('ends quietly when its reader has seen enough', async () => {
      const { code, stdout, stderr } = await inShell(`${program} ls ${address()} many | head -n 1`);
      expect([code, stdout.length > 200, stderr]).toEqual([0, true, '']);
    });

    test('says in a line that its output can not be written', async () => {
      const { code, stderr } = await inShell(`${program} ls ${address()} many > /dev/full`);
      expect([code, stderr]).toEqual([1, 'file-server: standard output: ENOSPC: no space left on device, write\n']);
    });
  });

  test('Ctrl-C in the middle leaves a part, says so in a line, and the same command goes on', async () => {
    await writeFile(join(served, 'f'), large);
    // Never cut, but slow: it stops in the middle until the client is gone.
    await using relay = await startRelay(server.port, [
      {},
      { down: 1_000_000 },
      { down: 10 },
      { down: 10 },
      { down: 10 },
    ]);
    const args = ['get', `127.0.0.1:${relay.port}`, 'f', '--retries', '1000'];
    const child = spawn(nodePath, [`${repository}services/file-server/src/bin.js`, ...args], {
      cwd: here,
      stdio: 'pipe',
    });
    let stderr = '';
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    await until(() => relay.cuts >= 2, 'the transfer is in the middle');
    child.kill('SIGINT');
    const [code] = await once(child, 'close');
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(
        /^file-server: f: interrupted; [\d.]+ [KM]iB of 2\.9 MiB are kept as f\.\w+\.small-servers-part, and the same command goes on behind them\n$/,
      ),
    ]);
    const next = await get({ port: server.port, path: 'f', local: join(here, 'f'), json: true });
    expect(JSON.parse(next.stdout).resumedBytes).toBeGreaterThan(500_000);
    expect(sha256(await readFile(join(here, 'f')))).toBe(sha256(large));
  });
});
