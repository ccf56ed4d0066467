import { networkInterfaces } from 'node:os';
import { expect, test } from 'vitest';
import { formatAddress } from '../../src/inet/address.ts';
import { formatCidr } from '../../src/inet/cidr.ts';
import { interfaceAddresses } from '../../src/inet/host.ts';

test('each address comes with its interface, subnet and class, IPv4 first', () => {
  const addresses = interfaceAddresses({
    lo: [{ address: '::1', cidr: '::1/128', mac: '00:00:00:00:00:00', internal: true }],
    eth0: [
      { address: 'fe80::1', cidr: 'fe80::1/64', mac: '02:00:00:00:00:01', internal: false },
      { address: '192.168.1.77', cidr: '192.168.1.77/26', mac: '02:00:00:00:00:01', internal: false },
    ],
    gone: undefined,
  });
  expect(
    addresses.map((entry) => [
      entry.interface,
      formatAddress(entry.address),
      entry.cidr && formatCidr(entry.cidr),
      entry.class,
      entry.mac,
      entry.internal,
    ]),
  ).toEqual([
    ['lo', '::1', '::1/128', 'loopback', undefined, true],
    ['eth0', '192.168.1.77', '192.168.1.64/26', 'private', '02:00:00:00:00:01', false],
    ['eth0', 'fe80::1', 'fe80::/64', 'link-local', '02:00:00:00:00:01', false],
  ]);
});

test('a mask that is none, as some tunnels report, leaves the subnet out', () => {
  const [entry] = interfaceAddresses({ tun0: [{ address: '10.8.0.1', cidr: null, mac: '', internal: false }] });
  expect(entry?.cidr).toBeUndefined();
});

test('every address this host reports is read', () => {
  const given = Object.values(networkInterfaces()).flatMap((infos) => infos ?? []);
  expect(interfaceAddresses(networkInterfaces())).toHaveLength(given.length);
});
