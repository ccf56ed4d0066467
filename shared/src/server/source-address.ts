/**
 * Where a datagram came from, as numbers: the hot path compares, hashes and counts addresses, and turns one into text
 * only for a record. One object is filled again and again.
 */
import { formatAddress, fromBytes, type IpAddress, isMapped, parseAddress } from '../inet/address.ts';

export class SourceAddress {
  /** v4-mapped addresses, which a dual-stack socket shows, are IPv4. */
  family: 4 | 6 = 4;
  /** The address in words of 32 bits, most significant first; IPv4 has only the last one, the others are 0. */
  w0 = 0;
  w1 = 0;
  w2 = 0;
  w3 = 0;
  port = 0;

  /** Takes an address in network order out of `view`, and a port. */
  read(view: DataView, offset: number, family: 4 | 6, port: number): void {
    this.port = port;
    if (family === 4) {
      this.#set(4, 0, 0, 0, view.getUint32(offset));
      return;
    }
    const w0 = view.getUint32(offset);
    const w1 = view.getUint32(offset + 4);
    const w2 = view.getUint32(offset + 8);
    const w3 = view.getUint32(offset + 12);
    if (w0 === 0 && w1 === 0 && w2 === 0xffff) this.#set(4, 0, 0, 0, w3);
    else this.#set(6, w0, w1, w2, w3);
  }

  /** Takes another one's values. */
  copy({ family, w0, w1, w2, w3, port }: SourceAddress): void {
    this.#set(family, w0, w1, w2, w3);
    this.port = port;
  }

  #set(family: 4 | 6, w0: number, w1: number, w2: number, w3: number): void {
    this.family = family;
    this.w0 = w0;
    this.w1 = w1;
    this.w2 = w2;
    this.w3 = w3;
  }

  get isLoopback(): boolean {
    if (this.family === 4) return this.w3 >>> 24 === 127;
    return this.w0 === 0 && this.w1 === 0 && this.w2 === 0 && this.w3 === 1;
  }
}

/** The address of a source, without its port. */
export function toIpAddress(source: SourceAddress): IpAddress {
  const { family, w0, w1, w2, w3 } = source;
  return addressOfWords(family === 4 ? [w3] : [w0, w1, w2, w3]);
}

/** The address that these words make: one for IPv4, four for IPv6. */
export function addressOfWords(words: readonly number[]): IpAddress {
  const bytes = Buffer.alloc(words.length * 4);
  for (const [index, word] of words.entries()) bytes.writeUInt32BE(word, index * 4);
  const address = fromBytes(bytes);
  if (!address.ok) throw new RangeError(address.problem);
  return address.value;
}

/** `ip:port` or `[ip6]:port`. */
export function formatSource(source: SourceAddress): string {
  const text = formatAddress(toIpAddress(source));
  return source.family === 4 ? `${text}:${source.port}` : `[${text}]:${source.port}`;
}

/** Parsed addresses are kept up to this many, then all are forgotten: a flood of new ones must not grow it. */
const MAX_KEPT = 4_096;

/** Reads addresses as node:dgram gives them, in text; the same few come again and again. */
export class SourceReader {
  readonly #kept = new Map<string, SourceAddress>();
  #lastText = '';
  #last = new SourceAddress();

  /** Fills `source`; the text comes from the system and is always an address. */
  read(text: string, port: number, source: SourceAddress): void {
    // Whoever talks mostly goes on: comparing with the last text is cheaper than hashing this one.
    if (text !== this.#lastText) {
      this.#last = this.#find(text);
      this.#lastText = text;
    }
    source.copy(this.#last);
    source.port = port;
  }

  #find(text: string): SourceAddress {
    let known = this.#kept.get(text);
    if (known === undefined) {
      known = parseSource(text);
      if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
      this.#kept.set(text, known);
    }
    return known;
  }
}

function parseSource(text: string): SourceAddress {
  const address = parseAddress(text);
  if (!address.ok) throw new RangeError(address.problem);
  const { bytes, family } = address.value;
  const source = new SourceAddress();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  source.read(view, isMapped(address.value) ? 12 : 0, isMapped(address.value) ? 4 : family, 0);
  return source;
}
