import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type Libc, loadLibc } from '../../src/native/linux.ts';
import {
  bindTcp,
  judgeBufferSize,
  readSocketOptions,
  setBufferSizes,
  withFreshSocket,
} from '../../src/native/socket-options.ts';

const KIB = 1024;

test('a request comes back doubled, cut to twice the limit, or raised to the minimum', () => {
  expect(judgeBufferSize(65_536, 131_072, 'net.core.rmem_max').limitedBy).toBeUndefined();
  expect(judgeBufferSize(65_536, 100_000, 'net.core.rmem_max').limitedBy).toBe('net.core.rmem_max');
  expect(judgeBufferSize(1, 2_304, 'net.core.rmem_max').limitedBy).toBeUndefined();
  expect(judgeBufferSize(undefined, 2_304, 'net.core.rmem_max').limitedBy).toBeUndefined();
});

test('without native calls or a descriptor the report says why and what stays without effect', () => {
  const request = { receiveBufferBytes: 65_536 };
  expect(setBufferSizes(3, request, { available: false, gap: 'not-linux' })).toMatchObject({
    available: false,
    gap: 'not-linux',
    message: expect.stringContaining('Linux'),
    request,
  });
  const libc = {} as Libc;
  expect(setBufferSizes(-1, request, { available: true, libc })).toMatchObject({ gap: 'no-descriptor' });
});

test.each([0, -1, 1.5, 2 ** 30 + 1, Number.NaN])('a size of %s is refused', (receiveBufferBytes) => {
  expect(() => setBufferSizes(3, { receiveBufferBytes })).toThrow(RangeError);
});

describe.runIf(process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch))('on this host', () => {
  const closers: (() => unknown)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  const native = (): Libc => {
    const loaded = loadLibc();
    if (!loaded.available) throw new Error(loaded.gap);
    return loaded.libc;
  };

  test('a call that fails is reported with its name', () => {
    expect(setBufferSizes(2 ** 20, {})).toMatchObject({ gap: 'call-failed', message: 'getsockopt: EBADF' });
  });

  test('a request above the kernel limit is cut, and the setting that cut it is named', () => {
    const limit = Number(readFileSync('/proc/sys/net/core/rmem_max', 'utf8'));
    const { socket, buffers } = bindTcp({ host: '127.0.0.1', port: 0 }, { receiveBufferBytes: limit * 2 });
    socket.close();
    expect(buffers).toMatchObject({
      available: true,
      receive: { requestedBytes: limit * 2, effectiveBytes: limit * 2, limitedBy: 'net.core.rmem_max' },
      send: { requestedBytes: undefined, limitedBy: undefined },
    });
  });

  test('accepted connections inherit the buffers that were set before listen', async () => {
    const request = { receiveBufferBytes: 48 * KIB, sendBufferBytes: 40 * KIB };
    const { socket, buffers } = bindTcp({ host: '127.0.0.1', port: 0 }, request);
    expect(buffers).toMatchObject({ receive: { effectiveBytes: 96 * KIB }, send: { effectiveBytes: 80 * KIB } });
    const server = createServer();
    closers.push(() => server.close());
    server.listen({ handle: socket, backlog: 16 });
    await once(server, 'listening');
    const client = connect((server.address() as { port: number }).port, '127.0.0.1');
    closers.push(() => client.destroy());
    const [accepted] = (await once(server, 'connection')) as [Socket];
    closers.push(() => accepted.destroy());
    // Node shows the descriptor of an accepted socket only on its inner handle.
    const { fd } = (accepted as unknown as { _handle: { fd: number } })._handle;
    expect(setBufferSizes(fd, {})).toMatchObject({
      receive: { effectiveBytes: 96 * KIB },
      send: { effectiveBytes: 80 * KIB },
    });
  });

  test('an address in use is the error of bind, with address and port', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    closers.push(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    expect(() => bindTcp({ host: '127.0.0.1', port }, {})).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE', syscall: 'bind', address: '127.0.0.1', port }),
    );
  });

  test('a fresh socket shows the defaults of the kernel, and its descriptor is closed afterwards', () => {
    const libc = native();
    let kept = -1;
    const values = withFreshSocket(libc, 'tcp', (fd) => {
      kept = fd;
      return new Map(readSocketOptions(fd, 'tcp', libc).map(({ option, value }) => [option.name, value]));
    });
    const defaultOf = (path: string, index: number) =>
      Number(readFileSync(`/proc/sys/net/ipv4/${path}`, 'utf8').split(/\s+/)[index]);
    expect(Object.fromEntries(values)).toEqual({
      SO_RCVBUF: defaultOf('tcp_rmem', 1),
      SO_SNDBUF: defaultOf('tcp_wmem', 1),
      O_NONBLOCK: 0,
      SO_RCVTIMEO: 0,
      SO_SNDTIMEO: 0,
      SO_REUSEADDR: 0,
      SO_REUSEPORT: 0,
      TCP_NODELAY: 0,
      SO_KEEPALIVE: 0,
      TCP_KEEPIDLE: defaultOf('tcp_keepalive_time', 0),
      TCP_KEEPINTVL: defaultOf('tcp_keepalive_intvl', 0),
      TCP_KEEPCNT: defaultOf('tcp_keepalive_probes', 0),
    });
    expect(() => readSocketOptions(kept, 'tcp', libc)).toThrow(/EBADF|ENOTSOCK/);
  });

  test('a socket that Node has bound does not block and has SO_REUSEADDR', () => {
    const { socket } = bindTcp({ host: '127.0.0.1', port: 0 }, {});
    closers.push(() => socket.close());
    const values = new Map(
      readSocketOptions(socket.fd(), 'tcp', native()).map(({ option, value }) => [option.name, value]),
    );
    expect([values.get('O_NONBLOCK'), values.get('SO_REUSEADDR')]).toEqual([1, 1]);
  });

  test('a UDP socket has no TCP options', () => {
    const libc = native();
    const names = withFreshSocket(libc, 'udp', (fd) =>
      readSocketOptions(fd, 'udp', libc).map(({ option }) => option.name),
    );
    expect(names).not.toContain('TCP_NODELAY');
    expect(names).toContain('SO_RCVBUF');
  });
});
