import { describe, expect, test } from 'vitest';
import { answeringServices, broadcastAddresses, guardedPorts, isBadSource } from '../../src/server/datagram-guards.ts';
import { formatSource, SourceAddress } from '../../src/server/source-address.ts';
import { source, viewOf } from './udp-support.ts';

describe('guarded ports', () => {
  test('services that answer everybody, and the own port, and no other', () => {
    const ports = guardedPorts(12_345);
    for (const port of [7, 13, 17, 19, 37, 53, 69, 123, 7007, 12_345]) expect(ports[port], `port ${port}`).toBe(1);
    const guarded = ports.reduce((sum, flag) => sum + flag, 0);
    expect(guarded).toBe(Object.keys(answeringServices).length + 1);
  });
});

describe('bad sources', () => {
  test.each([
    '0.0.0.0',
    '0.1.2.3',
    '224.0.0.1',
    '239.255.255.250',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    'ff02::1',
    'ff0e::1',
    '::ffff:224.0.0.1',
    '::ffff:0.0.0.0',
  ])('%s sends nothing', (address) => expect(isBadSource(source(address))).toBe(true));

  test.each([
    '1.0.0.0',
    '127.0.0.1',
    '192.0.2.255',
    '223.255.255.255',
    '::1',
    'fe80::1',
    '2001:db8::1',
    '::ffff:192.0.2.1',
  ])('%s may', (address) => expect(isBadSource(source(address))).toBe(false));

  test('directed broadcasts come from the interfaces; point-to-point links and hosts have none', () => {
    const interfaceOf = (address: string, netmask: string) =>
      ({ family: 'IPv4', address, netmask, mac: '', internal: false, cidr: null }) as const;
    const broadcasts = broadcastAddresses({
      eth0: [interfaceOf('192.0.2.77', '255.255.255.0'), interfaceOf('198.51.100.9', '255.255.255.252')],
      tun0: [interfaceOf('203.0.113.0', '255.255.255.254'), interfaceOf('203.0.113.9', '255.255.255.255')],
    });
    expect([...broadcasts]).toEqual([source('192.0.2.255').w3, source('198.51.100.11').w3]);
  });
});

describe('source addresses', () => {
  test('are written as records name them, v4-mapped ones as IPv4', () => {
    expect(formatSource(source('192.0.2.1', 5))).toBe('192.0.2.1:5');
    expect(formatSource(source('::ffff:192.0.2.1', 5))).toBe('192.0.2.1:5');
    expect(formatSource(source('2001:DB8::1', 65_535))).toBe('[2001:db8::1]:65535');
    expect(formatSource(source('fe80::1%eth0', 1))).toBe('[fe80::1]:1');
  });

  test('read from the bytes of a socket address are the same as from text', () => {
    const read = new SourceAddress();
    read.read(viewOf(Buffer.from('20010db8000000000000000000000001', 'hex')), 0, 6, 9);
    expect(read).toEqual(source('2001:db8::1', 9));
    read.read(viewOf(Buffer.from('00000000000000000000ffffc0000201', 'hex')), 0, 6, 9);
    expect(read).toEqual(source('192.0.2.1', 9));
    read.read(viewOf(Buffer.from('ffc0000201', 'hex')), 1, 4, 9);
    expect(read).toEqual(source('192.0.2.1', 9));
  });
});
