/**
 * What an address is for: the IANA special-purpose registries for IPv4 and IPv6 (RFC 6890 and updates), completed by
 * the multicast and unicast ranges of RFC 5771 and RFC 4291, which those registries leave out.
 */
import { formatAddress, type IpAddress, isMapped } from './address.ts';
import { type Cidr, createPrefixTable, parseCidr } from './cidr.ts';

/** The class in one word. Several blocks can share one: all three TEST-NETs are `documentation`. */
export type AddressClass =
  | 'unspecified'
  | 'this-network'
  | 'loopback'
  | 'private'
  | 'shared'
  | 'link-local'
  | 'site-local'
  | 'unique-local'
  | 'multicast'
  | 'broadcast'
  | 'documentation'
  | 'benchmarking'
  | 'discard'
  | 'v4-mapped'
  | 'v4-compatible'
  | 'nat64'
  | '6to4'
  | '6to4-relay'
  | 'teredo'
  | 'orchid'
  | 'protocol-assignment'
  | 'anycast-service'
  | 'reserved'
  | 'global';

export interface SpecialPurpose {
  readonly block: Cidr;
  readonly class: AddressClass;
  readonly name: string;
  readonly reference: string;
  /** Whether a packet to it can be expected to cross the public internet. */
  readonly globallyReachable: boolean;
}

type Row = readonly [block: string, addressClass: AddressClass, name: string, reference: string, reach?: 'reachable'];

const ROWS: readonly Row[] = [
  ['0.0.0.0/0', 'global', 'global unicast', 'RFC 791', 'reachable'],
  ['0.0.0.0/8', 'this-network', 'this network', 'RFC 791'],
  ['0.0.0.0/32', 'unspecified', 'unspecified: any address of this host', 'RFC 1122'],
  ['10.0.0.0/8', 'private', 'private use', 'RFC 1918'],
  ['100.64.0.0/10', 'shared', 'shared address space of carrier-grade NAT', 'RFC 6598'],
  ['127.0.0.0/8', 'loopback', 'loopback', 'RFC 1122'],
  ['169.254.0.0/16', 'link-local', 'link-local', 'RFC 3927'],
  ['172.16.0.0/12', 'private', 'private use', 'RFC 1918'],
  ['192.0.0.0/24', 'protocol-assignment', 'IETF protocol assignments', 'RFC 6890'],
  ['192.0.0.0/29', 'protocol-assignment', 'IPv4 service continuity', 'RFC 7335'],
  ['192.0.0.8/32', 'protocol-assignment', 'IPv4 dummy address', 'RFC 7600'],
  ['192.0.0.9/32', 'anycast-service', 'port control protocol anycast', 'RFC 7723', 'reachable'],
  ['192.0.0.10/32', 'anycast-service', 'TURN anycast', 'RFC 8155', 'reachable'],
  ['192.0.0.170/31', 'protocol-assignment', 'NAT64 and DNS64 discovery', 'RFC 8880'],
  ['192.0.2.0/24', 'documentation', 'documentation (TEST-NET-1)', 'RFC 5737'],
  ['192.31.196.0/24', 'anycast-service', 'AS112 sink', 'RFC 7535', 'reachable'],
  ['192.52.193.0/24', 'anycast-service', 'automatic multicast tunnelling', 'RFC 7450', 'reachable'],
  ['192.88.99.0/24', '6to4-relay', '6to4 relay anycast (deprecated)', 'RFC 7526', 'reachable'],
  ['192.168.0.0/16', 'private', 'private use', 'RFC 1918'],
  ['192.175.48.0/24', 'anycast-service', 'AS112 sink, directly delegated', 'RFC 7534', 'reachable'],
  ['198.18.0.0/15', 'benchmarking', 'benchmarking of network devices', 'RFC 2544'],
  ['198.51.100.0/24', 'documentation', 'documentation (TEST-NET-2)', 'RFC 5737'],
  ['203.0.113.0/24', 'documentation', 'documentation (TEST-NET-3)', 'RFC 5737'],
  ['224.0.0.0/4', 'multicast', 'multicast', 'RFC 5771', 'reachable'],
  ['224.0.0.0/24', 'multicast', 'multicast on the local network only', 'RFC 5771'],
  ['232.0.0.0/8', 'multicast', 'source-specific multicast', 'RFC 4607', 'reachable'],
  ['233.252.0.0/24', 'multicast', 'multicast for documentation (MCAST-TEST-NET)', 'RFC 6676'],
  ['239.0.0.0/8', 'multicast', 'administratively scoped multicast', 'RFC 2365'],
  ['240.0.0.0/4', 'reserved', 'reserved for future use', 'RFC 1112'],
  ['255.255.255.255/32', 'broadcast', 'limited broadcast', 'RFC 919'],

  ['::/0', 'reserved', 'not assigned to any use', 'RFC 4291'],
  ['2000::/3', 'global', 'global unicast', 'RFC 4291', 'reachable'],
  ['::/96', 'v4-compatible', 'IPv4-compatible (deprecated)', 'RFC 4291'],
  ['::/128', 'unspecified', 'unspecified: any address of this host', 'RFC 4291'],
  ['::1/128', 'loopback', 'loopback', 'RFC 4291'],
  ['64:ff9b::/96', 'nat64', 'IPv4 translated by NAT64', 'RFC 6052', 'reachable'],
  ['64:ff9b:1::/48', 'nat64', 'IPv4 translated by NAT64, local use', 'RFC 8215'],
  ['100::/64', 'discard', 'discard only', 'RFC 6666'],
  ['100:0:0:1::/64', 'discard', 'dummy prefix', 'RFC 9780'],
  ['2001::/23', 'protocol-assignment', 'IETF protocol assignments', 'RFC 2928'],
  ['2001::/32', 'teredo', 'Teredo tunnel', 'RFC 4380'],
  ['2001:1::1/128', 'anycast-service', 'port control protocol anycast', 'RFC 7723', 'reachable'],
  ['2001:1::2/128', 'anycast-service', 'TURN anycast', 'RFC 8155', 'reachable'],
  ['2001:1::3/128', 'anycast-service', 'DNS-SD registration anycast', 'RFC 9665', 'reachable'],
  ['2001:2::/48', 'benchmarking', 'benchmarking of network devices', 'RFC 5180'],
  ['2001:3::/32', 'anycast-service', 'automatic multicast tunnelling', 'RFC 7450', 'reachable'],
  ['2001:4:112::/48', 'anycast-service', 'AS112 sink', 'RFC 7535', 'reachable'],
  ['2001:10::/28', 'orchid', 'ORCHID (deprecated)', 'RFC 4843'],
  ['2001:20::/28', 'orchid', 'ORCHIDv2', 'RFC 7343', 'reachable'],
  ['2001:30::/28', 'protocol-assignment', 'drone remote identification', 'RFC 9374', 'reachable'],
  ['2001:db8::/32', 'documentation', 'documentation', 'RFC 3849'],
  ['2002::/16', '6to4', '6to4 tunnel', 'RFC 3056', 'reachable'],
  ['2620:4f:8000::/48', 'anycast-service', 'AS112 sink, directly delegated', 'RFC 7534', 'reachable'],
  ['3fff::/20', 'documentation', 'documentation', 'RFC 9637'],
  ['5f00::/16', 'protocol-assignment', 'segment routing identifiers', 'RFC 9602'],
  ['fc00::/7', 'unique-local', 'unique local', 'RFC 4193'],
  ['fe80::/10', 'link-local', 'link-local', 'RFC 4291'],
  ['fec0::/10', 'site-local', 'site-local (deprecated)', 'RFC 3879'],
  ['ff00::/8', 'multicast', 'multicast', 'RFC 4291', 'reachable'],
  ['ff01::/16', 'multicast', 'multicast within this host', 'RFC 4291'],
  ['ff02::/16', 'multicast', 'multicast on the local network only', 'RFC 4291'],
];

function block(text: string): Cidr {
  const parsed = parseCidr(text);
  if (!parsed.ok) throw new TypeError(parsed.problem);
  return parsed.value;
}

/** Every row of the registries, in the order above. */
export const SPECIAL_PURPOSE: readonly SpecialPurpose[] = ROWS.map(([text, addressClass, name, reference, reach]) => ({
  block: block(text),
  class: addressClass,
  name,
  reference,
  globallyReachable: reach === 'reachable',
}));

/** A prefix table judges v4-mapped addresses as IPv4, so their own row cannot be one of its entries. */
const MAPPED: SpecialPurpose = {
  block: block('::ffff:0:0/96'),
  class: 'v4-mapped',
  name: 'IPv4-mapped: an IPv4 peer as an IPv6 socket shows it',
  reference: 'RFC 4291',
  globallyReachable: false,
};

const TABLE = createPrefixTable(SPECIAL_PURPOSE.map((entry) => [entry.block, entry] as const));

/** The most specific registry entry an address lies in. Every address lies in one. */
export function specialPurposeOf(address: IpAddress): SpecialPurpose {
  const entry = isMapped(address) ? MAPPED : TABLE.lookup(address);
  if (entry === undefined) throw new Error(`no registry row covers ${formatAddress(address)}`);
  return entry;
}

/** An IPv4 address that an IPv6 address carries, and by which scheme. */
export type Embedded = { readonly scheme: string; readonly address: IpAddress };

const ipv4At = (bytes: Uint8Array, at: number, invert: 0 | 0xff = 0): IpAddress => ({
  family: 4,
  bytes: bytes.slice(at, at + 4).map((byte) => byte ^ invert),
});

/** The IPv4 addresses inside an IPv6 one: v4-mapped, v4-compatible, NAT64 (RFC 6052), 6to4 (RFC 3056), Teredo (RFC 4380). */
export const embeddedIpv4 = (address: IpAddress): readonly Embedded[] => {
  if (address.family === 4) return [];
  const { bytes } = address;
  const { class: addressClass, block: home } = specialPurposeOf(address);
  if (addressClass === 'v4-mapped' || addressClass === 'v4-compatible') {
    return [{ scheme: addressClass, address: ipv4At(bytes, 12) }];
  }
  // Only the well-known /96 fixes where the four bytes are; a local-use prefix leaves that to its operator.
  if (addressClass === 'nat64' && home.prefixLength === 96) return [{ scheme: 'nat64', address: ipv4At(bytes, 12) }];
  if (addressClass === '6to4') return [{ scheme: '6to4', address: ipv4At(bytes, 2) }];
  if (addressClass === 'teredo') {
    return [
      { scheme: 'teredo-server', address: ipv4At(bytes, 4) },
      // The client's address is stored with every bit inverted, so that NATs do not rewrite it (RFC 4380 section 4).
      { scheme: 'teredo-client', address: ipv4At(bytes, 12, 0xff) },
    ];
  }
  return [];
};
