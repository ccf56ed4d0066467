/**
 * Blocks of addresses (CIDR, RFC 4632 and RFC 4291 section 2.3): reading and writing them, the arithmetic of a subnet,
 * and a table that finds the most specific block an address lies in.
 */
import { quote } from '../config/problems.ts';
import {
  bitsOf,
  formatAddress,
  fromInteger,
  type IpAddress,
  isMapped,
  type Parsed,
  parseAddress,
  toInteger,
  unmapped,
} from './address.ts';

/** A block: its lowest address (no zone, all host bits zero) and how many leading bits are fixed (0 to 32 or 128). */
export type Cidr = { readonly network: IpAddress; readonly prefixLength: number };

/** An address together with the block it is configured in: `192.0.2.77/26`. */
export type AddressInBlock = { readonly address: IpAddress; readonly cidr: Cidr };

const bad = (problem: string): { readonly ok: false; readonly problem: string } => ({ ok: false, problem });

/**
 * Reads `ADDRESS/LENGTH`, or for IPv4 also `ADDRESS/NETMASK`; a bare address is a block of one. Host bits may be set:
 * the block is the one the address lies in.
 */
export function parseAddressInBlock(text: string): Parsed<AddressInBlock> {
  const slash = text.indexOf('/');
  const address = parseAddress(slash === -1 ? text : text.slice(0, slash));
  if (!address.ok) return address;
  if (address.value.zone !== undefined) return bad(`${quote(text)} is not a CIDR block: a zone is not part of one`);
  const length = slash === -1 ? bitsOf(address.value.family) : prefixLengthOf(text.slice(slash + 1), address.value);
  if (length === undefined) {
    const expected = `a prefix length of 0 to ${bitsOf(address.value.family)}`;
    const orMask = address.value.family === 4 ? ' or a netmask such as 255.255.255.0' : '';
    return bad(`${quote(text)} is not a CIDR block: after "/" ${expected}${orMask} is expected`);
  }
  return { ok: true, value: { address: address.value, cidr: blockOf(address.value, length) } };
}

/**
 * Reads a block in its canonical form, as access lists are written: `10.0.0.0/8`, `2001:db8::/32`, or a bare address.
 * Set host bits are refused, because `10.1.2.3/8` in a list says two different things at once.
 */
export function parseCidr(text: string): Parsed<Cidr> {
  const parsed = parseAddressInBlock(text);
  if (!parsed.ok) return parsed;
  const { address, cidr } = parsed.value;
  if (toInteger(address) !== toInteger(cidr.network)) {
    return bad(`${quote(text)} has host bits set: write ${formatCidr(cidr)} for the block, or the bare address`);
  }
  return { ok: true, value: cidr };
}

function prefixLengthOf(text: string, address: IpAddress): number | undefined {
  if (/^(?:0|[1-9][0-9]{0,2})$/.test(text)) {
    const length = Number(text);
    return length <= bitsOf(address.family) ? length : undefined;
  }
  if (address.family === 6) return undefined;
  const mask = parseAddress(text);
  return mask.ok && mask.value.family === 4 ? lengthOfMask(toInteger(mask.value)) : undefined;
}

/** The length of a netmask; `undefined` when its one bits are not all to the left. */
function lengthOfMask(mask: bigint): number | undefined {
  const length = mask.toString(2).replaceAll('0', '').length;
  return mask === maskOf(4, length) ? length : undefined;
}

function maskOf(family: 4 | 6, prefixLength: number): bigint {
  const bits = BigInt(bitsOf(family));
  return ((1n << BigInt(prefixLength)) - 1n) << (bits - BigInt(prefixLength));
}

function addressOf(value: bigint, family: 4 | 6): IpAddress {
  const parsed = fromInteger(value, family);
  if (!parsed.ok) throw new RangeError(parsed.problem);
  return parsed.value;
}

/** The block of this length that an address lies in. Throws `RangeError` for a length the family does not have. */
export function blockOf(address: IpAddress, prefixLength: number): Cidr {
  if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > bitsOf(address.family)) {
    throw new RangeError(`prefix length ${prefixLength} is not 0 to ${bitsOf(address.family)}`);
  }
  const value = toInteger(address) & maskOf(address.family, prefixLength);
  return { network: addressOf(value, address.family), prefixLength };
}

export function formatCidr({ network, prefixLength }: Cidr): string {
  return `${formatAddress(network)}/${prefixLength}`;
}

/** Whether the address lies in the block. Families are never mixed here; unmap first where v4-mapped peers occur. */
export function contains(cidr: Cidr, address: IpAddress): boolean {
  return (
    cidr.network.family === address.family &&
    toInteger(blockOf(address, cidr.prefixLength).network) === toInteger(cidr.network)
  );
}

/** The facts of a subnet; see each field for what is absent when. */
export interface Subnet {
  readonly cidr: Cidr;
  readonly netmask: IpAddress;
  /** The inverse of the netmask: one bits where hosts differ. */
  readonly wildcard: IpAddress;
  readonly last: IpAddress;
  /** IPv4 up to /30 only: point-to-point /31 (RFC 3021) and single /32 have none, IPv6 has no broadcast at all. */
  readonly broadcast: IpAddress | undefined;
  /** The subnet-router anycast address of IPv6 up to /126, which no host may take (RFC 4291 section 2.6.1, RFC 6164). */
  readonly routerAnycast: IpAddress | undefined;
  readonly firstHost: IpAddress;
  readonly lastHost: IpAddress;
  readonly addressCount: bigint;
  readonly hostCount: bigint;
}

export function subnetOf(cidr: Cidr): Subnet {
  const { network, prefixLength } = cidr;
  const { family } = network;
  const hostBits = bitsOf(family) - prefixLength;
  const mask = maskOf(family, prefixLength);
  const lowest = toInteger(network);
  const addressCount = 1n << BigInt(hostBits);
  const highest = lowest + addressCount - 1n;
  // Two addresses are both ends of a point-to-point link and one is a host route: neither has any to give away.
  const reserves = hostBits > 1;
  const hasBroadcast = reserves && family === 4;
  const firstHost = reserves ? lowest + 1n : lowest;
  const lastHost = hasBroadcast ? highest - 1n : highest;
  return {
    cidr,
    netmask: addressOf(mask, family),
    wildcard: addressOf(addressCount - 1n, family),
    last: addressOf(highest, family),
    broadcast: hasBroadcast ? addressOf(highest, family) : undefined,
    routerAnycast: reserves && family === 6 ? network : undefined,
    firstHost: addressOf(firstHost, family),
    lastHost: addressOf(lastHost, family),
    addressCount,
    hostCount: lastHost - firstHost + 1n,
  };
}

/** Finds the value of the most specific block an address lies in; `undefined` when it lies in none. */
export type PrefixTable<T> = { readonly lookup: (address: IpAddress) => T | undefined };

/**
 * A table of blocks for longest-prefix matching. v4-mapped IPv6 addresses and blocks (`::ffff:10.0.0.0/104`) count as
 * the IPv4 they stand for; a wider IPv6 block such as `::/0` covers no IPv4 address. Of two entries with the same
 * block the later wins. Zones are not looked at.
 *
 * Nested blocks are flattened once into disjoint ranges, so a look-up is one binary search over at most 2n+1 range
 * starts whatever the prefix lengths are, without allocation.
 */
export function createPrefixTable<T>(entries: Iterable<readonly [Cidr, T]>): PrefixTable<T> {
  const all = [...entries].map(([cidr, value]) => ({ cidr: unmappedBlock(cidr), value }));
  const ofFamily = (family: 4 | 6) =>
    flatten(
      all.filter(({ cidr }) => cidr.network.family === family),
      family,
    );
  const [v4, v6] = [ofFamily(4), ofFamily(6)];
  return {
    lookup: (address) => {
      if (address.family === 4) return find(v4, address.bytes, 0);
      return isMapped(address) ? find(v4, address.bytes, 12) : find(v6, address.bytes, 0);
    },
  };
}

const unmappedBlock = (cidr: Cidr): Cidr =>
  cidr.prefixLength >= 96 && isMapped(cidr.network)
    ? { network: unmapped(cidr.network), prefixLength: cidr.prefixLength - 96 }
    : cidr;

/** Range `i` goes from `starts[i]` up to the next start and has `values[i]`; starts are `words` 32-bit words each. */
type Ranges<T> = { readonly words: number; readonly starts: Uint32Array; readonly values: readonly (T | undefined)[] };

function flatten<T>(entries: readonly { cidr: Cidr; value: T }[], family: 4 | 6): Ranges<T> {
  const blocks = entries
    .map(({ cidr, value }) => {
      const first = toInteger(cidr.network);
      return { first, last: first + (1n << BigInt(bitsOf(family) - cidr.prefixLength)) - 1n, cidr, value };
    })
    // A block sorts before those inside it, so that the inner ones overwrite its range and give it back at their end.
    .sort((left, right) =>
      left.first === right.first
        ? left.cidr.prefixLength - right.cidr.prefixLength
        : Number(left.first > right.first) - Number(left.first < right.first),
    );
  const ranges: { start: bigint; value: T | undefined }[] = [{ start: 0n, value: undefined }];
  const beginRange = (start: bigint, value: T | undefined): void => {
    if (ranges.at(-1)?.start === start) ranges.pop();
    ranges.push({ start, value });
  };
  const enclosing: typeof blocks = [];
  const closeBefore = (position: bigint): void => {
    for (let inner = enclosing.at(-1); inner !== undefined && inner.last < position; inner = enclosing.at(-1)) {
      enclosing.pop();
      beginRange(inner.last + 1n, enclosing.at(-1)?.value);
    }
  };
  for (const block of blocks) {
    closeBefore(block.first);
    enclosing.push(block);
    beginRange(block.first, block.value);
  }
  const end = 1n << BigInt(bitsOf(family));
  closeBefore(end);
  return packed(
    ranges.filter(({ start }) => start < end),
    bitsOf(family) / 32,
  );
}

function packed<T>(ranges: readonly { start: bigint; value: T | undefined }[], words: number): Ranges<T> {
  const starts = new Uint32Array(ranges.length * words);
  for (const [index, { start }] of ranges.entries()) {
    for (let word = 0; word < words; word += 1) {
      starts[index * words + word] = Number((start >> BigInt(32 * (words - 1 - word))) & 0xffff_ffffn);
    }
  }
  return { words, starts, values: ranges.map(({ value }) => value) };
}

function find<T>({ words, starts, values }: Ranges<T>, bytes: Uint8Array, offset: number): T | undefined {
  // The first range starts at zero, so the last start that is not above the address always exists.
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (isAbove(starts, middle * words, words, bytes, offset)) high = middle - 1;
    else low = middle;
  }
  return values[low];
}

function isAbove(starts: Uint32Array, at: number, words: number, bytes: Uint8Array, offset: number): boolean {
  for (let word = 0; word < words; word += 1) {
    const start = starts[at + word] ?? 0;
    const value = wordAt(bytes, offset + word * 4);
    if (start !== value) return start > value;
  }
  return false;
}

const wordAt = (bytes: Uint8Array, at: number): number =>
  (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0;
