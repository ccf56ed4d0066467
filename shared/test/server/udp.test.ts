import { describe, expect, test } from 'vitest';
import { AppError } from '../../src/errors.ts';
import { parseCidr } from '../../src/inet/cidr.ts';
import { loadLibc } from '../../src/native/linux.ts';
import type { Answer } from '../../src/server/datagram-io.ts';
import { listenUdp, type UdpListener } from '../../src/server/udp.ts';
import type { UdpConfig } from '../../src/server/udp-settings.ts';
import { keptLog, openClient } from './udp-support.ts';

const echo: Answer = (_memory, _offset, length) => length;

const defaults: UdpConfig = {
  host: '127.0.0.1',
  port: 0,
  reusePort: false,
  recvBufferBytes: 4 * 1024 ** 2,
  sendBufferBytes: 0,
  io: 'auto',
  ratePerSource: 'auto',
  maxSources: 1_000,
  allow: [],
  deny: [],
  summaryIntervalMs: 60_000,
};

interface Running extends AsyncDisposable {
  readonly listener: UdpListener;
  readonly port: number;
  readonly records: ReturnType<typeof keptLog>['records'];
  stop(): Promise<void>;
}

async function listen(config: Partial<UdpConfig>, answer: Answer = echo): Promise<Running> {
  const { log, records } = keptLog();
  const stopping = new AbortController();
  const listener = await listenUdp({ config: { ...defaults, ...config }, log, signal: stopping.signal, answer });
  const stop = (): Promise<void> => {
    stopping.abort();
    return listener.closed;
  };
  const port = listener.listeners[0]?.port ?? 0;
  return { listener, port, records, stop, [Symbol.asyncDispose]: stop };
}

const blocks = (text: string) => {
  const parsed = parseCidr(text);
  return parsed.ok ? [parsed.value] : [];
};

const native = loadLibc().available;
const kinds = native ? (['batch', 'dgram'] as const) : (['dgram'] as const);

describe.each(kinds)('a UDP listener with --io %s', (io) => {
  test('says where it listens, how, and what its buffers are', async () => {
    await using server = await listen({ io });
    expect(server.listener.listeners).toEqual([
      expect.objectContaining({ transport: 'udp', address: '127.0.0.1', port: server.port, io }),
    ]);
    expect(server.listener.listeners[0]?.recvBufferBytes).toBeGreaterThan(100_000);
  });

  test.each(['127.0.0.1', '::1'])('every size comes back unchanged, on %s', async (host) => {
    await using server = await listen({ io, host });
    await using client = await openClient(host);
    const sizes = [0, 1, 2, 63, 64, 1_472, 1_473, 8_192, 65_507];
    for (const [index, size] of sizes.entries()) {
      const bytes = Buffer.from(Array.from({ length: size }, (_, at) => (at * 31 + index) & 0xff));
      client.send(bytes, server.port);
      await client.arrived(index + 1);
      const answer = client.received[index];
      expect(answer?.bytes.equals(bytes), `${size} bytes`).toBe(true);
      expect(answer?.from).toBe(`${host} ${server.port}`);
    }
  });

  test('a dual-stack listener answers both families and names IPv4 peers as IPv4', async () => {
    await using server = await listen({ io, host: '::' });
    await using ipv4 = await openClient('127.0.0.1');
    await using ipv6 = await openClient('::1');
    ipv4.send(Buffer.from('four'), server.port);
    ipv6.send(Buffer.from('six'), server.port);
    await ipv4.arrived(1);
    await ipv6.arrived(1);
    await server.stop();
    const peers = server.records.filter(({ event }) => event === 'datagrams').map(({ peer }) => peer);
    expect(peers.sort()).toEqual([`127.0.0.1:${ipv4.port}`, `[::1]:${ipv6.port}`].sort());
  });

  test('a burst of many clients is answered, each with its own, and every datagram is counted', async () => {
    await using server = await listen({ io });
    const clients = await Promise.all(Array.from({ length: 20 }, () => openClient()));
    for (let round = 0; round < 20; round++) {
      for (const [index, client] of clients.entries()) client.send(Buffer.from(`${index}:${round}`), server.port);
    }
    await Promise.all(clients.map((client) => client.arrived(20)));
    for (const [index, client] of clients.entries()) {
      const texts = client.received.map(({ bytes }) => bytes.toString());
      expect(texts).toEqual(Array.from({ length: 20 }, (_, round) => `${index}:${round}`));
      await client[Symbol.asyncDispose]();
    }
    expect(await server.listener.readCounts()).toMatchObject({ received: 400, echoed: 400, sources: 1 });
  });

  test('a service may answer with less, with other bytes in place, or not at all, and never with more', async () => {
    const answers: Answer = (memory, offset, length) => {
      if (length === 0) return -1;
      memory[offset] = 0x21;
      return length === 1 ? 1_000 : 2;
    };
    await using server = await listen({ io }, answers);
    await using client = await openClient();
    for (const text of ['', 'a', 'abcd']) client.send(Buffer.from(text), server.port);
    await client.arrived(2);
    expect(client.received.map(({ bytes }) => bytes.toString())).toEqual(['!', '!b']);
    expect(await server.listener.readCounts()).toMatchObject({ received: 3, echoed: 2, bytesIn: 5, bytesOut: 3 });
  });

  test('our own port as a source gets no answer; the next port does', async () => {
    await using server = await listen({ io });
    await using self = await openClient('127.0.0.2', server.port);
    await using other = await openClient('127.0.0.2');
    self.send(Buffer.from('loop?'), server.port, '127.0.0.1');
    other.send(Buffer.from('no loop'), server.port, '127.0.0.1');
    await other.arrived(1);
    expect(self.received).toEqual([]);
    const counts = await server.listener.readCounts();
    expect(counts.dropped).toMatchObject({ 'loop-guard': 1 });
    expect(counts).toMatchObject({ received: 2, echoed: 1 });
  });

  test('access lists, the rate and the number of sources hold, with their reasons', async () => {
    const config = { io, host: '0.0.0.0', deny: blocks('127.0.0.2'), ratePerSource: 3, maxSources: 2 } as const;
    await using server = await listen(config);
    const sources = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4'];
    const clients = await Promise.all(sources.map((host) => openClient(host)));
    // One after another, each confirmed by its effect, so that the order is certain.
    for (const [index, client] of clients.entries()) {
      for (let sent = 0; sent < 5; sent++) client.send(Buffer.from('x'), server.port, '127.0.0.1');
      await counted(server, (index + 1) * 5);
    }
    const { dropped, received } = await server.listener.readCounts();
    expect(received).toBe(20);
    expect(dropped.denied).toBe(5);
    // The rate is at least kept; a slow machine may have refilled a token or two.
    expect(dropped['rate-limited']).toBeGreaterThan(0);
    expect(dropped['rate-limited']).toBeLessThanOrEqual(4);
    expect(dropped['too-many-sources']).toBeGreaterThan(0);
    const reasons = server.records.filter(({ event }) => event === 'datagram-dropped').map(({ reason }) => reason);
    expect([...new Set(reasons)].sort()).toEqual(['denied', 'rate-limited', 'too-many-sources']);
    for (const client of clients) await client[Symbol.asyncDispose]();
  });

  test('limits follow a reload', async () => {
    await using server = await listen({ io });
    await using client = await openClient();
    client.send(Buffer.from('before'), server.port);
    await client.arrived(1);
    server.listener.reconfigure({ ...defaults, deny: blocks('127.0.0.0/8') });
    client.send(Buffer.from('denied'), server.port);
    await counted(server, 2);
    server.listener.reconfigure(defaults);
    client.send(Buffer.from('after'), server.port);
    await client.arrived(2);
    expect(client.received.map(({ bytes }) => bytes.toString())).toEqual(['before', 'after']);
  });

  test('a stop answers what has arrived, writes the last summary and lets the port go', async () => {
    const server = await listen({ io });
    await using client = await openClient();
    for (let sent = 0; sent < 100; sent++) client.send(Buffer.from(`${sent}`), server.port);
    // The last callback of send: all of them are in the server's receive buffer now.
    await new Promise((resolve) => client.socket.send('100', server.port, '127.0.0.1', resolve));
    await server.stop();
    await client.arrived(101);
    const summary = server.records.findLast(({ event }) => event === 'datagrams');
    expect(summary).toMatchObject({ received: 101, echoed: 101, dropped: 0 });
    await using again = await listen({ io, port: server.port });
    expect(again.port).toBe(server.port);
  });

  test('a stop before the first datagram is quiet', async () => {
    const server = await listen({ io });
    await server.stop();
    expect(server.records).toEqual([]);
  });

  test('a port in use, an address of nobody here and an unknown name are errors for a person', async () => {
    await using server = await listen({ io });
    await expect(listen({ io, port: server.port })).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' });
    await expect(listen({ io, port: server.port })).rejects.toThrow(`127.0.0.1:${server.port}/udp is in use by`);
    await expect(listen({ io, host: '192.0.2.1' })).rejects.toMatchObject({ code: 'ADDRESS_NOT_AVAILABLE' });
    await expect(listen({ io, host: 'no-such-name.invalid' })).rejects.toBeInstanceOf(AppError);
  });

  test('several listeners share a port when told to, and together answer everybody', async () => {
    await using one = await listen({ io, reusePort: true });
    await using two = await listen({ io, reusePort: true, port: one.port });
    const clients = await Promise.all(Array.from({ length: 40 }, () => openClient()));
    for (const client of clients) client.send(Buffer.from('x'), one.port);
    await Promise.all(clients.map((client) => client.arrived(1)));
    const counts = [await one.listener.readCounts(), await two.listener.readCounts()];
    expect(counts.reduce((sum, { echoed }) => sum + echoed, 0)).toBe(40);
    // The kernel spreads by a hash of the ports: that all 40 fall to one has a chance of 1 in 2^39.
    for (const { echoed } of counts) expect(echoed).toBeGreaterThan(0);
    for (const client of clients) await client[Symbol.asyncDispose]();
  });

  test.runIf(process.platform === 'linux')(
    'what the system threw away is said; with the rest it is all that was sent',
    async () => {
      const server = await listen({ io, recvBufferBytes: 4_096 });
      await using client = await openClient();
      // While this loop runs the listener, in the same thread, reads nothing; its buffer holds a few.
      for (let sent = 0; sent < 200; sent++) client.send(Buffer.alloc(1_000), server.port);
      await new Promise((resolve) => client.socket.send('', server.port, '127.0.0.1', resolve));
      await server.stop();
      const summary = server.records.find(({ event }) => event === 'datagrams');
      const overflow = server.records.find(({ event }) => event === 'receive-buffer-overflow');
      expect(overflow?.dropped).toBeGreaterThan(0);
      expect(Number(summary?.received) + Number(overflow?.dropped)).toBe(201);
    },
  );
});

/** Waits until the server has counted so many datagrams: each look lets the event loop run. */
async function counted(server: Running, received: number): Promise<void> {
  while ((await server.listener.readCounts()).received < received) await new Promise(setImmediate);
}

test('a burst that arrived together is one batch: the clock is read once', async ({ skip }) => {
  if (!native) skip();
  const { log } = keptLog();
  const stopping = new AbortController();
  let readings = 0;
  const clock = (): number => {
    readings += 1;
    return 0;
  };
  const config = { ...defaults, io: 'batch' } as const;
  const listener = await listenUdp({ config, log, signal: stopping.signal, answer: echo, clock });
  await using client = await openClient();
  const atStart = readings;
  const port = listener.listeners[0]?.port ?? 0;
  for (let sent = 0; sent < 32; sent++) client.send(Buffer.from(`${sent}`), port);
  await client.arrived(32);
  expect(readings - atStart).toBeLessThan(32);
  stopping.abort();
  await listener.closed;
});

describe.runIf(native)('a hand-over to the next process', () => {
  test('after it each datagram is the successor’s', async () => {
    await using first = await listen({ io: 'batch', reusePort: true });
    await using second = await listen({ io: 'batch', reusePort: true, port: first.port });
    expect(first.listener.handOver()).toBeUndefined();
    // With the sockets still sharing, each of these would go to the first one with a chance of a half.
    const clients = await Promise.all(Array.from({ length: 32 }, () => openClient()));
    for (const client of clients) client.send(Buffer.from('x'), first.port);
    await Promise.all(clients.map((client) => client.arrived(1)));
    expect((await first.listener.readCounts()).received).toBe(0);
    expect((await second.listener.readCounts()).received).toBe(clients.length);
    for (const client of clients) await client[Symbol.asyncDispose]();
  });

  test('on node:dgram it says why it can not', async () => {
    await using server = await listen({ io: 'dgram', reusePort: true });
    expect(server.listener.handOver()).toContain('no descriptor');
  });
});
