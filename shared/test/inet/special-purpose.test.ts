import { describe, expect, test } from 'vitest';
import { formatAddress } from '../../src/inet/address.ts';
import { formatCidr } from '../../src/inet/cidr.ts';
import { embeddedIpv4, SPECIAL_PURPOSE, specialPurposeOf } from '../../src/inet/special-purpose.ts';
import { ip } from './helpers.ts';

test.each([
  ['0.0.0.0', 'unspecified'],
  ['0.1.2.3', 'this-network'],
  ['127.255.0.1', 'loopback'],
  ['172.31.255.255', 'private'],
  ['172.32.0.0', 'global'],
  ['100.64.0.1', 'shared'],
  ['169.254.1.1', 'link-local'],
  ['198.51.100.7', 'documentation'],
  ['198.19.255.255', 'benchmarking'],
  ['239.1.1.1', 'multicast'],
  ['250.1.1.1', 'reserved'],
  ['255.255.255.255', 'broadcast'],
  ['192.0.0.9', 'anycast-service'],
  ['8.8.8.8', 'global'],
  ['::', 'unspecified'],
  ['::1', 'loopback'],
  ['::2', 'v4-compatible'],
  ['::ffff:127.0.0.1', 'v4-mapped'],
  ['64:ff9b::1', 'nat64'],
  ['64:ff9b:1::1', 'nat64'],
  ['100::1', 'discard'],
  ['2001::1', 'teredo'],
  ['2001:db8::1', 'documentation'],
  ['3fff:fff::1', 'documentation'],
  ['2002:c000:201::', '6to4'],
  ['fd00::1', 'unique-local'],
  ['febf::1', 'link-local'],
  ['fec0::1', 'site-local'],
  ['ff02::1', 'multicast'],
  ['2606:4700::1', 'global'],
  ['4000::1', 'reserved'],
])('%s is %s', (text, expected) => {
  expect(specialPurposeOf(ip(text)).class).toBe(expected);
});

test('the zone of an address does not change its class', () => {
  expect(specialPurposeOf(ip('fe80::1%eth0')).class).toBe('link-local');
});

test('no block stands in the table twice', () => {
  const blocks = SPECIAL_PURPOSE.map(({ block }) => formatCidr(block));
  expect(new Set(blocks).size).toBe(blocks.length);
});

describe('embedded IPv4', () => {
  const shown = (text: string) =>
    embeddedIpv4(ip(text)).map(({ scheme, address }) => `${scheme} ${formatAddress(address)}`);

  test.each([
    ['::ffff:192.0.2.1', ['v4-mapped 192.0.2.1']],
    ['::192.0.2.1', ['v4-compatible 192.0.2.1']],
    ['64:ff9b::192.0.2.33', ['nat64 192.0.2.33']],
    ['64:ff9b:1::1', []],
    ['2002:c000:0204::', ['6to4 192.0.2.4']],
    // The example of RFC 4380: server 65.54.227.120, client 192.0.2.45.
    ['2001:0:4136:e378:8000:63bf:3fff:fdd2', ['teredo-server 65.54.227.120', 'teredo-client 192.0.2.45']],
    ['::1', []],
    ['2001:db8::1', []],
    ['192.0.2.1', []],
  ])('%s carries %j', (text, expected) => {
    expect(shown(text)).toEqual(expected);
  });
});
