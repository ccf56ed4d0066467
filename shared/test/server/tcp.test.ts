import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { seededBytes } from '../../../test/support/splits.ts';
import { type Client, connectClient, until } from '../../../test/support/tcp.ts';
import { type Cidr, parseCidr } from '../../src/inet/cidr.ts';
import { BUFFER_SIZES_BYTES } from '../../src/server/reading.ts';
import { DRAIN_QUIET_MS } from '../../src/server/tcp-connection.ts';
import { defaults, Harness, modes } from './harness.ts';

const MiB = 1024 * 1024;
const IDLE_MS = 60_000;

function block(text: string): Cidr {
  const parsed = parseCidr(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
}

/** A connection of which the server has answered one byte, so that it surely has accepted it. */
async function served(harness: Harness, options = {}): Promise<Client> {
  const client = await connectClient(harness.port, options);
  await client.roundTrip('.');
  return client;
}

/** Sends and never reads, until the server can't get rid of what it read. */
async function stalled(harness: Harness): Promise<Client> {
  const client = await connectClient(harness.port);
  client.socket.pause();
  client.socket.write(Buffer.alloc(50 * MiB, 'x'));
  await until(async () => {
    const before = harness.seen.bytes;
    for (let turn = 0; turn < 20; turn++) await setImmediate();
    return before > 0 && harness.seen.bytes === before;
  }, 'the server is stalled');
  return client;
}

describe.each(modes)('time limits, reading by %s', (io) => {
  test('a connection on which nothing moves is closed as idle, not before its time', async () => {
    await using harness = await Harness.start({ io, idleTimeoutMs: IDLE_MS });
    await using client = await served(harness);
    harness.look();
    harness.pass(IDLE_MS - 1);
    await client.roundTrip('still here');
    harness.look();
    harness.pass(IDLE_MS - 1);
    expect(harness.events('connection-closed')).toEqual([]);
    harness.pass(1);
    expect(await harness.record('connection-closed')).toMatchObject({ reason: 'idle', bytesIn: 11, bytesOut: 11 });
    await client.end();
  });

  test.each([
    ['idle', { idleTimeoutMs: IDLE_MS }],
    ['too-slow', { minRateBytes: 100, slowPeers: 'close' }],
  ] as const)('a peer that waits for a service at work is not %s, before the work is done', async (reason, limits) => {
    let working = true;
    await using harness = await Harness.start({ io, idleTimeoutMs: 0, ...limits }, (connection) => ({
      onBytes: (bytes) => connection.write(bytes),
      isWorking: () => working,
    }));
    await using client = await served(harness);
    harness.look();
    for (let round = 0; round < 10; round++) harness.pass(IDLE_MS);
    expect(harness.events('connection-closed')).toEqual([]);
    working = false;
    harness.pass(IDLE_MS);
    expect(await harness.record('connection-closed')).toMatchObject({ reason });
    await client.end();
  });

  test('a peer that never reads what it is sent is closed as write-stalled after the idle time', async () => {
    await using harness = await Harness.start({ io, idleTimeoutMs: IDLE_MS });
    await using client = await stalled(harness);
    harness.look();
    harness.pass(IDLE_MS - 1);
    expect(harness.events('connection-closed')).toEqual([]);
    harness.pass(1);
    const { reason, bytesIn, bytesOut } = await harness.record('connection-closed');
    expect(reason).toBe('write-stalled');
    // What was read and not taken by the kernel is all that the connection held here.
    expect(Number(bytesIn) - Number(bytesOut)).toBeGreaterThan(0);
    expect(Number(bytesIn) - Number(bytesOut)).toBeLessThanOrEqual(BUFFER_SIZES_BYTES[2]);
    client.socket.resume();
    await client.gone();
  });

  test('a slow reader that makes progress is not stalled, however long it takes', async () => {
    await using harness = await Harness.start({ io, idleTimeoutMs: IDLE_MS });
    await using client = await stalled(harness);
    for (let round = 0; round < 5; round++) {
      const progress = harness.nextRead();
      client.socket.resume();
      await progress;
      client.socket.pause();
      harness.pass(IDLE_MS * 0.7);
    }
    expect(harness.events('connection-closed')).toEqual([]);
  });

  test('a service that writes on its own does not keep a peer that takes nothing', async () => {
    await using harness = await Harness.start({ io, idleTimeoutMs: IDLE_MS }, (connection) => {
      connection.write(Buffer.alloc(32 * MiB));
      return { onBytes: () => {} };
    });
    await using client = await connectClient(harness.port);
    client.socket.pause();
    await harness.record('connection-opened');
    for (let turn = 0; turn < 200; turn++) await setImmediate();
    harness.look();
    for (let round = 0; round < 3; round++) {
      harness.seen.connections[0]?.write('tick\n');
      harness.pass(IDLE_MS / 2);
    }
    expect(await harness.record('connection-closed')).toMatchObject({ reason: 'write-stalled' });
    client.socket.resume();
    await client.end();
  });

  test('a connection is closed at the end of its lifetime, busy or not', async () => {
    await using harness = await Harness.start({ io, idleTimeoutMs: 0, maxLifetimeMs: 10_000 });
    await using client = await served(harness);
    harness.pass(9_999);
    await client.roundTrip('busy');
    expect(harness.events('connection-closed')).toEqual([]);
    harness.pass(1);
    expect(await harness.record('connection-closed')).toMatchObject({ reason: 'lifetime', durationMs: 10_000 });
  });

  test('with its limits off a connection stays for as long as its peer does', async () => {
    await using harness = await Harness.start({ io, idleTimeoutMs: 0, maxLifetimeMs: 0 });
    await using client = await served(harness);
    for (let day = 0; day < 30; day++) harness.pass(24 * 3_600_000);
    expect(await client.roundTrip('here')).toEqual(Buffer.from('here'));
  });
});

describe.each(modes)('resets, reading by %s', (io) => {
  test.each([
    ['at once', async () => {}],
    ['after an exchange', async (client: Client) => void (await client.roundTrip('hi'))],
    [
      'with bytes under way both ways',
      async (client: Client) => {
        client.socket.pause();
        client.socket.write(Buffer.alloc(4 * MiB));
        await setImmediate();
      },
    ],
  ])('%s: one record and nothing more', async (_when, before) => {
    await using harness = await Harness.start({ io });
    await using client = await connectClient(harness.port);
    await before(client);
    client.reset();
    expect(await harness.record('connection-closed')).toMatchObject({ reason: 'reset' });
    await using next = await served(harness);
    expect(harness.records.map(({ event }) => event)).toEqual([
      'connection-opened',
      'connection-closed',
      'connection-opened',
    ]);
    expect(next.error).toBeUndefined();
    expect(harness.listener.open).toBe(1);
  });
});

describe('admission', () => {
  test('one more than --max-connections is closed at once and recorded; a place that gets free is given again', async () => {
    await using harness = await Harness.start({ maxConnections: 2 });
    await using first = await served(harness);
    await using second = await served(harness);
    await using third = await connectClient(harness.port);
    await third.end();
    expect(await harness.record('connection-refused')).toMatchObject({
      level: 'warn',
      peer: `127.0.0.1:${third.localPort}`,
      reason: 'max-connections',
      refused: 1,
    });
    await first.roundTrip('first still served');
    second.socket.end();
    await harness.record('connection-closed');
    await using fourth = await served(harness);
    expect(fourth.ended).toBe(false);
    expect(harness.listener.counts.accepted).toBe(3);
    expect([...harness.listener.counts.refused]).toEqual([['max-connections', 1]]);
  });

  test('--max-connections-per-source counts each address by itself', async () => {
    await using harness = await Harness.start({ maxConnectionsPerSource: 1 });
    await using first = await served(harness, { localAddress: '127.0.0.1' });
    await using refused = await connectClient(harness.port, { localAddress: '127.0.0.1' });
    await refused.end();
    await using other = await served(harness, { localAddress: '127.0.0.2' });
    expect(await harness.record('connection-refused')).toMatchObject({ reason: 'max-connections-per-source' });
    expect([first.ended, other.ended]).toEqual([false, false]);
  });

  test('the most specific of --allow and --deny decides, and who is kept out takes no place', async () => {
    const access = { allow: [block('127.0.0.0/8')], deny: [block('127.0.0.8/29')], maxConnections: 1 };
    await using harness = await Harness.start({ host: '::', ...access });
    await using refused = await connectClient(harness.port, { host: '127.0.0.1', localAddress: '127.0.0.9' });
    await refused.end();
    expect(await harness.record('connection-refused')).toMatchObject({
      peer: `127.0.0.9:${refused.localPort}`,
      reason: 'denied',
    });
    await using stranger = await connectClient(harness.port, { host: '::1' });
    await stranger.end();
    await using taken = await served(harness, { host: '127.0.0.1', localAddress: '127.0.0.16' });
    expect(taken.ended).toBe(false);
    expect(harness.listener.counts.refused.get('denied')).toBe(2);
  });

  test('new access lists hold from the next connection on; who is in stays in', async () => {
    await using harness = await Harness.start({ allow: [block('127.0.0.1')] });
    await using first = await served(harness, { localAddress: '127.0.0.1' });
    harness.listener.reconfigure({ ...defaults, deny: [block('127.0.0.1')] });
    await using refused = await connectClient(harness.port, { localAddress: '127.0.0.1' });
    await refused.end();
    await using other = await served(harness, { localAddress: '127.0.0.2' });
    expect([first.ended, other.ended]).toEqual([false, false]);
  });

  test('on a dual-stack listener an IPv4 peer is named and counted by its IPv4 address', async () => {
    await using harness = await Harness.start({ host: '::', maxConnectionsPerSource: 1 });
    await using four = await served(harness, { host: '127.0.0.1' });
    await using refused = await connectClient(harness.port, { host: '127.0.0.1' });
    await refused.end();
    await using six = await served(harness, { host: '::1' });
    expect(harness.events('connection-opened').map(({ peer }) => peer)).toEqual([
      `127.0.0.1:${four.localPort}`,
      `[::1]:${six.localPort}`,
    ]);
    expect(await harness.record('connection-refused')).toMatchObject({
      peer: `127.0.0.1:${refused.localPort}`,
    });
    await using again = await connectClient(harness.port, { host: '127.0.0.1' });
    await again.end();
    harness.pass(10_000);
    expect(await harness.record('connection-refused', 2)).toMatchObject({ peer: '127.0.0.1', refused: 1 });
  });

  test('a flood of refusals is one record at once and one exact sum', async () => {
    await using harness = await Harness.start({ maxConnections: 1 });
    await using first = await served(harness);
    for (let round = 0; round < 50; round++) {
      await using refused = await connectClient(harness.port);
      await refused.end();
    }
    expect(harness.events('connection-refused')).toHaveLength(1);
    harness.pass(10_000);
    expect(harness.events('connection-refused')).toHaveLength(2);
    expect(harness.events('connection-refused')[1]).toMatchObject({
      peer: '127.0.0.1',
      reason: 'max-connections',
      refused: 49,
      intervalMs: 10_000,
    });
    expect(first.ended).toBe(false);
  });
});

describe('drain', () => {
  test('a quiet connection is closed as drained after a short silence, and then the listener is done', async () => {
    await using harness = await Harness.start();
    await using client = await served(harness);
    harness.look();
    harness.stop();
    harness.pass(DRAIN_QUIET_MS);
    await client.end();
    expect(await harness.record('connection-closed')).toMatchObject({ reason: 'drained' });
    client.socket.end();
    await harness.listener.closed;
  });

  test('from the stop on new connections are refused by the system', async () => {
    await using harness = await Harness.start();
    await using client = await served(harness);
    harness.stop();
    const late = connect(harness.port, '127.0.0.1');
    const [error] = await once(late, 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    await client.roundTrip('still served');
  });

  test('a connection on which something moves is not touched before the deadline', async () => {
    await using harness = await Harness.start({ drainTimeoutMs: 5_000 });
    await using client = await served(harness);
    harness.stop();
    for (let round = 0; round < 11; round++) {
      await client.roundTrip('on and on');
      harness.pass(DRAIN_QUIET_MS - 50);
    }
    expect(harness.events('connection-closed')).toEqual([]);
    harness.pass(50);
    expect(await harness.record('connection-closed')).toMatchObject({ reason: 'drain-deadline' });
    await harness.listener.closed;
  });

  test('a peer that takes nothing is cut at the deadline as drain-deadline', async () => {
    await using harness = await Harness.start({ drainTimeoutMs: 5_000 });
    await using client = await stalled(harness);
    harness.look();
    harness.stop();
    harness.pass(4_999);
    expect(harness.events('connection-closed')).toEqual([]);
    harness.pass(1);
    expect(await harness.record('connection-closed')).toMatchObject({ reason: 'drain-deadline' });
    await harness.listener.closed;
    client.socket.resume();
    await client.gone();
  });

  test('a service that says it is busy is waited for', async () => {
    let busy = true;
    await using harness = await Harness.start({}, () => ({ onBytes: () => {}, isBusy: () => busy }));
    await using client = await connectClient(harness.port);
    await harness.record('connection-opened');
    harness.stop();
    harness.pass(DRAIN_QUIET_MS * 2);
    expect(harness.events('connection-closed')).toEqual([]);
    busy = false;
    harness.pass(50);
    await client.end();
    expect(await harness.record('connection-closed')).toMatchObject({ reason: 'drained' });
  });

  test('a service is told that a drain begins, once for each connection', async () => {
    const told: string[] = [];
    await using harness = await Harness.start({}, (connection) => ({
      onBytes: (bytes) => connection.write(bytes),
      onDrain: () => {
        told.push(connection.id);
        connection.write('bye');
        connection.close('drained');
      },
    }));
    await using one = await served(harness);
    await using two = await served(harness);
    harness.stop();
    await harness.listener.closed;
    expect(String(await one.end()).slice(-3)).toBe('bye');
    expect(String(await two.end()).slice(-3)).toBe('bye');
    expect(told).toEqual(['1', '2']);
  });

  test.each([true, false])(
    'at the deadline a connection that is busy (%s) is reset, another is ended',
    async (busy) => {
      await using harness = await Harness.start({ drainTimeoutMs: 1_000 }, (connection) => ({
        onBytes: (bytes) => connection.write(bytes),
        isBusy: () => busy,
      }));
      await using client = await served(harness);
      harness.stop();
      harness.pass(1_000);
      await harness.record('connection-closed');
      await (busy ? client.gone() : client.end());
      expect(client.error?.code).toBe(busy ? 'ECONNRESET' : undefined);
    },
  );

  test('with the drain switched off everything is cut at once', async () => {
    await using harness = await Harness.start({ drainTimeoutMs: 0 });
    await using client = await served(harness);
    harness.stop();
    expect(await harness.record('connection-closed')).toMatchObject({ reason: 'drain-deadline' });
    await harness.listener.closed;
    await client.end();
  });

  test('refusals that were not reported yet are summed before the end', async () => {
    await using harness = await Harness.start({ maxConnections: 1 });
    await using client = await served(harness);
    for (let round = 0; round < 3; round++) {
      await using refused = await connectClient(harness.port);
      await refused.end();
    }
    harness.pass(1_500);
    client.socket.end();
    await harness.record('connection-closed');
    harness.stop();
    await harness.listener.closed;
    expect(harness.events('connection-refused')[1]).toMatchObject({ refused: 2, intervalMs: 1_500 });
  });
});

describe.each(modes)('what a service may do with a connection, --io %s', (io) => {
  test('held, nothing more is read; released, everything that waited comes', async () => {
    await using harness = await Harness.start({ io });
    await using client = await served(harness);
    const [connection] = harness.seen.connections;
    connection?.hold();
    client.socket.write('later');
    await using other = await served(harness);
    expect(other.receivedBytes).toBe(1);
    expect(client.receivedBytes).toBe(1);
    connection?.release();
    await client.receive(6);
    expect(String(client.bytes.subarray(1))).toBe('later');
  });

  test('held inside a read, and released before its reply is flushed, it goes on by itself', async () => {
    const sent = seededBytes(4 * 1024 * 1024, 3);
    await using harness = await Harness.start({ io }, (connection) => ({
      onBytes: (bytes) => {
        connection.hold();
        // The memory of a read is lent: what waits is a copy.
        connection.write(Buffer.from(bytes), () => connection.release());
      },
    }));
    await using client = await connectClient(harness.port);
    client.socket.end(sent);
    expect((await client.end()).equals(sent)).toBe(true);
  });

  test('a service that writes on whatever becomes of it is told that the connection is gone', async () => {
    let closed = false;
    let writes = 0;
    await using harness = await Harness.start({ io }, () => ({
      onBytes: () => {},
      onClose: () => {
        closed = true;
      },
    }));
    await using client = await connectClient(harness.port);
    await harness.record('connection-opened');
    const [connection] = harness.seen.connections;
    const goOn = (): void => {
      writes += 1;
      if (!closed && writes < 100_000) connection?.write('x', goOn);
    };
    connection?.reset('stalled');
    goOn();
    await harness.record('connection-closed');
    await client.gone();
    expect(writes).toBeLessThan(100_000);
  });

  test('a write says when its memory is free: taken by the kernel, or the connection is gone', async () => {
    await using harness = await Harness.start({ io });
    await using client = await served(harness);
    const [connection] = harness.seen.connections;
    if (connection === undefined) throw new Error('nobody is connected');
    await new Promise<void>((done) => connection.write('x', done));
    client.socket.pause();
    const waiting = new Promise<void>((done) => connection.write(Buffer.alloc(16 * 1024 * 1024), done));
    expect(connection.unsentBytes).toBeGreaterThan(0);
    connection.reset('stalled');
    await waiting;
    await new Promise<void>((done) => connection.write('too late', done));
    expect(await harness.record('connection-closed')).toMatchObject({ reason: 'stalled' });
    client.socket.resume();
    await client.gone();
    expect(client.error?.code).toBe('ECONNRESET');
    expect(connection.bytes.in).toBe(1);
  });
});

describe('faults of a service', () => {
  const fault = (): never => {
    throw new Error('a fault\nof two lines');
  };

  test.each([
    ['when a connection opens', () => fault()],
    ['on bytes', () => ({ onBytes: fault })],
    ['on the end', () => ({ onBytes: () => {}, onEnd: fault })],
    ['on the close', () => ({ onBytes: () => {}, onClose: fault })],
  ])('%s end that connection alone', async (_when, serve) => {
    await using harness = await Harness.start({}, (connection) =>
      connection.id === '1' ? serve() : { onBytes: (bytes) => connection.write(bytes) },
    );
    await using client = await connectClient(harness.port);
    client.socket.end('hi');
    expect(await harness.record('internal-error')).toMatchObject({ level: 'error', conn: '1' });
    await harness.record('connection-closed');
    expect(harness.listener.open).toBe(0);
    await using next = await connectClient(harness.port);
    expect(await next.roundTrip('served')).toEqual(Buffer.from('served'));
  });

  test('on the question whether it is busy end that connection alone', async () => {
    await using harness = await Harness.start({}, () => ({ onBytes: () => {}, isBusy: fault }));
    await using client = await connectClient(harness.port);
    await harness.record('connection-opened');
    harness.stop();
    harness.pass(DRAIN_QUIET_MS);
    expect(await harness.record('connection-closed')).toMatchObject({ reason: 'internal-error' });
    await harness.listener.closed;
    await client.gone();
  });
});

test('each connection has an id of its own', async () => {
  await using harness = await Harness.start();
  for (let round = 0; round < 40; round++) {
    await using client = await served(harness);
    client.socket.end();
    await client.end();
  }
  await harness.record('connection-closed', 40);
  const ids = harness.events('connection-closed').map(({ conn }) => conn);
  expect(new Set(ids).size).toBe(40);
  expect(harness.listener.counts.closed).toEqual(new Map([['peer-closed', 40]]));
});

test('every record of a connection has its fields in the documented order', async () => {
  await using harness = await Harness.start();
  await using client = await served(harness);
  client.socket.end();
  const closed = await harness.record('connection-closed');
  const [opened] = harness.events('connection-opened');
  const head = ['level', 'time', 'service', 'pid', 'event', 'conn', 'peer'];
  expect(Object.keys(opened ?? {})).toEqual([...head, 'msg']);
  expect(Object.keys(closed)).toEqual([...head, 'bytesIn', 'bytesOut', 'durationMs', 'reason', 'msg']);
});
