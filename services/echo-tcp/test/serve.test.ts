import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Daemon, type LogRecord, runProgram, startDaemon } from '../../../test/support/daemon.ts';
import { processState } from '../../../test/support/process.ts';
import { program, root, testWith } from '../../../test/support/programs.ts';
import { allBytes, seededBytes } from '../../../test/support/splits.ts';
import { type Client, connectClient, until } from '../../../test/support/tcp.ts';

const MiB = 1024 * 1024;
const modes = ['onread', 'data'];

/** A connection that surely was accepted. */
async function served(port: number): Promise<Client> {
  const client = await connectClient(port);
  await client.roundTrip('.');
  return client;
}

const eventsOf = (records: readonly LogRecord[]): string[] => records.map(({ event }) => event);

describe.each(modes)('serve --io %s', (io) => {
  test('sends every byte back, ends after the peer did, and says what happened', async () => {
    await using daemon = await startDaemon('echo-tcp', ['--io', io, '--log-level', 'debug']);
    await using client = await connectClient(daemon.port);
    client.socket.end(allBytes);
    expect((await client.end()).equals(allBytes)).toBe(true);
    await daemon.record('connection-closed');
    const peer = `127.0.0.1:${client.localPort}`;
    expect(daemon.records).toMatchObject([
      { level: 'info', event: 'listening', address: '127.0.0.1', port: daemon.port, transport: 'tcp' },
      { level: 'debug', event: 'connection-opened', conn: '1', peer },
      {
        level: 'info',
        event: 'connection-closed',
        conn: '1',
        peer,
        bytesIn: 256,
        bytesOut: 256,
        reason: 'peer-closed',
      },
    ]);
    for (const { time } of daemon.records) {
      expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    }
  });

  test('a greeting is the first line; the echo follows', async () => {
    await using daemon = await startDaemon('echo-tcp', ['--io', io, '--greeting', 'Hello, Client.']);
    await using client = await connectClient(daemon.port);
    await client.receive(16);
    client.socket.end('Hello, Server.\n');
    expect(String(await client.end())).toBe('Hello, Client.\r\nHello, Server.\n');
  });

  test('a peer that reset before it was accepted is one record and nothing more', async () => {
    await using daemon = await startDaemon('echo-tcp', ['--io', io, '--log-level', 'debug']);
    daemon.process.kill('SIGSTOP');
    await until(async () => (await processState(daemon.pid)) === 'T', 'the server is stopped');
    for (let round = 0; round < 3; round++) {
      const client = await connectClient(daemon.port);
      client.reset();
      await client.gone();
    }
    daemon.process.kill('SIGCONT');
    await daemon.record('connection-closed', 3);
    await using next = await served(daemon.port);
    const closed = daemon.records.filter(({ event }) => event === 'connection-closed');
    expect(closed.map(({ reason }) => reason)).toEqual(['reset', 'reset', 'reset']);
    expect(eventsOf(daemon.records).filter((event) => !event.startsWith('connection-'))).toEqual(['listening']);
    expect(next.error).toBeUndefined();
  });
});

describe('--log-payload', () => {
  test('a hostile payload is one escaped line', async () => {
    await using daemon = await startDaemon('echo-tcp', ['--log-payload']);
    await using client = await connectClient(daemon.port);
    const hostile = '\x1b[2J"}\r\n{"level":"fatal","event":"forged"}\n\\\u2028';
    expect(String(await client.roundTrip(hostile))).toBe(hostile);
    const preview = '\\x1b[2J"}\\r\\n{"level":"fatal","event":"forged"}\\n\\\\\\xe2\\x80\\xa8';
    const record = await daemon.record('payload');
    expect(record).toMatchObject({ conn: '1', bytes: Buffer.byteLength(hostile), preview });
    expect(Object.keys(record)).toEqual([
      ...['level', 'time', 'service', 'pid', 'event', 'conn', 'peer'],
      ...['bytes', 'preview', 'msg'],
    ]);
    expect(eventsOf(daemon.records)).toEqual(['listening', 'payload']);
  });

  test('without it nothing of what peers send is in the log', async () => {
    await using daemon = await startDaemon('echo-tcp', ['--log-level', 'trace']);
    await using client = await connectClient(daemon.port);
    await client.roundTrip('a secret');
    client.socket.end();
    await daemon.record('connection-closed');
    expect(JSON.stringify(daemon.records)).not.toContain('secret');
  });
});

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  test('in the middle of a transfer: it ends whole, newcomers are refused at once, exit 0', async () => {
    await using daemon = await startDaemon('echo-tcp', ['--drain-timeout', '25s']);
    await using client = await served(daemon.port);
    const sent = seededBytes(16 * MiB, 11);
    client.socket.pause();
    client.socket.end(sent);
    daemon.process.kill(signal);
    expect(await daemon.record('draining')).toMatchObject({ signal, drainTimeoutMs: 25_000 });
    const [error] = await once(connect(daemon.port, '127.0.0.1'), 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    client.socket.resume();
    expect((await client.end()).subarray(1).equals(sent)).toBe(true);
    expect(await daemon.exited()).toEqual({ code: 0, signal: null });
    expect(eventsOf(daemon.records).slice(-3)).toEqual(['draining', 'connection-closed', 'stopped']);
    expect(daemon.records.at(-2)).toMatchObject({ reason: 'peer-closed', bytesOut: sent.length + 1 });
  });

  test('an idle connection is closed as drained', async () => {
    await using daemon = await startDaemon('echo-tcp', ['--drain-timeout', '25s']);
    await using client = await served(daemon.port);
    expect(await daemon.stop(signal)).toEqual({ code: 0, signal: null });
    await client.end();
    expect(daemon.records.at(-2)).toMatchObject({ event: 'connection-closed', reason: 'drained' });
  });

  test('a second one ends the process at once', async () => {
    await using daemon = await startDaemon('echo-tcp', ['--drain-timeout', '1h']);
    await using client = await served(daemon.port);
    client.socket.pause();
    client.socket.write(Buffer.alloc(32 * MiB));
    daemon.process.kill(signal);
    await daemon.record('draining');
    expect(await daemon.stop(signal)).toEqual({ code: signal === 'SIGINT' ? 130 : 143, signal: null });
    client.socket.resume();
    await client.gone();
  });
});

test('on a stop a peer that takes nothing is cut at the deadline, and the exit is clean', async () => {
  await using daemon = await startDaemon('echo-tcp', ['--drain-timeout', '700ms']);
  await using client = await served(daemon.port);
  client.socket.pause();
  client.socket.write(Buffer.alloc(32 * MiB));
  expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  expect(daemon.records.at(-2)).toMatchObject({ event: 'connection-closed', reason: 'drain-deadline' });
  client.socket.resume();
  await client.gone();
});

describe('a start that fails', () => {
  test('a port in use: its holder is named, exit 1', async () => {
    await using daemon = await startDaemon('echo-tcp');
    const { code, stdout, stderr } = await runProgram('echo-tcp', ['serve', '--port', String(daemon.port)]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`127.0.0.1:${daemon.port}/tcp is in use by `);
    expect(stderr).toContain(`(pid ${daemon.pid})`);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  test('an address of another machine: one line, exit 1', async () => {
    const { code, stdout, stderr } = await runProgram('echo-tcp', ['serve', '--port', '0', '--host', '192.0.2.77']);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^echo-tcp: 192\.0\.2\.77 is no address of this machine;.*--host\n$/);
  });

  testWith([root, program('setpriv')], 'a privileged port without the privilege: one line, exit 1', async () => {
    // The capability is dropped, not the user: another user may not be able to read the checkout.
    const under = ['setpriv', '--bounding-set=-net_bind_service', '--inh-caps=-net_bind_service'];
    const daemon = new Daemon('echo-tcp', ['serve', '--port', '7', '--admin-socket', 'off'], { under });
    expect(await daemon.exited()).toMatchObject({ code: 1 });
    expect(daemon.stderr).toMatch(/^echo-tcp: 127\.0\.0\.1:7\/tcp: permission denied; ports below 1024 .*--port\n$/);
    expect(daemon.records).toEqual([]);
  });
});

test('stdout that can not be written to (a full disk) does not end the service', async () => {
  const script = 'exec "$0" "$@" >/dev/full';
  const port = await freePort();
  const args = ['serve', '--port', String(port), '--admin-socket', 'off'];
  const daemon = new Daemon('echo-tcp', args, { under: ['sh', '-c', script] });
  await using _ended = daemon;
  let client: Client | undefined;
  await until(async () => {
    client = await connectClient(port).catch(() => undefined);
    return client !== undefined;
  }, 'it listens');
  await client?.roundTrip('still served');
  client?.reset();
  await client?.gone();
  await using next = await served(port);
  expect(next.ended).toBe(false);
  next.socket.destroy();
  expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  expect(daemon.stderr).toBe('');
});

async function freePort(): Promise<number> {
  const daemon = await startDaemon('echo-tcp');
  await daemon.stop();
  return daemon.port;
}

describe('the admin socket of a daemon', () => {
  async function ready(socketPath: string): Promise<{ status: number; body: unknown }> {
    const [response] = await once(request({ socketPath, path: '/readyz' }).end(), 'response');
    let text = '';
    for await (const part of response) text += part;
    return { status: response.statusCode, body: JSON.parse(text) };
  }

  test('says ready with the real port, then draining, and is gone afterwards', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ss-echo-'));
    const path = join(folder, 'echo.sock');
    await using daemon = new Daemon('echo-tcp', ['serve', '--port', '0', '--admin-socket', path]);
    const { port } = await daemon.record('listening');
    let answer: Awaited<ReturnType<typeof ready>> | undefined;
    await until(async () => {
      answer = await ready(path).catch(() => undefined);
      return answer !== undefined;
    }, 'the admin socket answers');
    expect(answer).toMatchObject({
      status: 200,
      body: { service: 'echo-tcp', pid: daemon.pid, state: 'ready', listeners: [{ transport: 'tcp', port }] },
    });
    await using client = await served(Number(port));
    client.socket.pause();
    client.socket.write(Buffer.alloc(32 * MiB));
    daemon.process.kill('SIGTERM');
    await daemon.record('draining');
    expect(await ready(path)).toMatchObject({ status: 503, body: { state: 'draining' } });
    client.reset();
    expect(await daemon.exited()).toEqual({ code: 0, signal: null });
    await expect(ready(path)).rejects.toMatchObject({ code: 'ENOENT' });
    await rm(folder, { recursive: true });
  });
});
