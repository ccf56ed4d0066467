import { describe, expect, test } from 'vitest';
import { type Client, connectClient } from '../../../test/support/tcp.ts';
import { RATE_WINDOW_MS } from '../../src/server/tcp-connection.ts';
import { Harness } from './harness.ts';

const PAUSE_MS = 5_000;

/** Sends a byte every five seconds until a rate window is over, and has each back. */
async function drip(harness: Harness, client: Client, bytesEach = 1): Promise<void> {
  for (let ms = 0; ms < RATE_WINDOW_MS; ms += PAUSE_MS) {
    await client.roundTrip('x'.repeat(bytesEach));
    harness.pass(PAUSE_MS);
  }
}

describe('a peer that sends a byte every few seconds', () => {
  test('gives its place to whoever needs it, and is told apart in the log', async () => {
    await using harness = await Harness.start({ maxConnections: 1 });
    await using slow = await connectClient(harness.port);
    await drip(harness, slow);
    await using newcomer = await connectClient(harness.port);
    expect(String(await newcomer.roundTrip('hello'))).toBe('hello');
    expect(await harness.record('connection-closed')).toMatchObject({ conn: '1', reason: 'too-slow', bytesIn: 6 });
    expect([harness.listener.open, harness.events('connection-refused')]).toEqual([1, []]);
  });

  test('keeps its place for as long as nobody needs it', async () => {
    await using harness = await Harness.start({ maxConnections: 2 });
    await using slow = await connectClient(harness.port);
    for (let windows = 0; windows < 3; windows += 1) await drip(harness, slow);
    await using other = await connectClient(harness.port);
    await other.roundTrip('hello');
    expect(String(await slow.roundTrip('still here'))).toBe('still here');
  });

  test('is closed as soon as it is slow, if that is asked for', async () => {
    await using harness = await Harness.start({ slowPeers: 'close' });
    await using slow = await connectClient(harness.port);
    await drip(harness, slow);
    expect(await harness.record('connection-closed')).toMatchObject({ reason: 'too-slow' });
  });

  test('holds its place with --min-rate off', async () => {
    await using harness = await Harness.start({ maxConnections: 1, minRateBytes: 0 });
    await using slow = await connectClient(harness.port);
    await drip(harness, slow);
    await using newcomer = await connectClient(harness.port);
    await newcomer.end();
    expect(harness.events('connection-refused')).toMatchObject([{ reason: 'max-connections' }]);
  });
});

describe('who is not slow', () => {
  test('moves the rate, both ways together', async () => {
    await using harness = await Harness.start({ maxConnections: 1 });
    await using steady = await connectClient(harness.port);
    // 20 bytes in and 20 out in 5 s are 8 a second.
    await drip(harness, steady, 20);
    await using newcomer = await connectClient(harness.port);
    await newcomer.end();
    expect(String(await steady.roundTrip('on'))).toBe('on');
  });

  test('is younger than the window', async () => {
    await using harness = await Harness.start({ maxConnections: 1 });
    await using young = await connectClient(harness.port);
    await young.roundTrip('x');
    harness.pass(RATE_WINDOW_MS - 1);
    await using newcomer = await connectClient(harness.port);
    await newcomer.end();
    expect(harness.events('connection-refused')).toHaveLength(1);
  });

  test('was slow and then moved enough', async () => {
    await using harness = await Harness.start({ maxConnections: 1 });
    await using client = await connectClient(harness.port);
    await drip(harness, client);
    await client.roundTrip('x'.repeat(1_000));
    harness.look();
    await using newcomer = await connectClient(harness.port);
    await newcomer.end();
    expect(String(await client.roundTrip('on'))).toBe('on');
  });
});

test('of several slow ones each newcomer gets the place of the one open longest, and the count stays right', async () => {
  await using harness = await Harness.start({ maxConnections: 3 });
  const clients: Client[] = [];
  for (let index = 0; index < 3; index += 1) {
    const client = await connectClient(harness.port);
    clients.push(client);
    await client.roundTrip('x');
  }
  harness.pass(RATE_WINDOW_MS);
  for (let index = 0; index < 3; index += 1) {
    const client = await connectClient(harness.port);
    clients.push(client);
    await client.roundTrip('x');
    await harness.record('connection-closed', index + 1);
    expect(harness.listener.open).toBe(3);
  }
  expect(harness.events('connection-closed').map(({ conn }) => conn)).toEqual(['1', '2', '3']);
  await using late = await connectClient(harness.port);
  await late.end();
  expect(harness.events('connection-refused')).toMatchObject([{ reason: 'max-connections' }]);
  for (const client of clients) await client[Symbol.asyncDispose]();
});

test('with a cap for each source a flood from one throttles that one alone', async () => {
  await using harness = await Harness.start({ maxConnections: 12, maxConnectionsPerSource: 4 });
  const flood = await Promise.all(
    Array.from({ length: 40 }, () => connectClient(harness.port, { localAddress: '127.0.0.2' })),
  );
  for (let visitor = 0; visitor < 3; visitor += 1) {
    await using client = await connectClient(harness.port, { localAddress: '127.0.0.3' });
    expect(String(await client.roundTrip('hello'))).toBe('hello');
  }
  harness.pass(10_000);
  const refusals = harness.events('connection-refused');
  expect(refusals.reduce((sum, { refused }) => sum + Number(refused), 0)).toBe(36);
  for (const { msg } of refusals) expect(msg).toMatch(/^127\.0\.0\.2: /);
  for (const client of flood) await client[Symbol.asyncDispose]();
});
