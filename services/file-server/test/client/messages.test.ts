/** What the client says when something is wrong: the cause, and what the person at the keyboard can do. */
import { hash } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Daemon, runProgram, startDaemon } from '../../../../test/support/daemon.ts';
import { localFailure } from '../../src/client/failures.ts';
import { get } from './harness.ts';
import { entryFields, item, startScripted } from './scripted-server.ts';

const client = (...args: string[]) => runProgram('file-server', args);

let home: string;
let served: string;
let server: Daemon & { readonly port: number };
let target: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'small-servers-'));
  served = join(home, 'served');
  await mkdir(served);
  server = await startDaemon('file-server', ['--root', served, '--writable']);
  target = `127.0.0.1:${server.port}`;
});
afterAll(async () => {
  await server.stop();
  await rm(home, { recursive: true });
});

describe('a port of something else', () => {
  test('that says nothing is given up after one --timeout, by every command', async () => {
    await using silent = await startScripted(() => undefined);
    const at = `127.0.0.1:${silent.port}`;
    const commands = [
      ['probe', at],
      ['ls', at],
      ['get', at, 'f', '-'],
      ['put', at, home, 'd', '-r'],
      ['stat', at, 'f'],
    ];
    for (const [index, command] of commands.entries()) {
      const { code, stderr } = await client(...command, '--timeout', '200ms');
      expect([code, stderr], command[0]).toEqual([
        1,
        expect.stringMatching(/: it took the connection and said nothing for 0\.2 s; is the port right\?\n$/),
      ]);
      expect(silent.connections, command[0]).toBe(index + 1);
    }
  });

  test('that closes each connection is tried once more, and then told', async () => {
    await using closing = await startScripted((_line, socket) => void socket.end());
    const { code, stderr } = await client('ls', `127.0.0.1:${closing.port}`);
    expect([code, stderr]).toEqual([1, expect.stringContaining('the far end closed the connection')]);
    expect(closing.connections).toBe(2);
  });

  test.each<[string, (line: string) => string | undefined, string]>([
    ['echoes', (line) => `${line}\r\n`, ''],
    ['sends times', () => undefined, '2026-01-02T03:04:05.678Z\n'],
    ['serves pages', () => 'HTTP/1.1 400 Bad Request\r\n\r\n', ''],
  ])('that %s is called that', async (_what, script, greeting) => {
    await using other = await startScripted(script, greeting);
    const { code, stderr } = await client('probe', `127.0.0.1:${other.port}`);
    const what = 'no file server answers there (its first line is no reply of the protocol); is the port right?';
    expect([code, stderr]).toEqual([1, `file-server: 127.0.0.1:${other.port}: ${what}\n`]);
  });

  test('is not suspected of a server that falls silent in the middle of its first answer', async () => {
    await using server = await startScripted((line) => (line.includes('after=') ? undefined : item('a', 1)));
    const { stderr } = await client('ls', `127.0.0.1:${server.port}`, '--timeout', '200ms', '--retries', '1');
    expect(stderr).toMatch(/: nothing moved for 0\.2 s\n$/);
    expect(server.connections).toBe(2);
  });

  test('is not suspected of a server that has answered before', async () => {
    await using server = await startScripted((line) =>
      line === 'CAPS' ? 'OK protocol=1 writable=no auth=none authenticated=yes\r\n' : 'pardon?\r\n',
    );
    const { stderr } = await client('probe', `127.0.0.1:${server.port}`);
    expect(stderr).toContain('the server broke the protocol: a line that is no reply');
  });
});

describe('rm', () => {
  test('refuses the root before anything is deleted, also when it stands behind other paths', async () => {
    await writeFile(join(served, 'stays'), 'here');
    for (const paths of [['/'], ['stays', '/']]) {
      const { code, stderr } = await client('rm', target, ...paths, '-r');
      expect([code, stderr]).toEqual([
        78,
        'file-server: PATH: the root can not be removed (command line); name what is in it\n',
      ]);
    }
    expect(await readdir(served)).toContain('stays');
  });
});

describe('a token', () => {
  const tokenFile = (): string => join(home, 'my-token');

  /** A server that knows the token `right`. */
  async function guarded(auth: string): Promise<Daemon & { readonly port: number }> {
    const digests = join(home, 'digests');
    await writeFile(digests, `sha256:${hash('sha256', 'right')} ann\n`, { mode: 0o600 });
    return startDaemon('file-server', ['--root', served, '--writable', '--token-file', digests, '--auth', auth]);
  }

  test('that the server does not know is what every command tells, and not that one should be given', async () => {
    const daemon = await guarded('writes');
    const at = `127.0.0.1:${daemon.port}`;
    await writeFile(tokenFile(), 'wrong\n');
    const file = join(home, 'file');
    await writeFile(file, 'content');
    const commands = [
      ['put', at, file],
      ['put', at, home, '-r'],
      ['get', at, 'stays', '-'],
      ['rm', at, 'stays'],
      ['mkdir', at, 'new'],
      ['mv', at, 'a', 'b'],
      ['ls', at],
      ['sum', at, 'stays'],
      ['stat', at, 'stays'],
      ['probe', at],
    ];
    try {
      for (const [name = '', ...rest] of commands) {
        const { code, stdout, stderr } = await client(name, ...rest, '--token-file', tokenFile());
        expect([code, stderr], name).toEqual([
          1,
          expect.stringMatching(
            /^file-server: (?:\S+: |a to b: )?AUTH: the token that was shown is none of this server's\n$/,
          ),
        ]);
        if (name !== 'put') expect(stdout, name).toBe('');
      }
      const none = await client('mkdir', at, 'new');
      expect(none.stderr).toContain('give the token with --token-file');
    } finally {
      await daemon.stop();
    }
  });

  test("is not looked for in a server's list of digests", async () => {
    const file = join(home, 'digests-of-a-server');
    await writeFile(file, `sha256:${hash('sha256', 'right')} ann\n`);
    const { code, stderr } = await client('ls', target, '--token-file', file);
    expect([code, stderr]).toEqual([78, expect.stringContaining("it is of a server's list of digests")]);
  });
});

describe('put', () => {
  let source: string;
  beforeAll(async () => {
    source = join(home, 'source');
    await mkdir(source);
  });

  test('onto another content says so once, for small files and large ones', async () => {
    for (const sizeBytes of [10, 400_000]) {
      await writeFile(join(served, 'taken'), Buffer.alloc(sizeBytes, 'a'));
      await writeFile(join(source, 'mine'), Buffer.alloc(sizeBytes, 'b'));
      const { code, stderr } = await client('put', target, join(source, 'mine'), 'taken');
      const what = 'another content has this name there; --existing replace puts this one in its place';
      expect([code, stderr]).toEqual([1, `file-server: taken: EXISTS: ${what}\n`]);
    }
  });

  test('names the file here when that is what is wrong', async () => {
    const { code, stderr } = await client('put', target, '/dev/null', 'null');
    expect([code, stderr]).toEqual([1, 'file-server: /dev/null: it is no regular file\n']);
  });

  test('says which folder is missing, and how it is made', async () => {
    await writeFile(join(source, 'mine'), 'mine');
    const { code, stderr } = await client('put', target, join(source, 'mine'), 'no/such/mine');
    const hint = `the folder no/such is not there: file-server mkdir -p makes it`;
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(new RegExp(`^file-server: no/such/mine: NOTFOUND: .*; ${hint}\\n$`)),
    ]);
    const made = await client('mkdir', target, 'no/such');
    expect(made.stderr).toBe('file-server: no/such: NOTFOUND: the folder no is not there; give -p to make it too\n');
  });

  test('of a folder counts one file as one, and names the links that it leaves out', async () => {
    const folder = join(home, 'with-links');
    await mkdir(folder);
    await writeFile(join(folder, 'file'), 'content');
    for (const name of ['l1', 'l2', 'l3', 'l4']) await symlink('file', join(folder, name));
    const { code, stdout } = await client('put', target, folder, 'links', '-r');
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(
        /^1 file, .*; 4 links and special files left out: links\/l1, links\/l2, links\/l3 and 1 more, which --json names\n$/,
      ),
    ]);
  });
});

describe('get', () => {
  test('onto a folder of the same name says how the file goes into it', async () => {
    await writeFile(join(served, 'data'), 'content');
    const place = join(home, 'place');
    await mkdir(join(place, 'data'), { recursive: true });
    const { code, stderr } = await client('get', target, 'data', place);
    const hint = `there is a folder of this name; to put the file into it, give ${place}/data/ as LOCAL`;
    expect([code, stderr]).toEqual([1, `file-server: data: ${hint}\n`]);
    expect((await client('get', target, 'data', `${place}/data/`)).code).toBe(0);
  });

  test('tells of a folder here by its path, not by the descriptor that holds it', async () => {
    const name = 'n';
    const held = openSync(home, 'r');
    try {
      const cause = new Error(`ENOSPC: no space left on device, open '/proc/self/fd/${held}/${name}'`);
      const { message } = localFailure('f', cause);
      expect(message).toBe(`f: ENOSPC: no space left on device, open '${await realpath(home)}/${name}'`);
    } finally {
      closeSync(held);
    }
  });

  test('of a folder that is interrupted says that the same command goes on', async () => {
    const interruption = new AbortController();
    await using slow = await startScripted((line) => {
      if (line.startsWith('STAT')) return `OK ${entryFields(0, 'directory')}\r\n`;
      interruption.abort();
      return undefined;
    });
    const { code, stderr } = await get({
      port: slow.port,
      path: 'tree',
      local: join(home, 'tree'),
      flags: { recursive: 'true' },
      signal: interruption.signal,
    });
    expect([code, stderr]).toEqual([1, 'tree: interrupted; the same command goes on where this one stopped\n']);
  });
});

describe('mv', () => {
  test('into a folder names the whole new path', async () => {
    await mkdir(join(served, 'folder'));
    await writeFile(join(served, 'moved'), 'content');
    const whole = 'TO is the whole new path: folder/moved';
    const slash = await client('mv', target, 'moved', 'folder/');
    expect([slash.code, slash.stderr]).toEqual([
      78,
      `file-server: TO: "folder/" is a folder to put it into (command line); ${whole}\n`,
    ]);
    const bare = await client('mv', target, 'moved', 'folder');
    expect([bare.code, bare.stderr]).toEqual([1, expect.stringContaining(`EXISTS: there is something of that name; `)]);
    expect(bare.stderr).toContain(`; a file is replaced with --replace; into a folder, ${whole}\n`);
    expect(await readdir(served)).toContain('moved');
  });
});
