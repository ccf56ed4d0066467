/** Below this a copy by hand is quicker than the call into the runtime. */
const SHORT_COPY_BYTES = 24;
/** The first memory taken for an unfinished frame. */
const FIRST_CAPACITY_BYTES = 256;
/** Memory up to this size stays for the next frame; more stays only while frames come that need it. */
const REUSED_CAPACITY_BYTES = 131_072;
/** To copy a frame out of memory of this size costs less than to take new memory for the next one. */
const SMALL_MEMORY_BYTES = 4_096;

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
  /** The size of the frame before: the next one is likely to be as long, and so memory grows to that at once. */
  #lastFrameBytes = 0;
  /** Whether the other memory has a frame in it that is still being read. */
  #lent = false;
  readonly #mostBytes: number;
  readonly #givesMemory: boolean;

  /**
   * @param mostBytes the most that is ever held: doubling stops there.
   * @param givesMemory whether a frame that fits its memory takes it along.
   */
  constructor(mostBytes: number, givesMemory: boolean) {
    this.#mostBytes = mostBytes;
    this.#givesMemory = givesMemory;
  }

  /** Says that a new push has begun: the frame lent in the one before is not read any more. */
  recycle(): void {
    // A stream of long frames has something to hold at nearly every push. One that has not does without their memory.
    if (!this.#lent && this.length === 0 && this.bytes.length + this.#other.length > 2 * REUSED_CAPACITY_BYTES) {
      this.release();
    }
    this.#lent = false;
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
      bytes.set(added === source.length ? source : source.subarray(from, to), start);
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
   * Lends out the memory with the complete frame in it, of which `frameBytes` are delivered, and holds nothing any more.
   * The memory is written over at its next turn but one, so not before the next push. If frames take their memory along
   * and this one fits, the memory is given up.
   */
  lend(frameBytes: number): Buffer {
    const memory = this.bytes;
    const tooMuch = memory.length > REUSED_CAPACITY_BYTES && frameBytes * 4 < memory.length;
    const givenUp = tooMuch || (this.#givesMemory && fits(memory, frameBytes));
    this.bytes = this.#other;
    this.#other = givenUp ? NO_MEMORY : memory;
    this.#lent = true;
    this.#lastFrameBytes = Math.min(this.length, REUSED_CAPACITY_BYTES);
    this.length = 0;
    return memory;
  }

  /** Lets go of all memory. */
  release(): void {
    this.length = 0;
    this.bytes = NO_MEMORY;
    this.#other = NO_MEMORY;
  }

  #grow(needed: number): void {
    if (!this.#lent && this.#other.length >= needed) {
      const other = this.#other;
      other.set(this.bytes.subarray(0, this.length));
      this.#other = this.bytes;
      this.bytes = other;
      return;
    }
    const doubled = Math.max(this.bytes.length * 2, this.#lastFrameBytes, FIRST_CAPACITY_BYTES);
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(doubled, this.#mostBytes)));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

/** Whether a frame fills at least half of its memory, so that it may keep it: a small one is quicker copied. */
export function fits(memory: Uint8Array, frameBytes: number): boolean {
  return memory.length > SMALL_MEMORY_BYTES && frameBytes * 2 >= memory.length;
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

/** A copy in memory that other buffers may share, Node's pool: much cheaper than memory of its own. */
export function pooledCopy(source: Buffer, from: number, to: number): Buffer {
  const copy = Buffer.allocUnsafe(to - from);
  source.copy(copy, 0, from, to);
  return copy;
}
