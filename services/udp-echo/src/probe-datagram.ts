/**
 * What a probe sends, and how it knows what comes back.
 *
 * ```
 *  0  4  mark, "UEP1"
 *  4  8  session: random, the same in all datagrams of one run
 * 12  8  sequence, from 0
 * 20  8  time of sending in nanoseconds, on the clock of the sender
 * 28  4  CRC-32 (zlib's) of all the other bytes
 * 32     filling, different in every datagram
 * ```
 *
 * All numbers are in network order. The sender keeps nothing of what it sent: a datagram that returns whole says all.
 */
import { crc32 } from 'node:zlib';

export const HEADER_BYTES = 32;

/** The most that fits into an IPv4 datagram: 65,535 less 20 bytes of IP and 8 of UDP header. */
export const MAX_DATAGRAM_BYTES = 65_507;

const MARK = 0x5545_5031;
const SESSION_OFFSET = 4;
const SEQUENCE_OFFSET = 12;
const SENT_AT_OFFSET = 20;
const CRC_OFFSET = 28;

const TWO_TO_32 = 2 ** 32;

/** @param sequence 0 to 2^53 - 1 @param sentAtNs 0 to 2^53 - 1, whole */
export interface ProbeDatagram {
  readonly sequence: number;
  readonly sentAtNs: number;
}

export type Returned =
  | ({ readonly kind: 'intact' } & ProbeDatagram)
  /** Not what this probe sent, whatever it is: bytes changed on the way, or some are missing. */
  | { readonly kind: 'corrupted' }
  /** Whole, but of another run. */
  | { readonly kind: 'stray' };

export class ProbeCodec {
  readonly #session: bigint;
  readonly #sizeBytes: number;
  readonly #datagram: Buffer;

  /** @param sizeBytes 32 to 65,507 @param session 64 random bits */
  constructor(sizeBytes: number, session: bigint) {
    this.#session = session;
    this.#sizeBytes = sizeBytes;
    this.#datagram = Buffer.alloc(sizeBytes);
    this.#datagram.writeUInt32BE(MARK, 0);
    this.#datagram.writeBigUInt64BE(session, SESSION_OFFSET);
    for (let at = HEADER_BYTES; at < sizeBytes; at++) this.#datagram[at] = (at * 167 + 13) & 0xff;
  }

  /** The bytes to send, good until the next call. */
  encode({ sequence, sentAtNs }: ProbeDatagram): Buffer {
    const datagram = this.#datagram;
    writeNumber(datagram, sequence, SEQUENCE_OFFSET);
    writeNumber(datagram, sentAtNs, SENT_AT_OFFSET);
    // Each filling starts with another byte, so that no two datagrams are alike behind the header either.
    if (this.#sizeBytes > HEADER_BYTES) datagram[HEADER_BYTES] = sequence & 0xff;
    datagram.writeUInt32BE(checksum(datagram), CRC_OFFSET);
    return datagram;
  }

  decode(bytes: Buffer): Returned {
    if (bytes.length < HEADER_BYTES || bytes.readUInt32BE(0) !== MARK) return { kind: 'corrupted' };
    if (bytes.readUInt32BE(CRC_OFFSET) !== checksum(bytes)) return { kind: 'corrupted' };
    if (bytes.readBigUInt64BE(SESSION_OFFSET) !== this.#session) return { kind: 'stray' };
    if (bytes.length !== this.#sizeBytes) return { kind: 'corrupted' };
    const sequence = readNumber(bytes, SEQUENCE_OFFSET);
    return { kind: 'intact', sequence, sentAtNs: readNumber(bytes, SENT_AT_OFFSET) };
  }
}

function checksum(datagram: Buffer): number {
  return crc32(datagram.subarray(HEADER_BYTES), crc32(datagram.subarray(0, CRC_OFFSET)));
}

function writeNumber(datagram: Buffer, value: number, offset: number): void {
  datagram.writeUInt32BE(Math.floor(value / TWO_TO_32), offset);
  datagram.writeUInt32BE(value % TWO_TO_32, offset + 4);
}

function readNumber(datagram: Buffer, offset: number): number {
  return datagram.readUInt32BE(offset) * TWO_TO_32 + datagram.readUInt32BE(offset + 4);
}
