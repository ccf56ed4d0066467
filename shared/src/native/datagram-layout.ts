/**
 * Where the kernel expects the fields of its structures: sizes and offsets in bytes on 64-bit Linux, checked against
 * the C compiler by a test. Names are those of <sys/socket.h>, <netinet/in.h> and <sys/uio.h>.
 */
export const layout = {
  /** One datagram of a batch: `struct msghdr`, then the number of bytes received. */
  mmsghdr: {
    size: 64,
    name: 0,
    nameLength: 8,
    iov: 16,
    iovLength: 24,
    control: 32,
    controlLength: 40,
    flags: 48,
    received: 56,
  },
  iovec: { size: 16, base: 0, length: 8 },
  sockaddrIn: { size: 16, family: 0, port: 2, address: 4 },
  sockaddrIn6: { size: 28, family: 0, port: 2, address: 8, scopeId: 24 },
  /** The header of a control message; its data follows at `size`. */
  cmsghdr: { size: 16, length: 0, level: 8, type: 12 },
  inPktinfo: { size: 12, interfaceIndex: 0, source: 4, destination: 8 },
  in6Pktinfo: { size: 20, address: 0, interfaceIndex: 16 },
} as const;

/** What a control message with data of this size takes up (`CMSG_SPACE`): header and data, filled up to 8 bytes. */
export const controlSpace = (dataBytes: number): number => layout.cmsghdr.size + Math.ceil(dataBytes / 8) * 8;
