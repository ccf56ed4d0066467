/** Kinds of file systems, by the number that statfs(2) gives for them: <linux/magic.h>. */

export const TMPFS = 0x01021994;

const remote: ReadonlySet<number> = new Set([
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
]);

/** Whether even what is in memory may need an answer from elsewhere before it is used. */
export function isRemote(fileSystemType: number): boolean {
  // Node gives it signed on some systems.
  return remote.has(fileSystemType >>> 0);
}
