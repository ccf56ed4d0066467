/** `nettool host`: this machine's name and addresses. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { hostname, networkInterfaces } from 'node:os';
import { formatTable } from '../cli/table.ts';
import { systemCode } from '../errors.ts';
import { formatAddress, type IpFamily } from '../inet/address.ts';
import { type InterfaceAddress, interfaceAddresses } from '../inet/host.ts';
import { labelled } from './format.ts';
import type { Verb } from './verb.ts';

/**
 * Addresses out in the internet, from the blocks for documentation (RFC 5737, RFC 3849), so that nobody is meant.
 * Connecting a UDP socket sends nothing: it only has the kernel choose a route and the source address that goes
 * with it.
 */
const OUTSIDE = { 4: '203.0.113.1', 6: '2001:db8::1' } as const;
const DISCARD_PORT = 9;

/** The address a packet to the internet would leave from, or why there is none. */
interface Primary {
  readonly address: string | null;
  readonly reason: string | null;
}

export const host: Verb<Record<string, never>, void> = {
  name: 'host',
  describe: 'host name, interface addresses, primary IPv4 and IPv6',
  operands: [],
  settings: {},
  examples: [['nettool host', 'who am I on the network?']],
  parseOperands: () => {},
  answer: async () => {
    const [ipv4, ipv6] = await Promise.all([primaryAddress(4), primaryAddress(6)]);
    const addresses = interfaceAddresses(networkInterfaces());
    const name = hostname();
    const primary = ({ address, reason }: Primary) => address ?? `none: ${reason}`;
    return {
      report: { hostname: name, primary: { ipv4, ipv6 }, addresses: addresses.map(reportOf) },
      text: `${labelled([
        ['host name', name],
        ['primary IPv4', primary(ipv4)],
        ['primary IPv6', primary(ipv6)],
      ])}\n${addressTable(addresses)}`,
    };
  },
};

async function primaryAddress(family: IpFamily): Promise<Primary> {
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6');
  try {
    socket.connect(DISCARD_PORT, OUTSIDE[family]);
    await once(socket, 'connect');
    return { address: socket.address().address, reason: null };
  } catch (error) {
    return { address: null, reason: `no route to the internet (${systemCode(error) ?? String(error)})` };
  } finally {
    socket.close();
  }
}

function reportOf(entry: InterfaceAddress) {
  return {
    interface: entry.interface,
    family: entry.address.family,
    address: formatAddress(entry.address),
    prefixLength: entry.cidr?.prefixLength ?? null,
    network: entry.cidr === undefined ? null : formatAddress(entry.cidr.network),
    class: entry.class,
    mac: entry.mac ?? null,
    internal: entry.internal,
  };
}

function addressTable(addresses: readonly InterfaceAddress[]): string {
  const rows = addresses.map((entry) => {
    const length = entry.cidr === undefined ? '' : `/${entry.cidr.prefixLength}`;
    return [entry.interface, `${formatAddress(entry.address)}${length}`, entry.class, entry.mac ?? ''];
  });
  return formatTable(['INTERFACE', 'ADDRESS', 'CLASS', 'MAC'], rows);
}
