/**
 * Which datagrams must not be answered, whoever sent them. UDP has no handshake: anybody can write any source address
 * and port into a datagram, and an answer goes wherever that points to. Two servers that answer each other never stop
 * by themselves (CVE-1999-0103, CVE-2024-2169).
 */
import { networkInterfaces } from 'node:os';
import type { SourceAddress } from './source-address.ts';

/**
 * UDP services that answer what they do not understand, or that were built to answer everybody. A client has no
 * reason to send from one of these ports; a datagram that claims to come from there asks us to answer the service.
 */
export const answeringServices: Readonly<Record<number, string>> = {
  7: 'echo',
  11: 'active users',
  13: 'daytime',
  17: 'quote of the day',
  18: 'message send',
  19: 'character generator',
  37: 'time',
  53: 'DNS',
  69: 'TFTP',
  111: 'portmapper',
  123: 'NTP',
  137: 'NetBIOS name service',
  161: 'SNMP',
  177: 'XDMCP',
  389: 'CLDAP',
  427: 'SLP',
  520: 'RIP',
  623: 'IPMI',
  1434: 'SQL Server browser',
  1900: 'SSDP',
  3702: 'WS-Discovery',
  5060: 'SIP',
  5353: 'multicast DNS',
  5683: 'CoAP',
  7007: 'udp-echo, on its default port',
  11211: 'memcached',
};

/** Whether a datagram from each port must not be answered, by port: those services, and our own port. */
export function guardedPorts(ownPort: number): Uint8Array {
  const ports = new Uint8Array(65_536);
  for (const port of Object.keys(answeringServices)) ports[Number(port)] = 1;
  ports[ownPort] = 1;
  return ports;
}

/**
 * Addresses that no single host sends from: 0.0.0.0/8, 224.0.0.0/4 and above with 255.255.255.255 (RFC 1122 section
 * 3.2.1.3), `::`, ff00::/8.
 */
export function isBadSource({ family, w0, w1, w2, w3 }: SourceAddress): boolean {
  if (family === 4) return w3 >= 0xe000_0000 || w3 < 0x0100_0000;
  return w0 >= 0xff00_0000 || (w0 === 0 && w1 === 0 && w2 === 0 && w3 === 0);
}

type Interfaces = ReturnType<typeof networkInterfaces>;

/** The directed broadcast addresses of this machine's networks (192.0.2.255 of 192.0.2.0/24), as words. */
export function broadcastAddresses(interfaces: Interfaces = networkInterfaces()): ReadonlySet<number> {
  const broadcasts = new Set<number>();
  for (const { family, address, netmask } of Object.values(interfaces).flatMap((addresses) => addresses ?? [])) {
    if (family !== 'IPv4') continue;
    const mask = wordOf(netmask);
    // A /31 (RFC 3021) and a /32 have no broadcast address.
    if (~mask >>> 0 > 1) broadcasts.add((wordOf(address) | ~mask) >>> 0);
  }
  return broadcasts;
}

const wordOf = (dotted: string): number =>
  dotted.split('.').reduce((word, part) => ((word << 8) | Number(part)) >>> 0, 0);
