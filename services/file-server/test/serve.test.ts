/** The daemon as users start it: what it refuses to start with, what a stop does, what its log and metrics say. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { runProgram, startDaemon } from '../../../test/support/daemon.ts';
import { seededBytes } from '../../../test/support/splits.ts';
import { Peer } from './support/peer.ts';
import { TestServer } from './support/server.ts';

const MiB = 1024 * 1024;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'serve-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A folder to serve, and the way to the files beside it. */
async function library(name: string): Promise<string> {
  const root = join(folder, name);
  await mkdir(root);
  await writeFile(join(root, 'hello.txt'), 'hello\n');
  return root;
}

async function tokenFile(name: string, ...tokens: readonly string[]): Promise<string> {
  const path = join(folder, name);
  const lines = tokens.map((token) => `sha256:${createHash('sha256').update(token).digest('hex')} ${token}-holder\n`);
  await writeFile(path, lines.join(''), { mode: 0o600 });
  return path;
}

describe('what it does not start with', () => {
  test.each([
    ['not there', 'nothing', 'there is no such directory'],
    ['a file', 'a-file', 'is no directory'],
  ])('a root that is %s', async (_what, name, words) => {
    await writeFile(join(folder, 'a-file'), '');
    const { code, stderr } = await runProgram('file-server', ['--root', join(folder, name), '--port', '0']);
    expect([code, stderr]).toEqual([78, `file-server: root ${join(folder, name)}: ${words}\n`]);
  });

  test.each(['0.0.0.0', '::', '192.0.2.1', 'somewhere.example'])(
    'writable on %s for everybody, and --check-config says so too',
    async (host) => {
      const args = ['--writable', '--host', host];
      for (const extra of [[], ['--check-config']]) {
        const { code, stderr } = await runProgram('file-server', [...args, ...extra]);
        expect([code, stderr]).toEqual([
          78,
          `file-server: writable: anybody who reaches ${host} could fill and empty the folder (flag --writable); ` +
            'expected --token-file as well, or --host 127.0.0.1, or no --writable\n',
        ]);
      }
    },
  );

  test.each(['127.0.0.1', '127.9.9.9', '::1', 'localhost'])('but writable on %s is well', async (host) => {
    const { code, stdout } = await runProgram('file-server', ['--writable', '--host', host, '--check-config']);
    expect([code, stdout]).toEqual([0, 'configuration OK\n']);
  });

  test('a file of tokens that others may read, that is not there, or that holds none', async () => {
    const path = await tokenFile('open-tokens', 'secret');
    await chmod(path, 0o644);
    const empty = await tokenFile('no-tokens');
    for (const [file, words] of [
      [path, 'others may read or write it (mode 0644): chmod 600 it'],
      [empty, 'it holds no token'],
      [join(folder, 'nothing'), 'ENOENT'],
    ] as const) {
      const { code, stderr } = await runProgram('file-server', ['--token-file', file, '--check-config']);
      expect(code).toBe(78);
      expect(stderr).toContain(words);
      expect(stderr).toContain('(flag --token-file)');
    }
  });
});

describe('a stop', () => {
  test('an idle peer is told, a download ends whole, newcomers are refused; exit 0', async () => {
    const root = await library('drained');
    const content = seededBytes(32 * MiB, 17);
    await writeFile(join(root, 'large'), content);
    await using daemon = await startDaemon('file-server', ['--root', root, '--drain-timeout', '25s']);
    await using idle = await Peer.connect(daemon.port);
    await idle.ask('PING');
    await using reader = await Peer.connect(daemon.port);
    reader.socket.write('GET large\r\nPING\r\n');
    await reader.firstBytes();
    daemon.process.kill('SIGTERM');
    await daemon.record('draining');
    expect((await idle.take(1))[0]?.line).toBe('ERR SHUTDOWN retry=later: the server stops');
    reader.socket.resume();
    const replies = await reader.take(3);
    expect(replies[0]?.content?.equals(content)).toBe(true);
    expect(replies[2]?.line).toBe('ERR SHUTDOWN retry=later: the server stops');
    expect(await daemon.exited()).toEqual({ code: 0, signal: null });
  });

  test('what the deadline cuts is reset, and an upload goes on with the next process', async () => {
    const root = await library('cut');
    const content = seededBytes(5 * MiB, 19);
    const args = ['--root', root, '--writable', '--drain-timeout', '200ms'];
    const first = await startDaemon('file-server', args);
    await using cut = await Peer.connect(first.port);
    cut.socket.write(`PUT up ${content.length}\n`);
    const [send] = await cut.take(1);
    cut.socket.write(content.subarray(0, 3 * MiB));
    first.process.kill('SIGTERM');
    await cut.gone();
    expect(cut.error?.code).toBe('ECONNRESET');
    expect(await first.exited()).toEqual({ code: 0, signal: null });
    expect(first.records.find(({ event }) => event === 'transfer')).toMatchObject({
      verb: 'PUT',
      outcome: 'suspended',
    });

    await using second = await startDaemon('file-server', args);
    await using again = await Peer.connect(second.port);
    const { line } = await again.ask(`RESUME ${/id=(\S+)/.exec(send?.line ?? '')?.[1]}`);
    const offset = Number(/^SEND (\d+) /.exec(line)?.[1]);
    expect(offset).toBeGreaterThan(0);
    again.socket.write(content.subarray(offset));
    const [stored] = await again.take(1);
    expect(stored?.line).toContain(`sha256=${createHash('sha256').update(content).digest('hex')}`);
    expect((await readFile(join(root, 'up'))).equals(content)).toBe(true);
  });
});

describe('a transfer', () => {
  test('of a file that shrinks is cut by a reset, and never padded', async () => {
    const root = await library('shrinks');
    for (const command of ['GET', 'CAT']) {
      await writeFile(join(root, 'large'), '');
      // Sparse, and more than all buffers on the way hold.
      await truncate(join(root, 'large'), 1024 * MiB);
      await using daemon = await startDaemon('file-server', ['--root', root]);
      await using peer = await Peer.connect(daemon.port);
      peer.socket.write(`${command} large\r\n`);
      await peer.firstBytes();
      await truncate(join(root, 'large'), 1024);
      peer.socket.resume();
      await peer.gone();
      expect(peer.error?.code).toBe('ECONNRESET');
      expect(await daemon.record('transfer')).toMatchObject({ verb: command, outcome: 'cut', code: 'CHANGED' });
      expect(await daemon.record('connection-closed')).toMatchObject({ reason: 'cut-short' });
    }
  });

  test('by a peer that reads nothing ends after --stall-timeout', async () => {
    const root = await library('stalls');
    await writeFile(join(root, 'large'), seededBytes(32 * MiB, 29));
    await using daemon = await startDaemon('file-server', ['--root', root, '--stall-timeout', '300ms']);
    await using peer = await Peer.connect(daemon.port);
    peer.socket.pause();
    peer.socket.write('GET large\r\n');
    expect(await daemon.record('connection-closed')).toMatchObject({ reason: 'stalled' });
    expect(await daemon.record('transfer')).toMatchObject({ outcome: 'cut' });
    peer.socket.resume();
    await peer.gone();
  });

  test('is one record: fields in order, and a name from a peer that forges nothing', async () => {
    const root = await library('record');
    await using daemon = await startDaemon('file-server', ['--root', root]);
    await using peer = await Peer.connect(daemon.port);
    await peer.ask('GET %0A%7B%22level%22%3A%22fatal%22%7D%1B%5B2J');
    peer.socket.write('GET hello.txt off=2\r\n');
    await peer.take(2);
    const refused = await daemon.record('transfer');
    expect(refused).toMatchObject({
      path: '%0A%7B%22level%22%3A%22fatal%22%7D%1B%5B2J',
      outcome: 'refused',
      code: 'NOTFOUND',
    });
    const record = await daemon.record('transfer', 2);
    const head = ['level', 'time', 'service', 'pid', 'event', 'conn', 'peer'];
    const own = ['verb', 'path', 'bytes', 'offset', 'durationMs', 'rate', 'outcome'];
    expect(Object.keys(record)).toEqual([...head, ...own, 'msg']);
    expect(record).toMatchObject({ verb: 'GET', path: 'hello.txt', bytes: 4, offset: 2, outcome: 'complete' });
  });
});

describe('what is in memory is read without waiting, and others are served all the same:', () => {
  /** On a file system in memory where there is one; sparse, and longer than anybody could read. */
  async function endless(name: string): Promise<string> {
    const root = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), name));
    await writeFile(join(root, 'endless'), '');
    await truncate(join(root, 'endless'), 2 ** 40);
    return root;
  }

  test('readers that are gone in the middle, one that takes all it gets, and one that sends a thousand commands', async () => {
    const root = await endless('endless-');
    try {
      await using daemon = await startDaemon('file-server', ['--root', root]);
      // Reset while they take what comes, so that it is a write of the server that fails.
      for (let round = 0; round < 20; round += 1) {
        const reader = connect(daemon.port, '127.0.0.1');
        reader.on('error', () => {});
        reader.write('CAT endless\n');
        let bytes = 0;
        for await (const chunk of reader) {
          bytes += (chunk as Buffer).length;
          if (bytes > 4 * MiB) break;
        }
        reader.resetAndDestroy();
      }

      const greedy = connect(daemon.port, '127.0.0.1');
      greedy.on('data', () => {});
      greedy.on('error', () => {});
      greedy.write('CAT endless\n');
      await once(greedy, 'data');
      await using many = await Peer.connect(daemon.port);
      many.socket.write('STAT endless\n'.repeat(1_000));
      await using other = await Peer.connect(daemon.port);
      expect((await other.ask('PING')).line).toBe('OK');
      expect(await many.take(1_000)).toHaveLength(1_000);
      await daemon.record('connection-closed', 20);
      greedy.destroy();
    } finally {
      await rm(root, { recursive: true });
    }
  });
});

describe('tokens', () => {
  test('open what they should, and a new file of them holds from SIGHUP on', async () => {
    const root = await library('with-tokens');
    const path = await tokenFile('tokens', 'first');
    await using daemon = await startDaemon('file-server', ['--root', root, '--writable', '--token-file', path]);
    await using peer = await Peer.connect(daemon.port);
    expect((await peer.ask('STAT hello.txt')).line).toMatch(/^OK /);
    expect((await peer.ask('MKDIR d')).line).toMatch(/^ERR AUTH retry=auth/);
    expect((await peer.ask('AUTH first')).line).toBe('OK');
    expect((await peer.ask('MKDIR d')).line).toMatch(/^OK /);

    await tokenFile('tokens', 'second');
    daemon.process.kill('SIGHUP');
    await daemon.record('config-reloaded');
    await using next = await Peer.connect(daemon.port);
    expect((await next.ask('AUTH first')).line).toMatch(/^ERR AUTH /);
    expect((await next.ask('AUTH second')).line).toBe('OK');

    await writeFile(path, 'not a token\n');
    daemon.process.kill('SIGHUP');
    const { problems } = await daemon.record('config-rejected');
    expect(String(problems)).toContain('line 1 is not "sha256:"');
    expect(JSON.stringify(daemon.records)).not.toMatch(/"[^"]*\b(?:first|second)\b(?!-holder)[^"]*"/);
    await using last = await Peer.connect(daemon.port);
    expect((await last.ask('AUTH second')).line).toBe('OK');
  });
});

describe('a reload never opens a server to writers without a token', () => {
  test.each([
    ['that it is not writable', { writable: false }],
    ['that it listens on the loopback', { host: '127.0.0.1' }],
  ])('when the file has no tokens any more and says %s, which waits for a restart', async (_what, changes) => {
    const root = await mkdtemp(join(folder, 'reload-'));
    const section = { root, writable: true, host: '0.0.0.0' };
    const config = join(root, '..', 'reload.json');
    const write = (settings: object): Promise<void> =>
      writeFile(config, JSON.stringify({ 'file-server': settings }, undefined, 1));
    await write({ ...section, 'token-file': await tokenFile('reload-tokens', 'first') });
    await using daemon = await startDaemon('file-server', ['--config', config]);

    await write({ ...section, ...changes });
    daemon.process.kill('SIGHUP');
    const { problems, needsRestart, msg } = await daemon.record('config-rejected');
    expect(String(problems)).toMatch(/^writable: anybody who reaches 0\.0\.0\.0 could fill and empty the folder \(/);
    const [[name]] = Object.entries(changes) as [[string, unknown]];
    expect(needsRestart).toMatchObject([{ name }]);
    expect(msg).toContain(`it would be so until a restart, which these need: ${name} `);
    await using peer = await Peer.connect(daemon.port);
    expect((await peer.ask('MKDIR d')).line).toMatch(/^ERR AUTH retry=auth/);
    expect((await peer.ask('AUTH first')).line).toBe('OK');
    expect((await peer.ask('MKDIR d')).line).toMatch(/^OK /);
  });
});

describe('a reload that fails between its check and its end leaves everything as it was', () => {
  const files = { tokens: '' };
  beforeAll(async () => {
    files.tokens = await tokenFile('tokens-of-a-moment', 'first');
  });

  test('when the token file is just being written, and holds nothing yet', async () => {
    await using server = await TestServer.start({ tokenFile: files.tokens });
    await truncate(files.tokens);
    const next = { ...server.config, firstCommandTimeoutMs: 1, tokenFile: files.tokens };
    expect(() => server.service.reconfigure?.(next)).toThrow(/^token-file: can't be used: it holds no token \(/);
    await using peer = await Peer.connect(server.port);
    expect((await peer.ask('MKDIR d')).line).toMatch(/^ERR AUTH /);
    expect((await peer.ask('AUTH first')).line).toBe('OK');
    expect((await peer.ask('MKDIR d')).line).toMatch(/^OK /);
  });

  test('when the socket came from the supervisor, and is open to more than --host says', async () => {
    const tokens = await tokenFile('tokens-of-a-socket', 'first');
    // What the address of an inherited socket is, no setting says.
    await using server = await TestServer.start({ host: '0.0.0.0', tokenFile: tokens });
    const next = { ...server.config, host: '127.0.0.1', tokenFile: '' };
    expect(() => server.service.reconfigure?.(next)).toThrow(/^writable: anybody who reaches 0\.0\.0\.0 could /);
    await using peer = await Peer.connect(server.port);
    expect((await peer.ask('MKDIR d')).line).toMatch(/^ERR AUTH /);
  });
});

test('uploads that were cut are deleted after --keep-uploads, which a reload can change', async () => {
  const root = await library('kept');
  const config = join(folder, 'kept.json');
  await writeFile(config, '{ "file-server": { "keep-uploads": "off" } }');
  await using daemon = await startDaemon('file-server', ['--root', root, '--writable', '--config', config]);
  await using cut = await Peer.connect(daemon.port);
  cut.socket.write('PUT up 2000000\nthe first bytes');
  const [sent] = await cut.take(1);
  cut.socket.resetAndDestroy();
  await daemon.record('transfer', 1, ({ outcome }) => outcome === 'suspended');
  const kept = (): Promise<readonly string[]> => readdir(join(root, '.small-servers'));
  expect(await kept()).toHaveLength(2);

  await writeFile(config, '{ "file-server": { "keep-uploads": "1s" } }');
  daemon.process.kill('SIGHUP');
  expect(await daemon.record('config-reloaded')).toMatchObject({
    changed: [{ name: 'keep-uploads', from: 'off', to: '1s' }],
    needsRestart: [],
  });
  await vi.waitFor(async () => expect(await kept()).toEqual([]), 20_000);
  await using again = await Peer.connect(daemon.port);
  expect((await again.ask(`RESUME ${/id=(\S+)/.exec(sent?.line ?? '')?.[1]}`)).line).toMatch(/^ERR NOTFOUND /);
});

test('a root that may only be read serves, and takes no changes', async () => {
  const root = await library('read-only');
  await using daemon = await startDaemon('file-server', ['--root', root]);
  await using peer = await Peer.connect(daemon.port);
  expect((await peer.ask('DEL hello.txt')).line).toBe('ERR READONLY retry=no: this server is read-only');
  expect((await peer.ask('STAT .small-servers')).line).toMatch(/^ERR NOTFOUND /);
});
