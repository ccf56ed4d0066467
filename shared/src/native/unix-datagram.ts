/** One datagram to a Unix socket, which Node has no call for. */
import { linux, type NativeGap, openNative } from './linux.ts';

const SIGNATURES = {
  socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
  sendto: { arguments: ['i32', 'buffer', 'u64', 'i32', 'buffer', 'u32'], return: 'i64' },
  close: { arguments: ['i32'], return: 'i32' },
} as const;

const AF_UNIX = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

export type SendFailure = NativeGap | 'not-sent';

/**
 * Sends without waiting. The result is `undefined` when the system took it, and otherwise why not.
 *
 * @param path of the receiver's socket; one that begins with `@` is a name in the abstract namespace (unix(7))
 */
export function sendUnixDatagram(path: string, text: string): SendFailure | undefined {
  const native = openNative(process, SIGNATURES);
  if (!native.available) return native.gap;
  const { socket, sendto, close } = native.functions;
  const fd = socket(AF_UNIX, linux.SOCK_DGRAM | linux.SOCK_CLOEXEC, 0);
  if (fd < 0) return 'not-sent';
  const bytes = Buffer.from(text);
  const name = unixAddress(path);
  const sent = sendto(fd, bytes, BigInt(bytes.length), MSG_DONTWAIT | MSG_NOSIGNAL, name, name.length);
  close(fd);
  return sent === BigInt(bytes.length) ? undefined : 'not-sent';
}

/** A `struct sockaddr_un` as long as its name: an abstract one is not ended by NUL but begun by it. */
function unixAddress(path: string): Buffer {
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX);
  const name = path.startsWith('@') ? `\0${path.slice(1)}` : `${path}\0`;
  return Buffer.concat([family, Buffer.from(name)]);
}
