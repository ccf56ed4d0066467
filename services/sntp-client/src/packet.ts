/**
 * NTP packets (RFC 5905 section 7.3), bytes to fields and back.
 *
 *     byte  0      leap indicator (2 bits), version (3), mode (3)
 *           1      stratum
 *           2      poll, log2 seconds, signed
 *           3      precision, log2 seconds, signed
 *           4-7    root delay, 16.16 seconds
 *           8-11   root dispersion, 16.16 seconds
 *           12-15  reference id: four characters at stratum 0 and 1, an address or a hash above
 *           16-23  reference timestamp
 *           24-31  origin timestamp: what we sent as transmit timestamp
 *           32-39  receive timestamp (T2)
 *           40-47  transmit timestamp (T3)
 *           48-    extension fields (RFC 7822): type 2, length 2 (whole field, a multiple of 4), body;
 *                  or at the very end a legacy MAC of 4, 20 or 24 bytes
 */
import type { NtpTimestamp } from './timestamp.ts';

export const HEADER_BYTES = 48;

/** The least length of an extension field (RFC 7822 section 3). */
export const MIN_FIELD_BYTES = 16;

/** Crypto-NAK, MD5 or CMAC, SHA-1: key id and digest. None is asked for, so none is checked. */
const LEGACY_MAC_BYTES: readonly number[] = [4, 20, 24];

export const modes = { client: 3, server: 4 } as const;

/** Leap indicator: what the last minute of the day will be, or that the clock is not set. */
export const leapWords = ['none', 'insert', 'delete', 'unsynchronised'] as const;

export interface Header {
  /** 0 none, 1 a second is inserted, 2 deleted, 3 the clock is not synchronised. */
  readonly leap: number;
  readonly version: number;
  readonly mode: number;
  /** 0 unspecified or a kiss, 1 a reference clock, 2 to 15, 16 and above unsynchronised. */
  readonly stratum: number;
  /** log2 of seconds. */
  readonly poll: number;
  /** log2 of seconds. */
  readonly precision: number;
  readonly rootDelaySeconds: number;
  readonly rootDispersionSeconds: number;
  /** 32 bits, unsigned. */
  readonly referenceId: number;
  readonly reference: NtpTimestamp;
  readonly origin: NtpTimestamp;
  readonly receive: NtpTimestamp;
  readonly transmit: NtpTimestamp;
}

export interface ExtensionField {
  readonly type: number;
  readonly body: Uint8Array;
  /** Where the field begins in its packet: what stands before it is what NTS authenticates. */
  readonly offset: number;
}

export interface Packet extends Header {
  readonly fields: readonly ExtensionField[];
}

export type PacketProblem = 'short' | 'malformed';

export type ParsedPacket =
  | { readonly ok: true; readonly packet: Packet }
  | { readonly ok: false; readonly problem: PacketProblem };

/** Reads a datagram; never throws. `short` is less than a header, `malformed` is what follows a header wrongly. */
export function parsePacket(bytes: Uint8Array): ParsedPacket {
  if (bytes.length < HEADER_BYTES) return { ok: false, problem: 'short' };
  const fields = parseFields(bytes, HEADER_BYTES, MIN_FIELD_BYTES, LEGACY_MAC_BYTES);
  if (fields === undefined) return { ok: false, problem: 'malformed' };
  const view = viewOf(bytes);
  const first = view.getUint8(0);
  const packet: Packet = {
    leap: first >> 6,
    version: (first >> 3) & 7,
    mode: first & 7,
    stratum: view.getUint8(1),
    poll: view.getInt8(2),
    precision: view.getInt8(3),
    rootDelaySeconds: view.getUint32(4) / 2 ** 16,
    rootDispersionSeconds: view.getUint32(8) / 2 ** 16,
    referenceId: view.getUint32(12),
    reference: view.getBigUint64(16),
    origin: view.getBigUint64(24),
    receive: view.getBigUint64(32),
    transmit: view.getBigUint64(40),
    fields,
  };
  return { ok: true, packet };
}

/**
 * Reads extension fields from `start` to the end; `undefined` when lengths do not add up.
 *
 * @param minBytes the least length of a field: 16 in a packet, 4 inside of what NTS encrypts
 * @param endings lengths of a rest that is no field: a legacy MAC
 */
export function parseFields(
  bytes: Uint8Array,
  start: number,
  minBytes: number,
  endings: readonly number[],
): readonly ExtensionField[] | undefined {
  const view = viewOf(bytes);
  const fields: ExtensionField[] = [];
  let offset = start;
  while (offset < bytes.length) {
    const left = bytes.length - offset;
    if (endings.includes(left)) return fields;
    if (left < minBytes) return undefined;
    const length = view.getUint16(offset + 2);
    if (length < minBytes || length > left || length % 4 !== 0) return undefined;
    fields.push({ type: view.getUint16(offset), body: bytes.subarray(offset + 4, offset + length), offset });
    offset += length;
  }
  return fields;
}

/** What a client request is made of; everything that is left out is zero (data minimisation). */
export const emptyHeader: Header = {
  leap: 0,
  version: 4,
  mode: modes.client,
  stratum: 0,
  poll: 0,
  precision: 0,
  rootDelaySeconds: 0,
  rootDispersionSeconds: 0,
  referenceId: 0,
  reference: 0n,
  origin: 0n,
  receive: 0n,
  transmit: 0n,
};

/** The 48 bytes of a header. */
export function encodeHeader(header: Header): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.writeUInt8((header.leap << 6) | (header.version << 3) | header.mode, 0);
  bytes.writeUInt8(header.stratum, 1);
  bytes.writeInt8(header.poll, 2);
  bytes.writeInt8(header.precision, 3);
  bytes.writeUInt32BE(shortFormat(header.rootDelaySeconds), 4);
  bytes.writeUInt32BE(shortFormat(header.rootDispersionSeconds), 8);
  bytes.writeUInt32BE(header.referenceId, 12);
  bytes.writeBigUInt64BE(header.reference, 16);
  bytes.writeBigUInt64BE(header.origin, 24);
  bytes.writeBigUInt64BE(header.receive, 32);
  bytes.writeBigUInt64BE(header.transmit, 40);
  return bytes;
}

/** Seconds as 16.16, at most the largest value. */
function shortFormat(seconds: number): number {
  return Math.min(0xffff_ffff, Math.round(seconds * 2 ** 16));
}

/**
 * A client's request of 48 bytes. Its transmit timestamp is random: it tells nobody our time, and only
 * who has seen the request can answer it.
 */
export function encodeRequest(transmit: NtpTimestamp): Buffer {
  return encodeHeader({ ...emptyHeader, transmit });
}

/** An extension field, padded with zeros to a multiple of 4 and to the least length. */
export function encodeField(type: number, body: Uint8Array, minBytes = MIN_FIELD_BYTES): Buffer {
  const bytes = Buffer.alloc(Math.max(minBytes, 4 + Math.ceil(body.length / 4) * 4));
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(bytes.length, 2);
  bytes.set(body, 4);
  return bytes;
}

/** The reference id as a person reads it: its characters at stratum 0 and 1, otherwise as an IPv4 address is written. */
export function formatReferenceId(referenceId: number, stratum: number): string {
  const bytes = [24, 16, 8, 0].map((shift) => (referenceId >>> shift) & 0xff);
  if (stratum > 1) return bytes.join('.');
  const characters = bytes.filter((byte, index) => byte !== 0 || bytes.slice(index).some((later) => later !== 0));
  const readable = characters.every((byte) => byte > 0x20 && byte < 0x7f);
  return readable ? String.fromCharCode(...characters) : bytes.join('.');
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
