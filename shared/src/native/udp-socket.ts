/** A UDP socket of our own on Linux: made, bound and closed through the C library. */
import { networkInterfaces } from 'node:os';
import { formatAddress, fromBytes, type IpAddress } from '../inet/address.ts';
import { layout } from './datagram-layout.ts';
import { type Libc, linux } from './linux.ts';
import { type BufferReport, type BufferRequest, setBufferSizes } from './socket-options.ts';

const { sockaddrIn, sockaddrIn6 } = layout;

export interface UdpSocketOptions {
  /** To bind to; a wildcard takes every address. `::` takes IPv4 as well. */
  readonly address: IpAddress;
  /** 0 takes a free one. */
  readonly port: number;
  readonly reusePort: boolean;
  readonly buffers: BufferRequest;
}

export interface UdpSocket {
  readonly fd: number;
  readonly family: 4 | 6;
  /** Where it is bound, as it really is. */
  readonly address: string;
  readonly port: number;
  /** Bound to every address, so that each datagram tells which one it was sent to. */
  readonly wildcard: boolean;
  readonly buffers: BufferReport;
  close(): void;
}

/**
 * Makes a non-blocking socket and binds it.
 *
 * @throws Error with the system's `code` (`EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, `EAFNOSUPPORT`, ...)
 */
export function bindUdp(libc: Libc, { address, port, reusePort, buffers }: UdpSocketOptions): UdpSocket {
  const { family } = address;
  const domain = family === 4 ? linux.AF_INET : linux.AF_INET6;
  const call = (name: string, result: number): number => {
    if (result < 0) {
      const code = libc.errorName();
      throw Object.assign(new Error(`${name}: ${code}`), { code, syscall: name });
    }
    return result;
  };
  const type = linux.SOCK_DGRAM | linux.SOCK_CLOEXEC | linux.O_NONBLOCK;
  const fd = call('socket', libc.socket(domain, type, 0));
  const close = (): void => void libc.close(fd);
  try {
    const setOption = (level: number, option: number, value: 0 | 1): void => {
      const bytes = Buffer.from([value, 0, 0, 0]);
      call('setsockopt', libc.setsockopt(fd, level, option, bytes, bytes.length));
    };
    if (reusePort) setOption(linux.SOL_SOCKET, linux.SO_REUSEPORT, 1);
    const wildcard = address.bytes.every((byte) => byte === 0);
    if (family === 6) setOption(linux.IPPROTO_IPV6, linux.IPV6_V6ONLY, 0);
    if (wildcard) {
      if (family === 4) setOption(linux.IPPROTO_IP, linux.IP_PKTINFO, 1);
      else setOption(linux.IPPROTO_IPV6, linux.IPV6_RECVPKTINFO, 1);
    }
    const report = setBufferSizes(fd, buffers);
    const name = socketAddress(address, port);
    call('bind', libc.bind(fd, name, name.length));
    const length = Buffer.from([name.length, 0, 0, 0]);
    call('getsockname', libc.getsockname(fd, name, length));
    const bound = { ...readSocketAddress(name), wildcard, buffers: report };
    return { fd, family, ...bound, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** A `struct sockaddr_in` or `sockaddr_in6`. */
export function socketAddress({ family, bytes, zone }: IpAddress, port: number): Buffer {
  const fields = family === 4 ? sockaddrIn : sockaddrIn6;
  const name = Buffer.alloc(fields.size);
  name.writeUInt16LE(family === 4 ? linux.AF_INET : linux.AF_INET6, fields.family);
  name.writeUInt16BE(port, fields.port);
  name.set(bytes, fields.address);
  if (zone !== undefined) name.writeUInt32LE(scopeIdOf(zone), sockaddrIn6.scopeId);
  return name;
}

/** The number of a zone: as it stands, or of the interface with that name; 0, which no link has, for an unknown one. */
function scopeIdOf(zone: string): number {
  if (/^\d{1,9}$/.test(zone)) return Number(zone);
  const addresses = networkInterfaces()[zone] ?? [];
  return addresses.find((address) => address.family === 'IPv6')?.scopeid ?? 0;
}

function readSocketAddress(name: Buffer): { readonly address: string; readonly port: number } {
  const isIpv4 = name.length === sockaddrIn.size;
  const start = isIpv4 ? sockaddrIn.address : sockaddrIn6.address;
  const address = fromBytes(name.subarray(start, start + (isIpv4 ? 4 : 16)));
  if (!address.ok) throw new Error(address.problem);
  return { address: formatAddress(address.value), port: name.readUInt16BE(sockaddrIn.port) };
}
