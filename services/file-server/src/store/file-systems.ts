/** Kinds of file systems, by the number that statfs(2) gives for them: <linux/magic.h>. */

const TMPFS = 0x01021994;

/** Where even what is in memory may need an answer from elsewhere, and where times are in whole seconds or worse. */
const NOT_LOCAL: ReadonlySet<number> = new Set([
  0x6969, // NFS
  0x517b, // SMB, the old one
  0xfe534d42, // SMB2
  0xff534d42, // CIFS
  0x65735546, // FUSE: whatever stands behind it
  0x00c36400, // Ceph
  0x01021997, // 9P
  0x5346414f, // AFS
  0x6b414653, // AFS of the kernel
  0x01161970, // GFS2
  0x7461636f, // OCFS2
  0x0bd00bd0, // Lustre
  0x4d44, // FAT: times in steps of two seconds
  0x2011bab0, // exFAT
]);

/**
 * `memory`: nothing ever waits for a device. `local`: what the kernel has in memory is used without asking anyone,
 * and times are those of its clock. `other`: neither is certain.
 */
export type Residence = 'memory' | 'local' | 'other';

export function residenceOf(fileSystemType: number): Residence {
  // Some systems give it as a signed number.
  const type = fileSystemType >>> 0;
  if (type === TMPFS && process.platform === 'linux') return 'memory';
  return process.platform !== 'linux' || NOT_LOCAL.has(type) ? 'other' : 'local';
}

/**
 * How long after a change another one may leave the same times. Local file systems stamp with a clock that moves
 * every 1 to 10 ms, FAT and some servers in steps of up to 2 s.
 */
export function settledAfterMs(residence: Residence): number {
  return residence === 'other' ? 2500 : 50;
}
