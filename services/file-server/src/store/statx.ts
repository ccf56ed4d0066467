/**
 * `struct statx` of <linux/stat.h>, the same on every architecture:
 *
 *   offset  8  u64  attributes        offset  40  u64  size
 *   offset 28  u16  mode              offset  96  i64  ctime, seconds; offset 104  u32  nanoseconds
 *   offset 32  u64  inode             offset 112  i64  mtime, seconds; offset 120  u32  nanoseconds
 *   offset 56  u64  attributes known  offset 136  u32  device, major;  offset 140  u32  minor
 */
import type { FileStats } from './entries.ts';

const STATX_BYTES = 256;

/** Everything that stat(2) has. */
export const STATX_BASIC_STATS = 0x7ff;

const ATTRIBUTE_MOUNT_ROOT = 0x2000n;

export class StatxBuffer {
  readonly bytes = new Uint8Array(STATX_BYTES);
  readonly #u64 = new BigUint64Array(this.bytes.buffer);
  readonly #i64 = new BigInt64Array(this.bytes.buffer);
  readonly #u32 = new Uint32Array(this.bytes.buffer);
  readonly #u16 = new Uint16Array(this.bytes.buffer);

  /**
   * Another file system may begin here, and what is known of it may have to come from far away. Before Linux 5.8 the
   * kernel does not say.
   */
  get mayBeMountRoot(): boolean {
    const [attributes, known] = [this.#u64[1] as bigint, this.#u64[7] as bigint];
    return (attributes & ATTRIBUTE_MOUNT_ROOT) !== 0n || (known & ATTRIBUTE_MOUNT_ROOT) === 0n;
  }

  /** What Node's `stat` says of the same file. */
  stats(): FileStats {
    return {
      dev: deviceOf(this.#u32[34] as number, this.#u32[35] as number),
      ino: this.#u64[4] as bigint,
      mode: BigInt(this.#u16[14] as number),
      size: this.#u64[5] as bigint,
      ctimeNs: this.#nanoseconds(96),
      mtimeNs: this.#nanoseconds(112),
    };
  }

  #nanoseconds(offset: number): bigint {
    return (this.#i64[offset / 8] as bigint) * 1_000_000_000n + BigInt(this.#u32[offset / 4 + 2] as number);
  }
}

/** `makedev` of the C library: twelve and twenty bits among each other, for the sake of old programs. */
function deviceOf(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & ~0xfffn) << 32n) | ((high & 0xfffn) << 8n) | ((low & ~0xffn) << 12n) | (low & 0xffn);
}
