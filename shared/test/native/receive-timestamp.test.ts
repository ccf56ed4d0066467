import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { parseAddress } from '../../src/inet/address.ts';
import { encodeSocketAddress, openStampedSocket, type StampedSocket } from '../../src/native/receive-timestamp.ts';

const ip = (text: string) => {
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
};

test('addresses as the C library has them', () => {
  expect(encodeSocketAddress(ip('192.0.2.1'), 123).toString('hex')).toBe('0200007bc00002010000000000000000');
  expect(encodeSocketAddress(ip('2001:db8::1'), 4460).toString('hex')).toBe(
    '0a00116c0000000020010db800000000000000000000000100000000',
  );
  expect(encodeSocketAddress(ip('fe80::1%7'), 1).readUInt32LE(24)).toBe(7);
  expect(encodeSocketAddress(ip('fe80::1%nosuch'), 1).readUInt32LE(24)).toBe(0);
});

test('where native calls can not be made, the reason is the result', async () => {
  expect(await openStampedSocket(ip('127.0.0.1'), 1, { available: false, gap: 'ffi-off' })).toEqual({
    available: false,
    gap: 'ffi-off',
  });
});

describe.runIf(process.platform === 'linux')('a stamped socket', () => {
  const closers: (() => unknown)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  const open = async (port: number): Promise<StampedSocket> => {
    const result = await openStampedSocket(ip('127.0.0.1'), port);
    if (!result.available) throw new Error(result.gap);
    closers.push(() => result.socket.close());
    return result.socket;
  };

  const nowNs = (): bigint => Temporal.Now.instant().epochNanoseconds;

  test('stamps what it sends before it is sent and what comes before it is read, each datagram its own', async () => {
    const server = createSocket('udp4').bind(0, '127.0.0.1');
    closers.push(() => server.close());
    await once(server, 'listening');
    const receivedNs: bigint[] = [];
    server.on('message', (bytes, { port, address }) => {
      receivedNs.push(nowNs());
      server.send(bytes, port, address);
    });
    const socket = await open(server.address().port);
    const { promise, resolve } = Promise.withResolvers<void>();
    const stamps: { readonly text: string; readonly kernelNs: bigint; readonly readNs: bigint }[] = [];
    socket.onMessage((bytes, _from, kernelUnixNs) => {
      stamps.push({ text: bytes.toString(), kernelNs: kernelUnixNs ?? 0n, readNs: nowNs() });
      if (stamps.length === 3) resolve();
    });
    const sentNs = ['a', 'b', 'c'].map((text) => socket.send(Buffer.from(text)));
    await promise;
    expect(stamps.map(({ text }) => text)).toEqual(['a', 'b', 'c']);
    for (const [index, { kernelNs, readNs }] of stamps.entries()) {
      // The clock of JavaScript is cut to a few hundred nanoseconds.
      expect(kernelNs).toBeGreaterThan(sentNs[index] ?? 0n);
      expect(kernelNs).toBeLessThanOrEqual(readNs + 1_000n);
    }
    expect((stamps[0]?.kernelNs ?? 0n) < (stamps[2]?.kernelNs ?? 0n)).toBe(true);
  });

  test('hears from nobody but the one it talks with', async () => {
    const server = createSocket('udp4').bind(0, '127.0.0.1');
    const stranger = createSocket('udp4').bind(0, '127.0.0.1');
    closers.push(
      () => server.close(),
      () => stranger.close(),
    );
    await Promise.all([once(server, 'listening'), once(stranger, 'listening')]);
    const socket = await open(server.address().port);
    const heard: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.onMessage((bytes) => {
      heard.push(bytes.toString());
      if (heard.includes('end')) resolve();
    });
    server.on('message', (_bytes, { port }) => {
      stranger.send('forged', port, '127.0.0.1', () => server.send('end', port, '127.0.0.1'));
    });
    socket.send(Buffer.from('?'));
    await promise;
    expect(heard).toEqual(['end']);
  });

  test('says ECONNREFUSED for a closed port', async () => {
    const closed = createSocket('udp4').bind(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address();
    closed.close();
    await once(closed, 'close');
    const socket = await open(port);
    const failed = new Promise<string | undefined>((resolve) => socket.onError(({ code }) => resolve(code)));
    socket.send(Buffer.from('?'));
    expect(await failed).toBe('ECONNREFUSED');
  });
});
