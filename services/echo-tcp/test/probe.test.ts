import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { plannedMessages } from '@small-servers/shared/client/open-loop';
import { describe, expect, test } from 'vitest';
import { nodePath, repository, runProgram, startDaemon } from '../../../test/support/daemon.ts';
import type { ProbeConfig } from '../src/probe-settings.ts';

/** A server that does to each connection what the test wants, on a free port. */
async function startServer(serve: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)));
    serve(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    target: `127.0.0.1:${port}`,
    [Symbol.dispose]: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

const probe = (...args: readonly string[]) => runProgram('echo-tcp', ['probe', ...args]);

describe('probe', () => {
  test('a faithful server: the counts and figures of the run, exit 0', async () => {
    await using daemon = await startDaemon('echo-tcp');
    const target = `127.0.0.1:${daemon.port}`;
    const args = ['--connections', '3', '--size', '100KiB', '--count', '12', '--rate', '200', '--json'];
    const { code, stdout, stderr } = await probe(target, ...args);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.trimEnd().split('\n')).toHaveLength(1);
    const report = JSON.parse(stdout);
    expect(report).toEqual({
      target,
      connections: 3,
      sizeBytes: 102_400,
      sent: 12,
      returned: 12,
      unanswered: 0,
      durationMs: expect.any(Number),
      ratePerSecond: expect.any(Number),
      roundTripMs: {
        min: expect.any(Number),
        p50: expect.any(Number),
        p90: expect.any(Number),
        p99: expect.any(Number),
        p999: expect.any(Number),
        max: expect.any(Number),
        mean: expect.any(Number),
      },
      maxSendLatenessMs: expect.any(Number),
      missed: [],
    });
    const closed = [1, 2, 3].map((count) => daemon.record('connection-closed', count));
    for (const record of await Promise.all(closed)) {
      expect(record).toMatchObject({ bytesIn: 4 * 102_400, bytesOut: 4 * 102_400, reason: 'peer-closed' });
    }
  });

  test('for people: what was sent, that every byte was right, the round trips', async () => {
    await using daemon = await startDaemon('echo-tcp', ['--greeting', 'Grüß Gott']);
    const { code, stdout } = await probe(`localhost:${daemon.port}`, '--count', '1');
    expect(code).toBe(0);
    expect(stdout).toContain(`localhost:${daemon.port}: 1 messages of 64B over 1 connection in `);
    expect(stdout).toContain('greeting     "Grüß Gott"');
    expect(stdout).toContain('returned     1, every byte right; unanswered 0');
    expect(stdout).toMatch(/round trip {3}min [\d.]+ {2}p50 [\d.]+ .*max [\d.]+ ms/);
  });

  test('a limit that is missed: exit 2, and which it was', async () => {
    using slow = await startServer((socket) => {
      socket.on('data', (bytes) => setTimeout(() => socket.write(bytes), 5));
    });
    const { code, stdout } = await probe(slow.target, '--count', '2', '--rate', '100', '--max-p50', '1ms', '--json');
    expect(code).toBe(2);
    const { missed } = JSON.parse(stdout);
    expect(missed).toEqual([{ limit: 'max-p50', limitMs: 1, measuredMs: expect.any(Number) }]);
  });

  test.each([
    ['the first byte', 0],
    ['a byte in the middle of the third message', 150],
  ])('%s wrong: exit 1, with its position', async (_which, at) => {
    let position = 0;
    using corrupting = await startServer((socket) => {
      socket.on('data', (bytes: Buffer) => {
        const here = at - position;
        if (here >= 0 && here < bytes.length) bytes[here] = (bytes[here] ?? 0) ^ 0x80;
        position += bytes.length;
        socket.write(bytes);
      });
    });
    const { code, stdout, stderr } = await probe(corrupting.target, '--count', '5', '--rate', '100');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      new RegExp(`^echo-tcp: ${corrupting.target}: byte ${at} of a connection came back as 0x[0-9a-f]{2}, not 0x`),
    );
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  test('bytes that nobody sent are wrong too', async () => {
    using chatty = await startServer((socket) => {
      socket.on('data', (bytes: Buffer) => socket.write(Buffer.concat([bytes, bytes])));
    });
    const { code, stderr } = await probe(chatty.target, '--count', '2');
    expect(code).toBe(1);
    expect(stderr).toContain('byte 64 of a connection came back as ');
  });

  test('a server that closes early: exit 1, and its log is named as the place to look', async () => {
    using closing = await startServer((socket) => socket.once('data', () => socket.end()));
    const { code, stderr } = await probe(closing.target, '--count', '5');
    expect(code).toBe(1);
    expect(stderr).toBe(`echo-tcp: ${closing.target}: the far end closed the connection; its log says why\n`);
  });

  test('a server that resets: exit 1', async () => {
    using resetting = await startServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const { code, stderr } = await probe(resetting.target, '--count', '5');
    expect(code).toBe(1);
    expect(stderr).toBe(`echo-tcp: ${resetting.target}: the far end reset the connection\n`);
  });

  test('a server that never answers: exit 1, every message counted as unanswered', async () => {
    using silent = await startServer((socket) => socket.resume());
    const args = ['--count', '3', '--rate', '100', '--timeout', '50500us', '--json'];
    const { code, stdout } = await probe(silent.target, ...args);
    expect(code).toBe(1);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ sent: 3, returned: 0, unanswered: 3, roundTripMs: { p50: null, max: null } });
  });

  test('a greeting can not put control sequences on the terminal', async () => {
    using hostile = await startServer((socket) => {
      socket.write('\u009b31m\u202eevil\r\n');
      socket.pipe(socket);
    });
    const { code, stdout } = await probe(hostile.target, '--count', '1');
    expect(code).toBe(0);
    expect(stdout).toContain('greeting     "\\u009b31m\\u202eevil"');
  });

  test('nobody listens, or the name is unknown: exit 1 and one line', async () => {
    const daemon = await startDaemon('echo-tcp');
    await daemon.stop();
    const refused = await probe(`127.0.0.1:${daemon.port}`);
    expect([refused.code, refused.stdout]).toEqual([1, '']);
    expect(refused.stderr).toMatch(/^echo-tcp: 127\.0\.0\.1:\d+: connection refused: .*\n$/);
    const unknown = await probe('no-such-name.invalid:7007');
    expect([unknown.code, unknown.stdout]).toEqual([1, '']);
    expect(unknown.stderr).toMatch(/^echo-tcp: no-such-name\.invalid:7007: .*\n$/);
  });

  test.each([
    [['nonsense'], 'HOST:PORT'],
    [['127.0.0.1:7007', '--rate', 'fast'], 'rate'],
    [['127.0.0.1:7007', '--size', '64'], 'size'],
    [[], 'HOST:PORT'],
  ])('bad usage %j: exit 78', async (args, subject) => {
    const { code, stdout, stderr } = await probe(...args);
    expect([code, stdout]).toEqual([78, '']);
    expect(stderr).toContain(`echo-tcp: ${subject}: `);
  });

  test('Ctrl-C in the middle prints what is known so far', async () => {
    await using daemon = await startDaemon('echo-tcp', ['--log-payload']);
    const args = ['probe', `127.0.0.1:${daemon.port}`, '--rate', '20', '--duration', '1h', '--json'];
    const child = spawn(nodePath, [`${repository}services/echo-tcp/src/bin.js`, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await daemon.record('payload', 3);
    child.kill('SIGINT');
    const [line] = await once(createInterface({ input: child.stdout }), 'line');
    const report = JSON.parse(line);
    expect(report.sent).toBeGreaterThanOrEqual(3);
    expect(report.returned).toBeGreaterThanOrEqual(2);
    const [code] = await once(child, 'exit');
    expect(code).toBe(report.unanswered === 0 ? 0 : 1);
  });
});

describe('open loop', () => {
  test('a server that holds every reply back does not make the probe send less', async () => {
    const messages = 40;
    const held: Buffer[] = [];
    let bytes = 0;
    // Nothing comes back before everything has gone out: a closed loop would stop at the first message.
    using holding = await startServer((socket) => {
      socket.on('data', (part: Buffer) => {
        held.push(part);
        bytes += part.length;
        if (bytes === messages * 64) for (const reply of held) socket.write(reply);
      });
    });
    const { code, stdout } = await probe(holding.target, '--count', String(messages), '--rate', '200', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ sent: messages, returned: messages, unanswered: 0 });
  });
});

describe('plannedMessages', () => {
  const plan = (part: Partial<ProbeConfig>): number =>
    plannedMessages({ count: 0, durationMs: 0, rate: 10, ...part } as ProbeConfig);

  test.each([
    [{}, 10],
    [{ count: 3 }, 3],
    [{ durationMs: 2_500 }, 25],
    [{ durationMs: 1 }, 1],
    [{ count: 3, durationMs: 60_000 }, 3],
    [{ count: 1_000, durationMs: 1_000 }, 10],
  ])('%j plans %i', (config, messages) => {
    expect(plan(config)).toBe(messages);
  });
});
