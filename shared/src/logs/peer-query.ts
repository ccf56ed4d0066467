/** `--peer`: an address, an address with a port, or a block, against the field `peer` of a record. */
import { BlockList, isIP, SocketAddress } from 'node:net';
import { unmapAddress } from '../server/peer.ts';

export interface PeerQuery {
  /** Whether a record's `peer` (`ip:port`, `[ip6]:port` or a bare address) is one that is asked for. */
  readonly matches: (peer: string) => boolean;
  /** Text that each such `peer` contains, where there is one. */
  readonly contained: string | undefined;
}

interface Endpoint {
  readonly address: string;
  readonly port: string | undefined;
}

const BRACKETED = /^\[(?<address>[^\]]+)\](?::(?<port>\d+))?$/;
const WITH_PORT = /^(?<address>[^:]+):(?<port>\d+)$/;

function splitEndpoint(text: string): Endpoint {
  const groups = (BRACKETED.exec(text) ?? WITH_PORT.exec(text))?.groups;
  return { address: unmapAddress(groups?.address ?? text), port: groups?.port };
}

const family = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4');

/** `undefined` when the text is none of the three. */
export function parsePeerQuery(text: string): PeerQuery | undefined {
  const { block, length } = /^(?<block>[^/]+)\/(?<length>\d{1,3})$/.exec(text)?.groups ?? {};
  if (block !== undefined) return blockQuery(unmapAddress(block), Number(length));
  const { address, port } = splitEndpoint(text);
  if (isIP(address) === 0 || Number(port ?? 0) > 65_535) return undefined;
  // The same address can be written in several ways; records hold the system's.
  const { address: canonical } = new SocketAddress({ address, family: family(address) });
  return {
    matches: (peer) => {
      const other = splitEndpoint(peer);
      return other.address === canonical && (port === undefined || other.port === port);
    },
    contained: canonical,
  };
}

function blockQuery(network: string, prefixLength: number): PeerQuery | undefined {
  const bits = isIP(network) === 4 ? 32 : 128;
  if (isIP(network) === 0 || prefixLength > bits) return undefined;
  const block = new BlockList();
  block.addSubnet(network, prefixLength, family(network));
  return {
    matches: (peer) => {
      const { address } = splitEndpoint(peer);
      return isIP(address) !== 0 && family(address) === family(network) && block.check(address, family(address));
    },
    contained: undefined,
  };
}

/** The address of a `peer` without its port: what peers are counted by. */
export function peerAddress(peer: string): string {
  return splitEndpoint(peer).address;
}
