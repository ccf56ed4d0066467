/** Byte order: unsigned integers of 16, 32 or 64 bits, and how they lie in memory on each kind of host. */
import { quote } from '../config/problems.ts';
import type { Parsed } from './address.ts';

/** Network order is big-endian (RFC 1700, "Data Notations"). */
export type ByteOrder = 'big-endian' | 'little-endian';

export const WORD_BITS = [16, 32, 64] as const;
export type WordBits = (typeof WORD_BITS)[number];

/** 2^bits - 1. */
export function maxOf(bits: WordBits): bigint {
  return (1n << BigInt(bits)) - 1n;
}

/** Longest accepted digits: 64 of them spell the largest value in binary. */
const INTEGER = /^(?:0[xX][0-9a-fA-F]{1,16}|0[bB][01]{1,64}|0[oO][0-7]{1,22}|0|[1-9][0-9]{0,19})$/;

/**
 * Reads an unsigned integer: decimal without leading zeros, or `0x`, `0o`, `0b` and digits. A plain leading zero is
 * refused, because C reads it as octal and everyone else as decimal.
 */
export function parseUnsigned(text: string, bits: WordBits = 64): Parsed<bigint> {
  if (!INTEGER.test(text)) {
    const problem = `${quote(text)} is not an unsigned integer: decimal, or 0x, 0o, 0b and digits, is expected`;
    return { ok: false, problem };
  }
  const value = BigInt(text);
  if (value > maxOf(bits)) {
    return { ok: false, problem: `${quote(text)} does not fit in ${bits} bits: 0 to ${maxOf(bits)} is allowed` };
  }
  return { ok: true, value };
}

/** The narrowest word that holds the value: 16, 32 or 64 bits. Throws `RangeError` beyond 64 bits and below zero. */
export function narrowestBits(value: bigint): WordBits {
  const bits = WORD_BITS.find((width) => value >= 0n && value <= maxOf(width));
  if (bits === undefined) throw new RangeError(`${value} is not 0 to ${maxOf(64)}`);
  return bits;
}

/** The bytes of the value as they lie in memory in this order. Throws `RangeError` when it does not fit. */
export function bytesOf(value: bigint, bits: WordBits, order: ByteOrder): Uint8Array {
  if (value < 0n || value > maxOf(bits)) throw new RangeError(`${value} is not 0 to ${maxOf(bits)}`);
  const bytes = new Uint8Array(bits / 8);
  for (let index = 0; index < bytes.length; index += 1) bytes[index] = Number((value >> BigInt(8 * index)) & 0xffn);
  return order === 'little-endian' ? bytes : bytes.reverse();
}

/** The unsigned integer that these bytes spell in this order. */
export function wordOf(bytes: Uint8Array, order: ByteOrder): bigint {
  const inOrder = order === 'big-endian' ? bytes : bytes.toReversed();
  return inOrder.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** The value with its bytes in the opposite order. */
export function swapped(value: bigint, bits: WordBits): bigint {
  return wordOf(bytesOf(value, bits, 'big-endian'), 'little-endian');
}

/**
 * What `htons`, `htonl`, `ntohs` and `ntohl` return on a host of this byte order: on a big-endian one the value
 * itself, else the swapped value. Both directions are the same function; the names tell the reader which is meant.
 */
export function converted(value: bigint, bits: WordBits, host: ByteOrder): bigint {
  return host === 'big-endian' ? value : swapped(value, bits);
}

/** The words of the socket interface, with the width each works on. */
export const CONVERSIONS = [
  { name: 'htons', bits: 16, meaning: 'host to network, 16 bits' },
  { name: 'htonl', bits: 32, meaning: 'host to network, 32 bits' },
  { name: 'ntohs', bits: 16, meaning: 'network to host, 16 bits' },
  { name: 'ntohl', bits: 32, meaning: 'network to host, 32 bits' },
] as const;
