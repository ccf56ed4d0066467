import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../src/inet/address.ts';
import { BATCH_SLOTS, DatagramBatch } from '../../src/native/datagram-batch.ts';
import { type Libc, loadLibc } from '../../src/native/linux.ts';
import { openReadiness, type Readiness } from '../../src/native/readiness.ts';
import { bindUdp, type UdpSocket } from '../../src/native/udp-socket.ts';
import { type Client, openClient } from '../server/udp-support.ts';

const loaded = loadLibc();
const native = openReadiness(process);

const ip = (text: string) => {
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
};

describe.runIf(loaded.available && native.available)('datagrams by the batch', () => {
  const libc = (loaded as { libc: Libc }).libc;

  const bind = (address: string, wants: { reusePort?: boolean; port?: number } = {}): UdpSocket =>
    bindUdp(libc, { address: ip(address), port: wants.port ?? 0, reusePort: wants.reusePort ?? false, buffers: {} });

  const batchOf = (socket: UdpSocket): DatagramBatch =>
    new DatagramBatch({ libc, fd: socket.fd, family: socket.family, repliesFromDestination: socket.wildcard });

  /** Resolves when the socket is readable. */
  const readable = async (socket: UdpSocket): Promise<void> => {
    if (!native.available) throw new Error(native.gap);
    const { promise, resolve } = Promise.withResolvers<void>();
    const readiness: Readiness = native.open(socket.fd, resolve);
    await promise;
    await readiness.close();
  };

  /** Sends payloads and receives until all of them are in a batch. */
  const receiveAll = async (socket: UdpSocket, batch: DatagramBatch, client: Client, payloads: readonly string[]) => {
    for (const payload of payloads) client.send(Buffer.from(payload), socket.port);
    // On the loopback a datagram that was sent has arrived; the last callback of send comes after it.
    await new Promise((resolve) => client.socket.send('', client.port, '127.0.0.1', resolve));
    await readable(socket);
    return batch.receive();
  };

  const payloadOf = (batch: DatagramBatch, slot: number): string =>
    batch.memory.toString('latin1', batch.payloadOffset(slot), batch.payloadOffset(slot) + batch.length(slot));

  test('an empty queue is EAGAIN, at once', () => {
    const socket = bind('127.0.0.1');
    expect(batchOf(socket).receive()).toBe('EAGAIN');
    socket.close();
  });

  test('a batch holds every datagram in its order, empty ones too, and all are answered with one call', async () => {
    const socket = bind('127.0.0.1');
    await using client = await openClient();
    const batch = batchOf(socket);
    const payloads = ['first', '', 'third'];
    expect(await receiveAll(socket, batch, client, payloads)).toBe(3);
    expect([0, 1, 2].map((slot) => payloadOf(batch, slot))).toEqual(payloads);
    for (const slot of [0, 1, 2]) batch.reply(slot, batch.length(slot));
    expect(batch.send()).toBe(3);
    expect(batch.unsent).toBe(0);
    await client.arrived(4);
    const echoed = client.received.filter(({ from }) => from.endsWith(` ${socket.port}`));
    expect(echoed.map(({ bytes }) => bytes.toString())).toEqual(payloads);
    socket.close();
  });

  test('datagrams without a reply leave no gap, in this batch and in the next ones', async () => {
    const socket = bind('127.0.0.1');
    await using client = await openClient();
    const batch = batchOf(socket);
    const expected: string[] = [];
    // Which slots are answered: all kinds of gaps, one after another, so that every header is pointed anew.
    for (const answered of [[1, 3], [0, 1, 2, 3], [3], [0, 2], [2, 3], [0, 1, 2, 3]]) {
      const payloads = [0, 1, 2, 3].map((slot) => `${answered.join('')}-${slot}`);
      expect(await receiveAll(socket, batch, client, payloads)).toBe(4);
      for (const slot of answered) batch.reply(slot, batch.length(slot));
      expect(batch.send()).toBe(answered.length);
      expected.push(...answered.map((slot) => payloads[slot] ?? ''));
    }
    await client.arrived(expected.length + 6);
    const echoed = client.received.filter(({ from }) => from.endsWith(` ${socket.port}`));
    expect(echoed.map(({ bytes }) => bytes.toString())).toEqual(expected);
    socket.close();
  });

  test('a burst beyond one batch is taken in several', async () => {
    const socket = bind('127.0.0.1');
    await using client = await openClient();
    const batch = batchOf(socket);
    const payloads = Array.from({ length: BATCH_SLOTS + 6 }, (_, index) => `datagram ${index}`);
    expect(await receiveAll(socket, batch, client, payloads)).toBe(BATCH_SLOTS);
    const last = payloadOf(batch, BATCH_SLOTS - 1);
    expect(last).toBe(`datagram ${BATCH_SLOTS - 1}`);
    expect(batch.receive()).toBe(6);
    expect(payloadOf(batch, 5)).toBe(payloads.at(-1));
    socket.close();
  });

  test('a reply that the system refuses is named, given up alone, and the others go out', async () => {
    const socket = bind('127.0.0.1');
    await using client = await openClient();
    const batch = batchOf(socket);
    expect(await receiveAll(socket, batch, client, ['a', 'b', 'c'])).toBe(3);
    for (const slot of [0, 1, 2]) batch.reply(slot, batch.length(slot));
    // Port 0 in the second peer's address: sendmsg(2) says EINVAL.
    batch.memory.writeUInt16BE(0, batch.nameOffset(1) + 2);
    expect(batch.send()).toBe(1);
    expect(batch.unsentSlot()).toBe(1);
    expect(batch.send()).toBe('EINVAL');
    batch.skip();
    expect(batch.send()).toBe(1);
    expect(batch.unsent).toBe(0);
    await client.arrived(3);
    const echoed = client.received.filter(({ from }) => from.endsWith(` ${socket.port}`));
    expect(echoed.map(({ bytes }) => bytes.toString())).toEqual(['a', 'c']);
    socket.close();
  });

  test.each([
    ['0.0.0.0', '127.0.0.1', '127.0.0.1'],
    ['0.0.0.0', '127.0.0.1', '127.0.0.9'],
    ['::', '::1', '::1'],
    ['::', '127.0.0.1', '127.0.0.9'],
  ])('bound to %s, a client at %s is answered from %s, where it sent to', async (wildcard, from, to) => {
    const socket = bind(wildcard);
    await using client = await openClient(from);
    const batch = batchOf(socket);
    for (const round of ['one', 'two']) {
      client.send(Buffer.from(round), socket.port, to);
      await readable(socket);
      expect(batch.receive()).toBe(1);
      batch.reply(0, batch.length(0));
      expect(batch.send()).toBe(1);
    }
    await client.arrived(2);
    expect(client.received.map((datagram) => datagram.from)).toEqual([`${to} ${socket.port}`, `${to} ${socket.port}`]);
    socket.close();
  });

  test('collecting garbage between receiving and sending changes nothing', async () => {
    const socket = bind('127.0.0.1');
    await using client = await openClient();
    const batch = batchOf(socket);
    for (let round = 0; round < 20; round++) {
      expect(await receiveAll(socket, batch, client, [`round ${round}`])).toBe(1);
      // Large, short-lived buffers make the collector run and reuse memory, were any of ours given back.
      for (let index = 0; index < 16; index++) Buffer.alloc(1024 ** 2, index);
      batch.reply(0, batch.length(0));
      expect(batch.send()).toBe(1);
    }
    await client.arrived(40);
    const echoed = client.received.filter(({ from }) => from.endsWith(` ${socket.port}`));
    expect(echoed.map(({ bytes }) => bytes.toString())).toEqual(Array.from({ length: 20 }, (_, n) => `round ${n}`));
    socket.close();
  });

  test('a port that is taken is EADDRINUSE, unless both share it', () => {
    const first = bind('127.0.0.1');
    expect(() => bind('127.0.0.1', { port: first.port })).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }));
    first.close();
    const sharing = bind('127.0.0.1', { reusePort: true });
    bind('127.0.0.1', { port: sharing.port, reusePort: true }).close();
    sharing.close();
  });

  test('an address of nobody here is EADDRNOTAVAIL', () => {
    expect(() => bind('192.0.2.1')).toThrow(expect.objectContaining({ code: 'EADDRNOTAVAIL' }));
  });

  test('an error thrown when ready is an uncaught exception, not an abort', async () => {
    if (!native.available) throw new Error(native.gap);
    const socket = bind('127.0.0.1');
    await using client = await openClient();
    const caught = Promise.withResolvers<Error>();
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', caught.resolve);
    const batch = batchOf(socket);
    const readiness = native.open(socket.fd, () => {
      batch.receive();
      throw new Error('from inside the callback');
    });
    client.send(Buffer.from('x'), socket.port);
    expect((await caught.promise).message).toBe('from inside the callback');
    for (const listener of listeners) process.on('uncaughtException', listener);
    await readiness.close();
    socket.close();
  });
});
