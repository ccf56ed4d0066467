import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { link, lstat, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as httpServer, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../../test/support/tcp.ts';
import { openAdmin } from '../../src/daemon/admin.ts';
import type { Readiness } from '../../src/daemon/admin-client.ts';
import { type AdminSubject, adminPages } from '../../src/daemon/admin-pages.ts';
import { processSocketPath } from '../../src/daemon/admin-socket.ts';
import { createLog } from '../../src/daemon/log.ts';
import { LogLevelControl } from '../../src/daemon/log-level.ts';
import { counter } from '../../src/daemon/metrics.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ss-admin-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Reply {
  readonly status: number | undefined;
  readonly allow: string | undefined;
  readonly body: unknown;
}

async function ask(path: string, page: string, method = 'GET', sent = ''): Promise<Reply> {
  const asking = request({ socketPath: path, path: page, method }).end(sent);
  const [response] = await once(asking, 'response');
  let text = '';
  for await (const part of response) text += part;
  return { status: response.statusCode, allow: response.headers.allow, body: JSON.parse(text) };
}

/** Says the same on every page. */
const otherDaemon = (body: object) =>
  httpServer((_, response) => response.setHeader('connection', 'close').end(JSON.stringify(body)));

async function start(path = join(folder, 'run', 'a.sock'), supervised = false) {
  const records: { event: string }[] = [];
  const log = createLog({
    service: 'test',
    level: 'info',
    stream: { write: (line) => records.push(JSON.parse(line)) },
  });
  const readiness = { service: 'test', pid: 1, state: 'ready' as Readiness['state'], uptimeSeconds: 2, listeners: [] };
  const level = new LogLevelControl(log, 'info');
  const asked: [string, number][] = [];
  const subject: AdminSubject = {
    readiness: () => readiness,
    metrics: async () => [counter('small_servers_answers_total', 'Answers', 42)],
    configuration: () => ({ port: { value: 7007, text: '7007', origin: 'default' } }),
    logLevel: () => level.state,
    setLogLevel: (next, ttlMs) => void asked.push([next, ttlMs]),
  };
  const admin = await openAdmin({ path, log, subject, supervised });
  return { path, admin, records, readiness, asked, [Symbol.asyncDispose]: () => admin.close() };
}

describe('the admin socket', () => {
  test('is for its owner alone, and gone after the close', async () => {
    const { path, admin } = await start();
    expect((await lstat(path)).mode & 0o777).toBe(0o600);
    expect((await lstat(join(folder, 'run'))).mode & 0o777).toBe(0o700);
    await admin.close();
    await expect(lstat(path)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('/healthz answers while the process runs', async () => {
    await using admin = await start();
    expect(await ask(admin.path, '/healthz')).toMatchObject({ status: 200, body: { state: 'alive' } });
  });

  test('/readyz is 200 while it serves and 503 while it drains', async () => {
    await using admin = await start();
    expect(await ask(admin.path, '/readyz')).toMatchObject({ status: 200, body: { state: 'ready', service: 'test' } });
    admin.readiness.state = 'draining';
    expect(await ask(admin.path, '/readyz')).toMatchObject({ status: 503, body: { state: 'draining' } });
  });

  test.each(['/', '/nothing', '/constructor', '/__proto__', '/readyz/..', 'http://x/readyz'])(
    '%s is no page: 404, and the body says which there are',
    async (page) => {
      await using admin = await start();
      const { status, body } = await ask(admin.path, page);
      expect(status).toBe(404);
      for (const { path } of adminPages) expect(body).toMatchObject({ error: expect.stringContaining(path) });
    },
  );

  test('another method is 405 and says which is allowed', async () => {
    await using admin = await start();
    expect(await ask(admin.path, '/readyz', 'POST')).toMatchObject({ status: 405, allow: 'GET' });
  });

  test('/metrics.json has the families as they were given', async () => {
    await using admin = await start();
    const { body } = await ask(admin.path, '/metrics.json');
    expect(body).toEqual([
      { name: 'small_servers_answers_total', help: 'Answers', type: 'counter', samples: [{ value: 42 }] },
    ]);
  });

  test('/config has the settings in force', async () => {
    await using admin = await start();
    expect((await ask(admin.path, '/config')).body).toMatchObject({ port: { origin: 'default' } });
  });

  test('PUT /log-level sets a level for a time, ten minutes when none is given', async () => {
    await using admin = await start();
    const { status, body } = await ask(admin.path, '/log-level', 'PUT', '{ "level": "debug", "ttl": "90s" }');
    expect([status, body]).toEqual([200, { level: 'info', configured: 'info' }]);
    await ask(admin.path, '/log-level', 'PUT', '{ "level": "trace" }');
    expect(admin.asked).toEqual([
      ['debug', 90_000],
      ['trace', 600_000],
    ]);
  });

  test.each([
    ['', ['the body is not an object']],
    ['[]', ['the body is not an object']],
    ['{', ['the body is not an object']],
    ['{}', ['level is missing; expected one of fatal, error, warn, info, debug, trace']],
    ['{"level":"loud","ttl":10,"x":1}', ['"x" is an unknown key', 'level: "loud" is not allowed', 'ttl: 10 is']],
    ['{"level":"debug","ttl":"10"}', ['ttl: "10" is not allowed; expected a duration from 1s to 1d']],
    ['{"level":"debug","ttl":"off"}', ['ttl: "off" is not allowed']],
    ['{"level":"debug","ttl":"2d"}', ['ttl: "2d" is not allowed']],
  ])('PUT /log-level with %s is 400, names every problem and changes nothing', async (sent, problems) => {
    await using admin = await start();
    const { status, body } = await ask(admin.path, '/log-level', 'PUT', sent);
    expect([status, body]).toEqual([400, { problems: problems.map((part) => expect.stringContaining(part)) }]);
    expect(admin.asked).toEqual([]);
  });

  test('a body of any size is answered, and not kept', async () => {
    await using admin = await start();
    const { status } = await ask(admin.path, '/log-level', 'PUT', 'x'.repeat(1_000_000));
    expect(status).toBe(413);
    expect(admin.asked).toEqual([]);
  });

  test('bytes that are not HTTP cost one connection and nothing else', async () => {
    await using admin = await start();
    const garbage = connect(admin.path).end('\0\xff not http\r\n\r\n');
    garbage.resume();
    await once(garbage, 'close');
    expect(await ask(admin.path, '/healthz')).toMatchObject({ status: 200 });
  });

  test('a client that is connected and silent does not hold up the close', async () => {
    const { path, admin } = await start();
    const silent = connect(path);
    await once(silent, 'connect');
    await ask(path, '/healthz');
    await admin.close();
    if (!silent.closed) await once(silent, 'close');
  });

  test('a socket that a crash left behind is replaced', async () => {
    const path = join(folder, 'stale.sock');
    const code = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
    const crashed = spawn(process.execPath, ['-e', code, path]);
    await once(crashed, 'exit');
    expect((await lstat(path)).isSocket()).toBe(true);
    await using admin = await start(path);
    expect(await ask(path, '/healthz')).toMatchObject({ status: 200 });
    expect(admin.records).toEqual([]);
  });

  test('while another process answers on the known name it is left alone; it is taken when that one is gone', async () => {
    const path = join(folder, 'living.sock');
    const living = createServer((socket) => socket.on('error', () => {}).end('mine')).listen(path);
    await once(living, 'listening');
    await using admin = await start(path);
    const own = processSocketPath(path, process.pid);
    expect(admin.records).toMatchObject([{ level: 'info', event: 'admin-waiting', path: own }]);
    expect(await ask(own, '/healthz')).toMatchObject({ status: 200 });
    const [bytes] = await once(connect(path), 'data');
    expect(String(bytes)).toBe('mine');
    living.close();
    const answers = (): Promise<boolean> =>
      ask(path, '/healthz').then(
        ({ status }) => status === 200,
        () => false,
      );
    await until(answers, 'the known name is taken');
  });

  test('from one that a person started the fleet takes the known name, and at its end gives it back', async () => {
    const path = join(folder, 'a.sock');
    const byHand = join(folder, 'a.1.sock');
    const other = otherDaemon({ pid: 1, state: 'ready' }).listen(byHand);
    await once(other, 'listening');
    await link(byHand, path);
    const { admin, records } = await start(path, true);
    expect(await ask(path, '/readyz')).toMatchObject({ body: { service: 'test' } });
    expect(records).toEqual([]);
    await admin.close();
    expect(await ask(path, '/readyz')).toMatchObject({ body: { pid: 1 } });
    other.close();
    await once(other, 'close');
  });

  test('from another that the fleet runs it does not take it', async () => {
    const path = join(folder, 'a.sock');
    const other = otherDaemon({ pid: 1, state: 'ready', supervised: true }).listen(path);
    await once(other, 'listening');
    await using admin = await start(path, true);
    expect(admin.records).toMatchObject([{ event: 'admin-waiting', holder: 1 }]);
    other.close();
    await once(other, 'close');
  });

  test('a file that is no socket is not removed', async () => {
    const path = join(folder, 'precious');
    await writeFile(path, 'precious');
    const { admin, records } = await start(path);
    await admin.close();
    expect(records).toMatchObject([{ event: 'admin-unavailable', path, code: 'PERMISSION_DENIED' }]);
    expect((await lstat(path)).isFile()).toBe(true);
  });

  test('a socket that somebody put in place of ours is not removed at the close', async () => {
    const { path, admin } = await start();
    await rm(path);
    const other = createServer().listen(path);
    await once(other, 'listening');
    await admin.close();
    expect((await lstat(path)).isSocket()).toBe(true);
    other.close();
    await once(other, 'close');
  });
});
