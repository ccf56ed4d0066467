/** Below this a copy by hand is quicker than the call into the runtime. */
const SHORT_COPY_BYTES = 24;
/** The first memory taken for an unfinished frame. */
const FIRST_CAPACITY_BYTES = 256;
/** Memory up to this size is used again for the next frame; more is given up once its frame is delivered. */
const REUSED_CAPACITY_BYTES = 131_072;

const NO_MEMORY = Buffer.alloc(0);

/**
 * The bytes of one unfinished frame, copied out of the chunks they came in.
 *
 * Memory grows with the bytes that arrived and never with a length that was declared: it doubles, up to the most a
 * frame may take, so the whole cost is linear. Two pieces of memory take turns, because the frame that a push has
 * completed is still being read when the tail of the same chunk is put aside.
 */
export class HeldBytes {
  /** The memory; the first `length` bytes count. */
  bytes: Buffer = NO_MEMORY;
  length = 0;
  #other: Buffer = NO_MEMORY;
  readonly #mostBytes: number;

  /** @param mostBytes the most that is ever held: doubling stops there. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Appends `source[from, to)`. */
  append(source: Uint8Array, from: number, to: number): void {
    const added = to - from;
    if (this.length + added > this.bytes.length) this.#grow(this.length + added);
    const bytes = this.bytes;
    const start = this.length;
    if (added <= SHORT_COPY_BYTES) {
      for (let i = 0; i < added; i++) bytes[start + i] = source[from + i] as number;
    } else {
      bytes.set(source.subarray(from, to), start);
    }
    this.length = start + added;
  }

  /** Drops all but the last `count` bytes. */
  keepLast(count: number): void {
    if (this.length <= count) return;
    this.bytes.copyWithin(0, this.length - count, this.length);
    this.length = count;
  }

  clear(): void {
    this.length = 0;
    if (this.bytes.length > REUSED_CAPACITY_BYTES) this.bytes = NO_MEMORY;
  }

  /**
   * Delivers `[from, to)` of the held bytes as a frame and holds nothing any more.
   * The frame stays as it is until the memory's next turn but one, that is through the whole of this push.
   * With `owned` it stays so for ever, and has at most twice its own size in memory.
   */
  deliver(from: number, to: number, owned: boolean): Buffer {
    const memory = this.bytes;
    this.length = 0;
    if (from === to) return NO_MEMORY;
    if (owned && (to - from) * 2 < memory.length) return copyBytes(memory, from, to);
    this.bytes = this.#other;
    this.#other = owned || memory.length > REUSED_CAPACITY_BYTES ? NO_MEMORY : memory;
    return memory.subarray(from, to);
  }

  /** Lets go of all memory. */
  release(): void {
    this.length = 0;
    this.bytes = NO_MEMORY;
    this.#other = NO_MEMORY;
  }

  #grow(needed: number): void {
    const doubled = Math.max(this.bytes.length * 2, FIRST_CAPACITY_BYTES);
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(doubled, this.#mostBytes)));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

/** The bytes `[from, to)` in memory of their own, shared with nothing. */
export function copyBytes(source: Uint8Array, from: number, to: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(to - from);
  if (to - from <= SHORT_COPY_BYTES) {
    for (let i = from; i < to; i++) copy[i - from] = source[i] as number;
  } else {
    copy.set(source.subarray(from, to));
  }
  return copy;
}
