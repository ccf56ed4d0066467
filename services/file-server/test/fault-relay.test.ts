/** The relay itself: a test with a path that is better than it says proves nothing. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { seededBytes } from '../../../test/support/splits.ts';
import { connectClient, until } from '../../../test/support/tcp.ts';
import { type Fault, type FaultRelay, openFaultRelay, seededPlan } from './support/fault-relay.ts';

/** Sends back what it gets, and keeps count of it and of how its connections ended. */
async function openEcho() {
  const received: number[] = [];
  const ends: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const index = received.push(0) - 1;
    sockets.add(socket);
    socket.on('data', (bytes) => {
      received[index] = (received[index] ?? 0) + bytes.length;
      socket.write(bytes);
    });
    socket.on('end', () => socket.end());
    socket.on('error', (error: NodeJS.ErrnoException) => ends.push(error.code ?? ''));
    socket.on('close', () => sockets.delete(socket));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    received,
    ends,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

const relayWith = (port: number, ...faults: Fault[]): Promise<FaultRelay> =>
  openFaultRelay({ port, plan: (connection) => faults[connection] ?? { kind: 'none' } });

const BYTES = 3_000_000;
const content = seededBytes(BYTES, 7);

describe('a connection without a fault', () => {
  test('gets every byte through in both directions, and its half-close', async () => {
    await using echo = await openEcho();
    await using relay = await relayWith(echo.port);
    await using client = await connectClient(relay.port);
    client.socket.end(content);
    expect((await client.end()).equals(content)).toBe(true);
    expect(echo.received).toEqual([BYTES]);
  });
});

describe('a cut', () => {
  test.each([0, 1, 65_536, 1_234_567])('by FIN on the way down lets exactly %d bytes through', async (afterBytes) => {
    await using echo = await openEcho();
    await using relay = await relayWith(echo.port, { kind: 'cut', direction: 'down', afterBytes, by: 'fin' });
    await using client = await connectClient(relay.port);
    client.socket.write(content);
    expect((await client.end()).equals(content.subarray(0, afterBytes))).toBe(true);
    expect(client.error).toBeUndefined();
  });

  test('by FIN on the way up lets exactly so many bytes through', async () => {
    await using echo = await openEcho();
    await using relay = await relayWith(echo.port, { kind: 'cut', direction: 'up', afterBytes: 100_000, by: 'fin' });
    await using client = await connectClient(relay.port);
    client.socket.write(content);
    await client.end();
    await until(() => echo.received[0] === 100_000, 'the echo got all that was let through');
    client.socket.end();
    await client.gone();
    expect(echo.received).toEqual([100_000]);
  });

  test('by reset is a reset at both ends', async () => {
    await using echo = await openEcho();
    await using relay = await relayWith(echo.port, { kind: 'cut', direction: 'up', afterBytes: 100_000, by: 'reset' });
    await using client = await connectClient(relay.port);
    client.socket.write(content);
    await client.gone();
    expect(client.error?.code).toMatch(/^(?:ECONNRESET|EPIPE)$/);
    expect(echo.ends).toEqual(['ECONNRESET']);
    expect(echo.received[0]).toBeLessThanOrEqual(100_000);
  });

  test('is for its own connection: the next one passes', async () => {
    await using echo = await openEcho();
    await using relay = await relayWith(echo.port, { kind: 'cut', direction: 'down', afterBytes: 5, by: 'fin' });
    await using first = await connectClient(relay.port);
    first.socket.write(content);
    await first.end();
    await using second = await connectClient(relay.port);
    expect(String(await second.roundTrip('hello'))).toBe('hello');
    expect(relay.met.map(({ kind }) => kind)).toEqual(['cut', 'none']);
  });
});

describe('a stall', () => {
  test('lets so many bytes through and then nothing more, with both ends open', async () => {
    await using echo = await openEcho();
    await using relay = await relayWith(echo.port, { kind: 'stall', direction: 'down', afterBytes: 5_000 });
    await using client = await connectClient(relay.port);
    client.socket.write(content.subarray(0, 6_000));
    await relay.stalled(1);
    client.socket.write('more');
    await until(() => echo.received[0] === 6_004, 'the other direction goes on');
    // Another connection's round trip through the same relay: time enough for bytes that would come.
    await using other = await connectClient(relay.port);
    await other.roundTrip(content);
    expect(client.receivedBytes).toBe(5_000);
    expect(client.ended || client.closed).toBe(false);
  });

  test('ends for the server when the client leaves', async () => {
    await using echo = await openEcho();
    await using relay = await relayWith(echo.port, { kind: 'stall', direction: 'up', afterBytes: 10 });
    await using client = await connectClient(relay.port);
    client.socket.write(content);
    await relay.stalled(1);
    client.reset();
    await client.gone();
    await using other = await connectClient(relay.port);
    await other.roundTrip('x');
    expect(echo.received).toEqual([10, 1]);
  });
});

test('a slow path hands on small pieces and changes nothing else', async () => {
  await using echo = await openEcho();
  await using relay = await relayWith(echo.port, { kind: 'slow', direction: 'up', pieceBytes: 100 });
  await using client = await connectClient(relay.port);
  const little = content.subarray(0, 50_000);
  client.socket.end(little);
  expect((await client.end()).equals(little)).toBe(true);
  expect(relay.pieces).toBeGreaterThanOrEqual(little.length / 100);
});

describe('a seeded plan', () => {
  const options = { faults: 40, direction: 'down', withinBytes: 1_000_000 } as const;
  const faultsOf = (seed: number) => Array.from({ length: 41 }, (_, index) => seededPlan(seed, options)(index));

  test('is the same for the same seed, and another for another', () => {
    expect(faultsOf(1)).toEqual(faultsOf(1));
    expect(faultsOf(1)).not.toEqual(faultsOf(2));
  });

  test('has every kind of fault in both directions, and ends', () => {
    const seen = new Set(faultsOf(1).map((fault) => ('direction' in fault ? `${fault.kind} ${fault.direction}` : '')));
    for (const kind of ['cut', 'stall', 'slow']) {
      for (const direction of ['up', 'down']) expect(seen).toContain(`${kind} ${direction}`);
    }
    expect(faultsOf(1).at(-1)).toEqual({ kind: 'none' });
  });
});
