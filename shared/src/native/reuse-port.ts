/**
 * Who of several listeners on one port (SO_REUSEPORT) gets the next peer.
 *
 * The kernel chooses by a hash. A listener that closes takes the peers that wait in its own queue with
 * it: they are reset. So before the old one of two closes, the kernel is told to give every new peer to
 * the other, by a filter of one instruction that belongs to all listeners on the port together
 * (SO_ATTACH_REUSEPORT_CBPF, socket(7), Linux 4.5): "return 1", the second to have joined. When the
 * first has gone, the second becomes the first; a number that no listener has means the hash again, and
 * a third that joins later is again number 1.
 */
import { linux, loadLibc, nativeGaps } from './linux.ts';

/** The listener that joined second; the first is 0. */
const SECOND_TO_JOIN = 1;

/**
 * struct sock_filter: code u16, jt u8, jf u8, k u32. One instruction, BPF_RET | BPF_K: return k.
 *
 * struct sock_fprog: len u16, 6 bytes of padding, a pointer to the instructions: 16 bytes on a 64-bit system.
 */
const BPF_RET_K = 0x06;
const FILTER_BYTES = 8;
const PROGRAM_BYTES = 16;

/**
 * From now on every new peer of the port goes to the listener that joined second.
 *
 * @param fd a listening or bound socket with SO_REUSEPORT
 * @returns `undefined`, or why it could not be done; the hash then goes on to choose
 */
export function steerToSecond(fd: number): string | undefined {
  const loaded = loadLibc();
  if (!loaded.available) return nativeGaps[loaded.gap];
  const { libc } = loaded;
  const filter = Buffer.alloc(FILTER_BYTES);
  filter.writeUInt16LE(BPF_RET_K, 0);
  filter.writeUInt32LE(SECOND_TO_JOIN, 4);
  const program = Buffer.alloc(PROGRAM_BYTES);
  program.writeUInt16LE(filter.length / FILTER_BYTES, 0);
  program.writeBigUInt64LE(libc.addressOf(filter), 8);
  const result = libc.setsockopt(fd, linux.SOL_SOCKET, linux.SO_ATTACH_REUSEPORT_CBPF, program, program.length);
  // The kernel has copied both structs by now; `filter` is named here so that it lived until it had.
  return result === 0 && filter.length > 0 ? undefined : `setsockopt: ${libc.errorName()}`;
}
