/**
 * Datagrams by the batch: up to 64 with one recvmmsg(2), their replies with one sendmmsg(2).
 *
 * Everything that the kernel is given a pointer to lives in one block of memory that this object owns: as long as the
 * object is referenced the pointers hold, and a buffer that JavaScript's collector takes away while the kernel still
 * writes into it, which shows as datagrams that silently get lost, can't happen. The addresses in the structures are
 * written once; from then on only lengths change.
 *
 * ```
 * recv headers | send headers | recv iovecs | send iovecs | names | control | payloads
 * ```
 *
 * A reply is sent out of the very slot its request came into: same peer address, same bytes (the service may have
 * changed them in place), and as the source the address that the request was sent to.
 */
import { controlSpace, layout } from './datagram-layout.ts';
import { type Libc, linux } from './linux.ts';

/** Datagrams in one system call. More hardly gain anything, and each one delays the first reply of its batch. */
export const BATCH_SLOTS = 64;

/** The largest payload there is: 65,507 bytes over IPv4, 65,527 over IPv6. */
const PAYLOAD_BYTES = 65_536;

/**
 * Payloads are this far apart. A distance of a power of two would put the start of every slot into the same few lines
 * of the processor's caches, where they push one another out; an odd number of pages spreads them.
 */
const PAYLOAD_STRIDE_BYTES = PAYLOAD_BYTES + 2048 + 64;

const NAME_STRIDE_BYTES = 32;
const CONTROL_STRIDE_BYTES = 64;

const { mmsghdr, iovec, cmsghdr, inPktinfo, in6Pktinfo, sockaddrIn, sockaddrIn6 } = layout;

/** Offsets of the parts of the block. */
const SEND_HEADERS = BATCH_SLOTS * mmsghdr.size;
const RECV_IOVECS = SEND_HEADERS + BATCH_SLOTS * mmsghdr.size;
const SEND_IOVECS = RECV_IOVECS + BATCH_SLOTS * iovec.size;
const NAMES = SEND_IOVECS + BATCH_SLOTS * iovec.size;
const CONTROLS = NAMES + BATCH_SLOTS * NAME_STRIDE_BYTES;
const PAYLOADS = CONTROLS + BATCH_SLOTS * CONTROL_STRIDE_BYTES;
const BLOCK_BYTES = PAYLOADS + BATCH_SLOTS * PAYLOAD_STRIDE_BYTES;

/** Words (32 bits) between fields of consecutive slots, for the typed views of the hot path. */
const HEADER_WORDS = mmsghdr.size / 4;
const IOVEC_WORDS = iovec.size / 4;

/** Pointers in a header that belong to one slot: two words each. */
const POINTER_FIELDS = [mmsghdr.name / 4, mmsghdr.iov / 4, mmsghdr.control / 4] as const;

/** What a receive or send came to when it was not a number of datagrams. */
export type BatchFailure = string;

export interface DatagramBatchOptions {
  readonly libc: Libc;
  /** Stays the caller's, and must be open whenever a method is called. */
  readonly fd: number;
  readonly family: 4 | 6;
  /**
   * The socket reports the address each datagram was sent to (`IP_PKTINFO`), and replies are to come from there.
   * Needed on a wildcard address alone: a socket bound to one address answers from it.
   */
  readonly repliesFromDestination: boolean;
}

export class DatagramBatch {
  /** Payloads are in here; see `payloadOffset`. */
  readonly memory: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  /** The same memory, for reading at any offset. */
  readonly view: DataView = new DataView(this.memory.buffer);
  readonly #words = new Uint32Array(this.memory.buffer);
  readonly #options: DatagramBatchOptions;
  readonly #recvPointer: bigint;
  readonly #sendPointer: bigint;
  readonly #nameBytes: number;
  readonly #controlBytes: number;
  /** How many of the control lengths the last receive may have changed. */
  #usedSlots = BATCH_SLOTS;
  /** The slot whose pointers stand in each send header; they differ only after datagrams without reply. */
  readonly #slotOfHeader = new Uint8Array(BATCH_SLOTS).map((_, index) => index);
  #queued = 0;
  #sent = 0;

  constructor(options: DatagramBatchOptions) {
    this.#options = options;
    const isIpv4 = options.family === 4;
    this.#nameBytes = isIpv4 ? sockaddrIn.size : sockaddrIn6.size;
    const infoBytes = isIpv4 ? inPktinfo.size : in6Pktinfo.size;
    this.#controlBytes = options.repliesFromDestination ? controlSpace(infoBytes) : 0;
    const base = options.libc.addressOf(this.memory);
    this.#recvPointer = base;
    this.#sendPointer = base + BigInt(SEND_HEADERS);
    this.memory.fill(0, 0, PAYLOADS);
    for (let slot = 0; slot < BATCH_SLOTS; slot++) this.#writePointers(slot, base);
  }

  #writePointers(slot: number, base: bigint): void {
    const { memory } = this;
    for (const [headers, iovecs] of [
      [0, RECV_IOVECS],
      [SEND_HEADERS, SEND_IOVECS],
    ] as const) {
      const header = headers + slot * mmsghdr.size;
      const vector = iovecs + slot * iovec.size;
      memory.writeBigUInt64LE(base + BigInt(NAMES + slot * NAME_STRIDE_BYTES), header + mmsghdr.name);
      memory.writeUInt32LE(this.#nameBytes, header + mmsghdr.nameLength);
      memory.writeBigUInt64LE(base + BigInt(vector), header + mmsghdr.iov);
      memory.writeUInt32LE(1, header + mmsghdr.iovLength);
      if (this.#controlBytes > 0) {
        memory.writeBigUInt64LE(base + BigInt(CONTROLS + slot * CONTROL_STRIDE_BYTES), header + mmsghdr.control);
      }
      memory.writeBigUInt64LE(base + BigInt(this.payloadOffset(slot)), vector + iovec.base);
      memory.writeUInt32LE(PAYLOAD_BYTES, vector + iovec.length);
    }
  }

  /** Where the payload of a slot starts in `memory`. */
  payloadOffset(slot: number): number {
    return PAYLOADS + slot * PAYLOAD_STRIDE_BYTES;
  }

  /** Where the peer's `struct sockaddr_in` or `sockaddr_in6` stands in `memory`. */
  nameOffset(slot: number): number {
    return NAMES + slot * NAME_STRIDE_BYTES;
  }

  /** Bytes of the datagram in a slot. */
  length(slot: number): number {
    return this.#words[slot * HEADER_WORDS + mmsghdr.received / 4] ?? 0;
  }

  /**
   * Takes what has arrived, without waiting: the number of datagrams (1 to 64), or the name of an error. `EAGAIN`:
   * nothing is there. Forgets the replies of the batch before.
   */
  receive(): number | BatchFailure {
    const { libc, fd } = this.#options;
    if (this.#controlBytes > 0) this.#resetControls();
    this.#queued = 0;
    this.#sent = 0;
    const count = libc.recvmmsg(fd, this.#recvPointer, BATCH_SLOTS, linux.MSG_DONTWAIT, null as unknown as bigint);
    if (count < 0) return libc.errorName();
    this.#usedSlots = count;
    return count;
  }

  /** The kernel leaves the length of what it wrote where it looks for the room it has. */
  #resetControls(): void {
    for (let slot = 0; slot < this.#usedSlots; slot++) {
      this.#words[slot * HEADER_WORDS + mmsghdr.controlLength / 4] = this.#controlBytes;
    }
  }

  /** Queues the first `length` bytes of a slot's payload as the reply to the datagram in it. Slots go up. */
  reply(slot: number, length: number): void {
    const words = this.#words;
    const header = SEND_HEADERS / 4 + this.#queued * HEADER_WORDS;
    if (this.#slotOfHeader[this.#queued] !== slot) this.#pointHeaderAt(this.#queued, slot);
    words[SEND_IOVECS / 4 + slot * IOVEC_WORDS + iovec.length / 4] = length;
    if (this.#controlBytes > 0) words[header + mmsghdr.controlLength / 4] = this.#prepareControl(slot);
    this.#queued += 1;
  }

  #pointHeaderAt(index: number, slot: number): void {
    const words = this.#words;
    const header = SEND_HEADERS / 4 + index * HEADER_WORDS;
    // The pointers of a slot's own receive header never change; only its iovec is another for sending.
    const own = slot * HEADER_WORDS;
    for (const field of POINTER_FIELDS) {
      words[header + field] = words[own + field] ?? 0;
      words[header + field + 1] = words[own + field + 1] ?? 0;
    }
    const iov = this.#sendPointer - BigInt(SEND_HEADERS) + BigInt(SEND_IOVECS + slot * iovec.size);
    this.memory.writeBigUInt64LE(iov, SEND_HEADERS + index * mmsghdr.size + mmsghdr.iov);
    this.#slotOfHeader[index] = slot;
  }

  /**
   * Makes what the kernel said about a datagram's way in an order for its reply's way out: from the same address, but
   * by the route that leads to the peer, which may be another interface. Returns the length to send along; 0 leaves
   * the choice to the kernel, as it must when the datagram was sent to a group.
   */
  #prepareControl(slot: number): number {
    const { memory } = this;
    const control = CONTROLS + slot * CONTROL_STRIDE_BYTES;
    const received = this.#words[slot * HEADER_WORDS + mmsghdr.controlLength / 4] ?? 0;
    if (received < this.#controlBytes) return 0;
    const data = control + cmsghdr.size;
    if (this.#options.family === 4) {
      memory.writeUInt32LE(0, data + inPktinfo.interfaceIndex);
      return this.#controlBytes;
    }
    const address = data + in6Pktinfo.address;
    if (memory[address] === 0xff || this.#isMappedGroup(address)) return 0;
    // A link-local address means something on its own link only.
    const isLinkLocal = memory[address] === 0xfe && ((memory[address + 1] ?? 0) & 0xc0) === 0x80;
    if (!isLinkLocal) memory.writeUInt32LE(0, data + in6Pktinfo.interfaceIndex);
    return this.#controlBytes;
  }

  /** An IPv4 multicast or broadcast address, as a dual-stack socket shows it. */
  #isMappedGroup(address: number): boolean {
    const isMapped = this.memory.readUInt32BE(address + 8) === 0xffff && this.memory.readUInt32BE(address) === 0;
    return isMapped && (this.memory[address + 12] ?? 0) >= 224;
  }

  /** Replies that are queued and neither sent nor skipped. */
  get unsent(): number {
    return this.#queued - this.#sent;
  }

  /** The slot of the reply that the next `send` starts with. */
  unsentSlot(): number {
    return this.#slotOfHeader[this.#sent] ?? 0;
  }

  /**
   * Sends what is queued, without waiting: how many the kernel took, or the name of the error that the first of them
   * met. What was taken is not sent again.
   */
  send(): number | BatchFailure {
    const { libc, fd } = this.#options;
    const from = this.#sent === 0 ? this.#sendPointer : this.#sendPointer + BigInt(this.#sent * mmsghdr.size);
    const count = libc.sendmmsg(fd, from, this.unsent, linux.MSG_DONTWAIT);
    if (count < 0) return libc.errorName();
    this.#sent += count;
    return count;
  }

  /** Gives the next reply up. */
  skip(): void {
    this.#sent += 1;
  }
}
