import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { allBytes, everySplit, seededBytes } from '../../../test/support/splits.ts';
import { type Client, connectClient, until } from '../../../test/support/tcp.ts';
import { BUFFER_SIZES_BYTES, largeBuffers } from '../../src/server/reading.ts';
import type { Serve } from '../../src/server/tcp-connection.ts';
import { SHRINK_AFTER_MS } from '../../src/server/tcp-connection.ts';
import { Harness, modes } from './harness.ts';

const MiB = 1024 * 1024;

/**
 * Writes until the server reads no more, whatever the kernels hold by then: the state of a peer that
 * sends and never reads. Gives everything that was written.
 */
async function stall(harness: Harness, client: Client, seed: number): Promise<Buffer> {
  client.socket.pause();
  const parts: Buffer[] = [];
  const stuck = async (): Promise<boolean> => {
    const before = harness.seen.bytes;
    for (let turn = 0; turn < 20; turn++) await setImmediate();
    return harness.seen.bytes === before && client.socket.writableLength > MiB;
  };
  await until(async () => {
    if (client.socket.writableLength < 2 * MiB) {
      const part = seededBytes(MiB, seed + parts.length);
      parts.push(part);
      client.socket.write(part);
    }
    return stuck();
  }, 'the server is stalled');
  return Buffer.concat(parts);
}

/** Less than a stream's high-water mark: a write of it alone causes no 'drain'. */
const ANSWER = seededBytes(60_000, 500);

/** Much for little: one answer for each byte. */
const answering: Serve = (connection) => ({
  onBytes: (bytes) => {
    for (const _byte of bytes) connection.write(ANSWER);
  },
});

/** Asks byte by byte and takes no answer, until a byte is left unread. Gives how many were sent. */
async function askUntilUnread({ seen }: Harness, client: Client): Promise<number> {
  client.socket.pause();
  for (let asked = 1; ; asked++) {
    const { reads } = seen;
    client.socket.write('?');
    for (let turn = 0; turn < 20 && seen.reads === reads; turn++) await setImmediate();
    if (seen.reads === reads) return asked;
  }
}

describe.each(modes)('reading by %s', (io) => {
  test('every byte value comes back as it is, in order', async () => {
    await using harness = await Harness.start({ io });
    await using client = await connectClient(harness.port);
    expect(await client.roundTrip(allBytes)).toEqual(Buffer.from(allBytes));
  });

  test('an input cut anywhere comes back whole', async () => {
    await using harness = await Harness.start({ io });
    await using client = await connectClient(harness.port);
    const input = Buffer.concat([allBytes, allBytes.toReversed()]);
    for (const [head, tail] of everySplit(input)) {
      const back = Buffer.concat([await client.roundTrip(head), await client.roundTrip(tail)]);
      expect(back.equals(input)).toBe(true);
    }
  });

  test('reads that just fill, just miss and just exceed each size of the buffer come back', async () => {
    await using harness = await Harness.start({ io });
    await using client = await connectClient(harness.port);
    for (const size of BUFFER_SIZES_BYTES) {
      for (const length of [size - 1, size, size + 1]) {
        const sent = seededBytes(length, length);
        expect((await client.roundTrip(sent)).equals(sent)).toBe(true);
      }
    }
  });

  test('after a quiet time has shrunk the buffer, what comes back is what was sent then', async () => {
    await using harness = await Harness.start({ io });
    await using client = await connectClient(harness.port);
    await client.roundTrip(seededBytes(BUFFER_SIZES_BYTES[2] * 2, 1));
    for (let round = 0; round < 3; round++) {
      harness.look();
      harness.pass(SHRINK_AFTER_MS);
      const sent = seededBytes(BUFFER_SIZES_BYTES[0] * 3, 2 + round);
      expect((await client.roundTrip(sent)).equals(sent)).toBe(true);
    }
  });

  test('large buffers have a budget: what is taken comes back with the quiet and with the end', async () => {
    await using harness = await Harness.start({ io });
    const before = largeBuffers.freeBytes;
    const taken = (): number => before - largeBuffers.freeBytes;
    await using first = await connectClient(harness.port);
    const sent = seededBytes(2 * MiB, 5);
    expect((await first.roundTrip(sent)).equals(sent)).toBe(true);
    if (io === 'onread') expect(taken()).toBeGreaterThan(0);
    harness.look();
    harness.pass(SHRINK_AFTER_MS);
    expect(taken()).toBe(0);
    expect((await first.roundTrip(sent)).equals(sent)).toBe(true);
    first.socket.end();
    await first.end();
    await harness.record('connection-closed');
    expect(taken()).toBe(0);
  });

  test('without room for a large buffer a connection reads on in a small one', async () => {
    await using harness = await Harness.start({ io });
    const all = largeBuffers.freeBytes;
    largeBuffers.take(all);
    try {
      await using client = await connectClient(harness.port);
      const sent = seededBytes(MiB, 6);
      expect((await client.roundTrip(sent)).equals(sent)).toBe(true);
    } finally {
      largeBuffers.giveBack(all);
    }
  });

  test('half-close with much under way: everything comes back, then FIN', async () => {
    await using harness = await Harness.start({ io });
    await using client = await connectClient(harness.port);
    const sent = seededBytes(8 * MiB, 3);
    client.socket.end(sent);
    expect((await client.end()).equals(sent)).toBe(true);
    expect(await harness.record('connection-closed')).toMatchObject({
      reason: 'peer-closed',
      bytesIn: sent.length,
      bytesOut: sent.length,
    });
  });

  test('bytes that wait for a slow reader are not overwritten by what others send meanwhile', async () => {
    await using harness = await Harness.start({ io });
    await using slow = await connectClient(harness.port);
    const waiting = await stall(harness, slow, 100);
    await using other = await connectClient(harness.port);
    for (let round = 0; round < 8; round++) {
      const sent = seededBytes(BUFFER_SIZES_BYTES[2], 1000 + round);
      expect((await other.roundTrip(sent)).equals(sent)).toBe(true);
    }
    slow.socket.resume();
    slow.socket.end();
    expect((await slow.end()).equals(waiting)).toBe(true);
  });

  test('many connections with pauses of their own never see one another, nor their own bytes out of order', async () => {
    await using harness = await Harness.start({ io });
    const sent = Array.from({ length: 24 }, (_, index) => seededBytes(MiB + index * 1009, 50 + index));
    const clients = await Promise.all(sent.map(() => connectClient(harness.port)));
    for (const [index, client] of clients.entries()) {
      // A reader that stops at each piece makes writes of the server wait at moments of its own.
      client.socket.on('data', () => {
        client.socket.pause();
        setImmediate().then(() => client.socket.resume());
      });
      client.socket.end(sent[index] ?? '');
    }
    const received = await Promise.all(clients.map((client) => client.end()));
    for (const [index, bytes] of received.entries()) expect(bytes.equals(sent[index] ?? Buffer.alloc(0))).toBe(true);
  });

  test('while an answer waits nothing more is read: small reads can not pile up either', async () => {
    await using harness = await Harness.start({ io, idleTimeoutMs: 60_000 }, answering);
    await using client = await connectClient(harness.port);
    await askUntilUnread(harness, client);
    const asked = harness.seen.bytes;
    harness.look();
    harness.pass(60_000);
    const { reason, bytesOut } = await harness.record('connection-closed');
    expect(reason).toBe('write-stalled');
    const waited = asked * ANSWER.length - Number(bytesOut);
    expect(waited).toBeGreaterThan(0);
    expect(waited).toBeLessThanOrEqual(ANSWER.length);
    client.socket.destroy();
  });

  test('an answer below the high-water mark that waits stops the reading only until it is taken', async () => {
    await using harness = await Harness.start({ io }, answering);
    await using client = await connectClient(harness.port);
    const asked = await askUntilUnread(harness, client);
    client.socket.end();
    client.socket.resume();
    expect((await client.end()).length).toBe(asked * ANSWER.length);
  });

  test('a service may answer after its peer has ended', async () => {
    await using harness = await Harness.start({ io }, (connection) => ({
      onBytes: () => {},
      onEnd: () => {
        setImmediate().then(() => {
          connection.write('late');
          connection.close('server-closed');
        });
      },
    }));
    await using client = await connectClient(harness.port);
    client.socket.end('hi');
    expect(String(await client.end())).toBe('late');
    expect(await harness.record('connection-closed')).toMatchObject({ reason: 'server-closed', bytesOut: 4 });
  });

  test('a service that ends its side while bytes wait still reads what comes afterwards', async () => {
    const answer = seededBytes(16 * MiB, 300);
    await using harness = await Harness.start({ io }, (connection) => ({
      onBytes: () => {
        connection.write(answer);
        connection.end();
      },
    }));
    await using client = await connectClient(harness.port);
    client.socket.write('go');
    expect((await client.end()).equals(answer)).toBe(true);
    client.socket.end('and thanks');
    expect(await harness.record('connection-closed')).toMatchObject({ bytesIn: 12, reason: 'peer-closed' });
  });
});
