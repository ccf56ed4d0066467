/** `nettool subnet`: what a CIDR block holds, and whether an address is in it. */
import { formatAddress, type IpAddress, parseAddress, unmapped } from '../inet/address.ts';
import { type AddressInBlock, contains, formatCidr, parseAddressInBlock, type Subnet, subnetOf } from '../inet/cidr.ts';
import { specialPurposeOf } from '../inet/special-purpose.ts';
import { binary, labelled, type Row } from './format.ts';
import { type Answer, take, type Verb } from './verb.ts';

const BLOCK_FORM = 'ADDRESS/LENGTH such as 192.0.2.0/24 or 2001:db8::/32, or ADDRESS/NETMASK for IPv4';
const ADDRESS_FORM = 'an IPv4 or IPv6 address';

interface Operands {
  readonly block: AddressInBlock;
  readonly address: IpAddress | undefined;
}

export const subnet: Verb<Record<string, never>, Operands> = {
  name: 'subnet',
  describe: 'what a CIDR block holds, and whether an address is in it',
  operands: ['CIDR', '[ADDR]'],
  settings: {},
  examples: [
    ['nettool subnet 192.0.2.77/26', 'the subnet this interface address is in'],
    ['nettool subnet 2001:db8::/48 2001:db8::1', 'is the address a member?'],
  ],
  parseOperands: ([block = '', address], problems) => ({
    block: take(problems, 'CIDR', parseAddressInBlock(block), BLOCK_FORM),
    address: address === undefined ? undefined : take(problems, 'ADDR', parseAddress(address), ADDRESS_FORM),
  }),
  answer: ({ block, address }) => {
    // A dual-stack server sees IPv4 peers as v4-mapped addresses and judges them as IPv4, so this does too.
    const member = address && contains(block.cidr, unmapped(address));
    return answerFor(subnetOf(block.cidr), address && formatAddress(address), member);
  },
};

function answerFor(facts: Subnet, addressText: string | undefined, member: boolean | undefined): Answer {
  const { cidr, netmask, wildcard, broadcast, routerAnycast, firstHost, lastHost, last } = facts;
  const shown = (address: Parameters<typeof formatAddress>[0] | undefined) => address && formatAddress(address);
  const block = formatCidr(cidr);
  const purpose = specialPurposeOf(cidr.network);
  const isV4 = cidr.network.family === 4;
  const rows: Row[] = [
    ['block', block],
    ['network', formatAddress(cidr.network)],
    ['netmask', isV4 ? `${formatAddress(netmask)}  ${binary(netmask.bytes, '.')}` : `/${cidr.prefixLength}`],
    ['wildcard', isV4 ? formatAddress(wildcard) : undefined],
    ['broadcast', shown(broadcast)],
    ['router anycast', shown(routerAnycast)],
    ['hosts', `${formatAddress(firstHost)} to ${formatAddress(lastHost)}`],
    ['host count', facts.hostCount],
    ['last address', formatAddress(last)],
    ['address count', facts.addressCount],
    ['class', `${purpose.class} (${purpose.name}, ${purpose.reference})`],
    ['note', NOTES[`${cidr.network.family}/${cidr.prefixLength}`]],
  ];
  const verdict = member === undefined ? '' : `\n${addressText} is ${member ? '' : 'not '}in ${block}\n`;
  return {
    report: {
      cidr: block,
      family: cidr.network.family,
      prefixLength: cidr.prefixLength,
      network: formatAddress(cidr.network),
      netmask: formatAddress(netmask),
      wildcard: formatAddress(wildcard),
      broadcast: shown(broadcast) ?? null,
      routerAnycast: shown(routerAnycast) ?? null,
      firstHost: formatAddress(firstHost),
      lastHost: formatAddress(lastHost),
      lastAddress: formatAddress(last),
      hostCount: facts.hostCount,
      addressCount: facts.addressCount,
      class: purpose.class,
      ...(member === undefined ? {} : { address: addressText, member }),
    },
    text: labelled(rows) + verdict,
  };
}

/** The block lengths whose ends are not what the general rule says. */
const NOTES: Readonly<Record<string, string>> = {
  '4/31': 'a point-to-point link: both addresses are hosts (RFC 3021)',
  '4/32': 'a single host',
  '6/127': 'a point-to-point link: both addresses are hosts (RFC 6164)',
  '6/128': 'a single host',
};
