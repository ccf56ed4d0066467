/** Who counts as one source: an IPv4 address, or the /64 of an IPv6 address. */
import { type IpAddress, parseAddress } from '../inet/address.ts';
import { blockOf, formatCidr } from '../inet/cidr.ts';
import { unmapAddress } from './peer.ts';

/** The part of an IPv6 address that one site is given at least: whoever has one address of it has them all. */
const SITE_BITS = 64;

/** The name of the source of a peer's address: `192.0.2.1`, `2001:db8::/64`, `::1`. */
export function sourceOf(remoteAddress: string): string {
  const plain = unmapAddress(remoteAddress);
  if (!plain.includes(':')) return plain;
  const address = parseAddress(plain);
  return address.ok && hasSite(address.value) ? formatCidr(blockOf(address.value, SITE_BITS)) : plain;
}

/**
 * On a link (fe80::/10), on the machine (::1) and behind NAT64 (64:ff9b::/96) all hosts share a /64; there each
 * address is one.
 */
function hasSite({ bytes: [first = 0, second = 0] }: IpAddress): boolean {
  const isLinkLocal = first === 0xfe && (second & 0xc0) === 0x80;
  return first !== 0 && !isLinkLocal;
}
