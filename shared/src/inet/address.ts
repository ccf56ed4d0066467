/**
 * IP addresses as values: text in, bytes inside, text out. Pure; no name is ever looked up here.
 *
 * Strict forms are those of `inet_pton` (RFC 4291 section 2.2, plus a zone id by RFC 4007 section 11). The historic
 * forms of `inet_aton` (`127.1`, `0177.0.0.1`, `0x7f000001`) have a parser of their own, because a program that reads
 * both with one call lets `010.0.0.1` mean 8.0.0.1 to one reader and 10.0.0.1 to another.
 */
import { quote } from '../config/problems.ts';

export type IpFamily = 4 | 6;

/** An address in network order: 4 bytes for IPv4, 16 for IPv6. `zone` (IPv6 only) names the interface of a scoped one. */
export type IpAddress = { readonly family: IpFamily; readonly bytes: Uint8Array; readonly zone?: string };

/** What a parser of this folder returns: the value, or one sentence on what is wrong and what is expected. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

const good = <T>(value: T): Parsed<T> => ({ ok: true, value });
const bad = (problem: string): { readonly ok: false; readonly problem: string } => ({ ok: false, problem });

const BYTES_OF_FAMILY = { 4: 4, 6: 16 } as const;
/** The longest name an interface can have on Linux (IFNAMSIZ less its NUL); other systems' names are no longer. */
const MAX_ZONE_LENGTH = 15;
/** No address has more characters: 45 of the longest IPv6 text, `%`, and a zone. Bounds the work on hostile input. */
const MAX_TEXT_LENGTH = 45 + 1 + MAX_ZONE_LENGTH;

/** How many bits an address of this family has. */
export function bitsOf(family: IpFamily): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/**
 * Reads an address in its strict form: dotted decimal with four parts and no leading zeros, or RFC 4291 IPv6 text with
 * an optional `%zone`.
 */
export function parseAddress(text: string): Parsed<IpAddress> {
  if (text.length > MAX_TEXT_LENGTH) return bad(`${quote(text)} is too long for an IP address`);
  if (text.includes(':')) return parseIpv6(text);
  return parseIpv4(text);
}

/** Reads dotted decimal as `inet_pton(AF_INET)` does: four parts, 0 to 255 each, no leading zeros. */
export function parseIpv4(text: string): Parsed<IpAddress> {
  const parts = text.split('.', 5);
  if (parts.length !== 4)
    return bad(`${quote(text)} is not an IPv4 address: four decimal numbers 0 to 255 are expected`);
  const bytes = new Uint8Array(4);
  for (const [index, part] of parts.entries()) {
    if (!/^[0-9]{1,3}$/.test(part)) {
      return bad(`${quote(text)} is not an IPv4 address: part ${index + 1} (${quote(part)}) must be 0 to 255`);
    }
    if (part.length > 1 && part.startsWith('0')) {
      return bad(
        `${quote(text)} is not an IPv4 address in the strict form: part ${index + 1} (${quote(part)}) has a leading zero, which some readers take for octal`,
      );
    }
    const value = Number(part);
    if (value > 255) {
      return bad(`${quote(text)} is not an IPv4 address: part ${index + 1} is ${part}, more than 255`);
    }
    bytes[index] = value;
  }
  return good({ family: 4, bytes });
}

/** Reads IPv6 text as `inet_pton(AF_INET6)` does, and a zone id after `%` (RFC 4007 section 11.2). */
export function parseIpv6(text: string): Parsed<IpAddress> {
  const no = (why: string) => bad(`${quote(text)} is not an IPv6 address: ${why}`);
  const percent = text.indexOf('%');
  const body = percent === -1 ? text : text.slice(0, percent);
  const zone = percent === -1 ? undefined : text.slice(percent + 1);
  if (zone !== undefined && !isZone(zone)) {
    return no(`the zone after "%" must be an interface name or number of 1 to ${MAX_ZONE_LENGTH} characters`);
  }
  const halves = body.split('::', 3);
  if (halves.length > 2) return no('"::" may stand only once');
  const [head = '', tail] = halves;
  const before = wordsOf(head, tail === undefined);
  const after = tail === undefined ? good([]) : wordsOf(tail, true);
  if (!before.ok) return no(before.problem);
  if (!after.ok) return no(after.problem);
  const given = before.value.length + after.value.length;
  if (tail === undefined && given !== 8) return no(`it has ${given} groups of 16 bits where 8 are needed, and no "::"`);
  if (tail !== undefined && given > 7)
    return no(`"::" leaves no room: it has ${given} groups beside it, at most 7 fit`);
  const bytes = new Uint8Array(16);
  for (const [index, word] of before.value.entries()) putWord(bytes, index, word);
  for (const [index, word] of after.value.entries()) putWord(bytes, 8 - after.value.length + index, word);
  return good(zone === undefined ? { family: 6, bytes } : { family: 6, bytes, zone });
}

const isZone = (zone: string): boolean => zone.length <= MAX_ZONE_LENGTH && /^[!-~]+$/.test(zone) && !/[%/]/.test(zone);

/** The 16-bit groups of one side of `::`. Only the last group of the whole address may be dotted decimal. */
function wordsOf(text: string, mayEndInIpv4: boolean): Parsed<number[]> {
  if (text === '') return good([]);
  const groups = text.split(':', 10);
  const words: number[] = [];
  for (const [index, group] of groups.entries()) {
    if (group.includes('.')) {
      if (!mayEndInIpv4 || index !== groups.length - 1) return bad('dotted decimal may only stand at the end');
      const embedded = parseIpv4(group);
      if (!embedded.ok) return embedded;
      const [a = 0, b = 0, c = 0, d = 0] = embedded.value.bytes;
      words.push(a * 256 + b, c * 256 + d);
      continue;
    }
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return bad(`group ${quote(group)} must be 1 to 4 hexadecimal digits`);
    words.push(Number.parseInt(group, 16));
  }
  return good(words);
}

function putWord(bytes: Uint8Array, index: number, word: number): void {
  bytes[index * 2] = word >>> 8;
  bytes[index * 2 + 1] = word & 0xff;
}

/** How an `inet_aton` text was written, for a person who wonders why `010.0.0.1` is 8.0.0.1. */
export interface LegacyForm {
  readonly address: IpAddress;
  /** Each part as written, with the base it was read in. */
  readonly parts: readonly { readonly text: string; readonly base: 8 | 10 | 16 }[];
}

/** The largest last part when there are 1, 2, 3 or 4 of them: the last one fills all bytes the others leave. */
const LEGACY_LAST_MAX = [0xffff_ffff, 0xff_ffff, 0xffff, 0xff] as const;

/**
 * Reads an IPv4 address in the forms of BSD `inet_aton`: one to four parts, each decimal, octal (leading `0`) or
 * hexadecimal (leading `0x`), the last part filling all bytes left over. Unlike the C function it refuses text after
 * white space.
 */
export function parseLegacyIpv4(text: string): Parsed<LegacyForm> {
  const no = (why: string) => bad(`${quote(text)} is not an IPv4 address in a legacy form: ${why}`);
  const written = text.split('.', 5);
  if (text.length > MAX_TEXT_LENGTH || written.length > 4) return no('one to four parts are expected');
  const parts: { text: string; base: 8 | 10 | 16; value: number }[] = [];
  for (const part of written) {
    const base = legacyBase(part);
    if (base === undefined) return no(`part ${quote(part)} is neither decimal, octal (0...) nor hexadecimal (0x...)`);
    parts.push({ text: part, base, value: Number.parseInt(base === 16 ? part.slice(2) : part, base) });
  }
  const leading = parts.slice(0, -1);
  const tooBig = leading.find((part) => part.value > 0xff);
  if (tooBig !== undefined) return no(`part ${quote(tooBig.text)} is ${tooBig.value}, more than 255`);
  const last = parts.at(-1)?.value ?? 0;
  const lastMax = LEGACY_LAST_MAX[leading.length] ?? 0;
  if (last > lastMax) return no(`the last of ${parts.length} parts is ${last}, more than ${lastMax}`);
  const value = leading.reduce((sum, part, index) => sum + part.value * 256 ** (3 - index), last);
  const address = fromInteger(BigInt(value), 4);
  if (!address.ok) return address;
  return good({ address: address.value, parts: parts.map(({ text: part, base }) => ({ text: part, base })) });
}

function legacyBase(part: string): 8 | 10 | 16 | undefined {
  if (/^0[xX][0-9a-fA-F]+$/.test(part)) return 16;
  if (/^0[0-7]+$/.test(part)) return 8;
  return /^(?:0|[1-9][0-9]*)$/.test(part) ? 10 : undefined;
}

/** The address as one number in network order: up to 2^32-1 or 2^128-1. The zone is not part of it. */
export function toInteger(address: IpAddress): bigint {
  let value = 0n;
  for (const byte of address.bytes) value = (value << 8n) | BigInt(byte);
  return value;
}

/** The address of this number, which must lie in 0 to 2^32-1 (IPv4) or 2^128-1 (IPv6). */
export function fromInteger(value: bigint, family: IpFamily): Parsed<IpAddress> {
  const bits = bitsOf(family);
  if (value < 0n || value >> BigInt(bits) !== 0n) {
    return bad(`${value} is out of range for an IPv${family} address: 0 to 2^${bits}-1 is allowed`);
  }
  const bytes = new Uint8Array(BYTES_OF_FAMILY[family]);
  let rest = value;
  for (let index = bytes.length - 1; index >= 0; index -= 1) {
    bytes[index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return good({ family, bytes });
}

/** The address of these packed bytes in network order: 4 for IPv4, 16 for IPv6. The bytes are copied. */
export function fromBytes(bytes: Uint8Array): Parsed<IpAddress> {
  if (bytes.length === 4) return good({ family: 4, bytes: bytes.slice() });
  if (bytes.length === 16) return good({ family: 6, bytes: bytes.slice() });
  return bad(`${bytes.length} bytes are no IP address: 4 (IPv4) or 16 (IPv6) are expected`);
}

/**
 * The canonical text: dotted decimal, or IPv6 by RFC 5952 (lower case, no leading zeros, the first longest run of two
 * or more zero groups as `::`, v4-mapped addresses with their last 32 bits in dotted decimal), with `%zone` if any.
 */
export function formatAddress(address: IpAddress): string {
  if (address.family === 4) return address.bytes.join('.');
  const text = isMapped(address)
    ? `::ffff:${address.bytes.subarray(12).join('.')}`
    : compressed(wordsIn(address.bytes));
  return address.zone === undefined ? text : `${text}%${address.zone}`;
}

/** An IPv6 address with its last 32 bits in dotted decimal (RFC 4291 section 2.2, form 3), whatever its prefix. */
export function formatMixed(address: IpAddress): string {
  if (address.family === 4) return formatAddress(address);
  const words = wordsIn(address.bytes).slice(0, 6);
  const head = compressed(words);
  const text = `${head}${head.endsWith('::') ? '' : ':'}${address.bytes.subarray(12).join('.')}`;
  return address.zone === undefined ? text : `${text}%${address.zone}`;
}

/** All eight groups with all four digits, as `2001:0db8:0000:...`; IPv4 as dotted decimal. */
export function formatExpanded(address: IpAddress): string {
  if (address.family === 4) return formatAddress(address);
  const text = wordsIn(address.bytes)
    .map((word) => word.toString(16).padStart(4, '0'))
    .join(':');
  return address.zone === undefined ? text : `${text}%${address.zone}`;
}

function wordsIn(bytes: Uint8Array): number[] {
  const words: number[] = [];
  for (let index = 0; index < bytes.length; index += 2)
    words.push(((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0));
  return words;
}

function compressed(words: readonly number[]): string {
  const run = longestZeroRun(words);
  const hex = words.map((word) => word.toString(16));
  if (run.length < 2) return hex.join(':');
  return `${hex.slice(0, run.start).join(':')}::${hex.slice(run.start + run.length).join(':')}`;
}

function longestZeroRun(words: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (const [index, word] of words.entries()) {
    if (word !== 0) start = index + 1;
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
  }
  return best;
}

/** True for ::ffff:0:0/96, the form in which a dual-stack IPv6 socket shows its IPv4 peers (RFC 4291 section 2.5.5.2). */
export function isMapped(address: IpAddress): boolean {
  return (
    address.family === 6 &&
    address.bytes[10] === 0xff &&
    address.bytes[11] === 0xff &&
    address.bytes.subarray(0, 10).every((byte) => byte === 0)
  );
}

/** A v4-mapped IPv6 address as the IPv4 address it stands for; every other address unchanged. */
export function unmapped(address: IpAddress): IpAddress {
  return isMapped(address) ? { family: 4, bytes: address.bytes.slice(12) } : address;
}

/** The v4-mapped IPv6 form of an IPv4 address; an IPv6 address unchanged. */
export function mapped(address: IpAddress): IpAddress {
  if (address.family === 6) return address;
  const bytes = new Uint8Array(16);
  bytes.fill(0xff, 10, 12);
  bytes.set(address.bytes, 12);
  return { family: 6, bytes };
}

/** Orders IPv4 before IPv6, then by value; the zone decides last. Negative, zero or positive. */
export function compareAddresses(left: IpAddress, right: IpAddress): number {
  if (left.family !== right.family) return left.family - right.family;
  for (const [index, byte] of left.bytes.entries()) {
    const difference = byte - (right.bytes[index] ?? 0);
    if (difference !== 0) return difference;
  }
  const [leftZone = '', rightZone = ''] = [left.zone, right.zone];
  if (leftZone === rightZone) return 0;
  return leftZone < rightZone ? -1 : 1;
}

/** The name under which DNS keeps this address's PTR record: `in-addr.arpa` (RFC 1035), `ip6.arpa` (RFC 3596). */
export function reverseName(address: IpAddress): string {
  if (address.family === 4) return `${[...address.bytes].reverse().join('.')}.in-addr.arpa`;
  const nibbles = [...address.bytes].reverse().flatMap((byte) => [byte & 15, byte >>> 4]);
  return `${nibbles.map((nibble) => nibble.toString(16)).join('.')}.ip6.arpa`;
}
