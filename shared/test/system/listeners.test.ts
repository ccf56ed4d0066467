import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { formatAddress, parseAddress } from '../../src/inet/address.ts';
import {
  addressesClash,
  commandOf,
  listListeners,
  parseSocketTable,
  portHolder,
  socketInode,
} from '../../src/system/listeners.ts';

const HEADER = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';

const ip = (text: string) => {
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
};

describe('parseSocketTable', () => {
  test('reads a listening IPv4 socket of a little-endian host', () => {
    const line =
      '   0: 0100007F:1B5F 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 00000000 100 0 0 10 0\n';
    const [entry] = parseSocketTable(HEADER + line, 'tcp', 'LE');
    expect(entry && formatAddress(entry.address)).toBe('127.0.0.1');
    expect(entry).toMatchObject({ transport: 'tcp', port: 7007, uid: 1000, inode: 4711 });
  });

  test('reads the same words in network order on a big-endian host', () => {
    const line = '   0: 7F000001:1B5F 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 4711 1\n';
    const [entry] = parseSocketTable(HEADER + line, 'tcp', 'BE');
    expect(entry && formatAddress(entry.address)).toBe('127.0.0.1');
  });

  test('reads IPv6 as four words', () => {
    const line =
      '   0: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 12 2 0 0\n';
    const [entry] = parseSocketTable(HEADER + line, 'udp', 'LE');
    expect(entry && formatAddress(entry.address)).toBe('2001:db8::1');
  });

  test('leaves out connections, closing sockets and lines it does not know', () => {
    const text = [
      '   0: 0100007F:1B5F 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1',
      '   1: 0100007F:1B5F 0100007F:9C41 06 00000000:00000000 03:00000B7A 00000000     0        0 0 3',
      'nonsense',
      '   2: XYZ:1B5F 0 0A',
      '',
    ].join('\n');
    expect(parseSocketTable(HEADER + text, 'tcp', 'LE')).toEqual([]);
  });
});

test('a descriptor link names a socket only in the form the kernel prints', () => {
  expect(socketInode('socket:[4711]')).toBe(4711);
  expect(socketInode('pipe:[4711]')).toBeUndefined();
  expect(socketInode('/tmp/socket:[4711]')).toBeUndefined();
});

test('a command line can neither break a line nor fill a screen', () => {
  expect(commandOf('node\0server.ts\0--port\x007007\0')).toBe('node server.ts --port 7007');
  expect(commandOf('a\nb\u001b[2J\u202e')).toBe('a?b?[2J?');
  expect(commandOf('x'.repeat(5000))).toHaveLength(200);
});

describe('addressesClash', () => {
  test.each([
    ['127.0.0.1', '127.0.0.1', true],
    ['0.0.0.0', '127.0.0.1', true],
    ['127.0.0.1', '0.0.0.0', true],
    ['::', '127.0.0.1', true],
    ['127.0.0.1', '::', true],
    ['::', '::1', true],
    ['::ffff:127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1', '127.0.0.2', false],
    ['0.0.0.0', '::1', false],
    ['::1', '127.0.0.1', false],
  ])('held %s, wanted %s: %s', (held, wanted, expected) => {
    expect(addressesClash(ip(held), ip(wanted))).toBe(expected);
  });
});

describe.runIf(process.platform === 'linux')('the sockets of this host', () => {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  const listenTcp = async (host: string): Promise<number> => {
    const server = createServer().listen(0, host);
    closers.push(() => server.close());
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };

  test('a TCP port is held by this very process, asked by any address that clashes', async () => {
    const port = await listenTcp('127.0.0.1');
    for (const address of ['127.0.0.1', '0.0.0.0', '::', '::ffff:127.0.0.1']) {
      const holder = await portHolder({ transport: 'tcp', address, port });
      expect(holder?.pid, address).toBe(process.pid);
      expect(holder?.command).not.toBe('');
    }
    expect(await portHolder({ transport: 'tcp', address: '127.0.0.2', port })).toBeUndefined();
    expect(await portHolder({ transport: 'tcp', address: 'localhost', port })).toBeUndefined();
  });

  test('TCP and UDP ports of one number are told apart', async () => {
    const socket = createSocket('udp4');
    closers.push(() => socket.close());
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    expect((await portHolder({ transport: 'udp', address: '127.0.0.1', port }))?.pid).toBe(process.pid);
    expect(await portHolder({ transport: 'tcp', address: '127.0.0.1', port })).toBeUndefined();
  });

  test('a listener of another process is found by its pid and arguments', async () => {
    const script =
      '"the-marker"; const s = require("node:net").createServer().listen(0, "127.0.0.1", () => process.stdout.write(String(s.address().port)))';
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    closers.push(() => child.kill('SIGKILL'));
    const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
    const port = Number(chunk.toString());
    const holder = await portHolder({ transport: 'tcp', address: '127.0.0.1', port });
    expect(holder?.pid).toBe(child.pid);
    expect(holder?.command).toContain('the-marker');
  });

  test('the list holds each listener once, in order of transport and port', async () => {
    const ports = [await listenTcp('127.0.0.1'), await listenTcp('127.0.0.1')];
    const list = (await listListeners()) ?? [];
    for (const port of ports) {
      const found = list.filter((entry) => entry.transport === 'tcp' && entry.port === port);
      expect(found).toHaveLength(1);
      expect(found[0]?.holders.map(({ pid }) => pid)).toContain(process.pid);
    }
    const order = list.map(({ transport, port }) => `${transport} ${String(port).padStart(5, '0')}`);
    expect(order).toEqual([...order].sort());
  });
});
