/** `nettool address`: one address in every form it is written, and what it is for. */
import { toggle } from '../config/kinds.ts';
import { quote } from '../config/problems.ts';
import { setting } from '../config/settings.ts';
import {
  formatAddress,
  formatExpanded,
  formatMixed,
  fromBytes,
  fromInteger,
  type IpAddress,
  mapped,
  type Parsed,
  parseAddress,
  parseLegacyIpv4,
  reverseName,
  toInteger,
} from '../inet/address.ts';
import { wordOf } from '../inet/byte-order.ts';
import { formatCidr } from '../inet/cidr.ts';
import { embeddedIpv4, specialPurposeOf } from '../inet/special-purpose.ts';
import { binary, hex, labelled, type Row } from './format.ts';
import { type Answer, refuse, type Verb } from './verb.ts';

/** An address, and in which form it was given. */
interface Reading {
  readonly address: IpAddress;
  readonly form: string;
}

const FORM = 'an IPv4 or IPv6 address, a decimal integer, or 0x and hexadecimal digits';

const settings = {
  legacy: setting(toggle(), {
    default: false,
    group: 'Request',
    help: 'read the historic forms of inet_aton: 127.1, 0177.0.0.1, 0x7f.1',
  }),
  '6': setting(toggle(), { default: false, group: 'Request', help: 'read an integer as an IPv6 address' }),
} as const;

export const address: Verb<typeof settings, string> = {
  name: 'address',
  describe: 'an address in every form it is written, and its class',
  operands: ['ADDR'],
  settings,
  examples: [
    ['nettool address 127.0.0.1', 'every form of it'],
    ['nettool address 0x7f000001', 'back from packed hexadecimal'],
    ['nettool address --legacy 010.1', 'what inet_aton makes of it'],
  ],
  parseOperands: ([text = '']) => text,
  answer: (text, { legacy, '6': asIpv6 }) => {
    const reading = legacy ? readLegacy(text) : readStrict(text, asIpv6);
    // Which form is right depends on the flags, so this is judged here and not with the operands.
    if (!reading.ok) return refuse('ADDR', reading.problem, `expected ${FORM}`);
    return answerFor(text, reading.value);
  },
};

/** Packed hexadecimal digits have a fixed number; any other number of them is an integer. */
const PACKED_HEX = /^0[xX]((?:[0-9a-fA-F]{2}){4}|(?:[0-9a-fA-F]{2}){16})$/;

function readStrict(text: string, asIpv6: boolean): Parsed<Reading> {
  const packed = asIpv6 ? null : PACKED_HEX.exec(text);
  if (packed?.[1] !== undefined) return named(fromBytes(Buffer.from(packed[1], 'hex')), 'packed hexadecimal');
  if (/^(?:0[xX][0-9a-fA-F]{1,32}|0|[1-9][0-9]{0,38})$/.test(text)) {
    const value = BigInt(text);
    return named(fromInteger(value, asIpv6 || value > 0xffff_ffffn ? 6 : 4), 'integer');
  }
  const parsed = parseAddress(text);
  if (parsed.ok) return named(parsed, `IPv${parsed.value.family} text`);
  const hint = refusalHint(text);
  return hint === undefined ? parsed : { ok: false, problem: hint };
}

/** For texts that another program would have taken: what they would have meant, and how to say it here. */
function refusalHint(text: string): string | undefined {
  if (/^[0-9a-fA-F]{8}$|^[0-9a-fA-F]{32}$/.test(text)) return `${quote(text)} looks like packed bytes: write 0x${text}`;
  const legacy = parseLegacyIpv4(text);
  if (!legacy.ok) return undefined;
  const meaning = formatAddress(legacy.value.address);
  return `${quote(text)} is a legacy form that inet_aton takes for ${meaning}: write ${meaning}, or give --legacy`;
}

function readLegacy(text: string): Parsed<Reading> {
  const parsed = parseLegacyIpv4(text);
  if (!parsed.ok) return parsed;
  const bases = { 8: 'octal', 10: 'decimal', 16: 'hexadecimal' } as const;
  const parts = parsed.value.parts.map((part) => `${part.text} ${bases[part.base]}`).join(', ');
  return named({ ok: true, value: parsed.value.address }, `legacy inet_aton form: ${parts}`);
}

function named(parsed: Parsed<IpAddress>, form: string): Parsed<Reading> {
  return parsed.ok ? { ok: true, value: { address: parsed.value, form } } : parsed;
}

function answerFor(text: string, { address: ip, form }: Reading): Answer {
  const purpose = specialPurposeOf(ip);
  const embedded = embeddedIpv4(ip).map(({ scheme, address: inner }) => ({ scheme, address: formatAddress(inner) }));
  const littleEndian = wordOf(ip.bytes, 'little-endian');
  const isV4 = ip.family === 4;
  const report = {
    input: text,
    form,
    family: ip.family,
    address: formatAddress(ip),
    expanded: formatExpanded(ip),
    mixed: isV4 ? null : formatMixed(ip),
    zone: ip.zone ?? null,
    hex: hex(ip.bytes),
    bytes: [...ip.bytes],
    binary: binary(ip.bytes, ''),
    integer: toInteger(ip),
    integerLittleEndian: littleEndian,
    class: purpose.class,
    purpose: purpose.name,
    block: formatCidr(purpose.block),
    reference: purpose.reference,
    globallyReachable: purpose.globallyReachable,
    v4Mapped: isV4 ? formatAddress(mapped(ip)) : null,
    embeddedIpv4: embedded,
    reverseName: reverseName(ip),
  };
  const rows: Row[] = [
    ['address', report.address],
    ['read as', form],
    ['expanded', isV4 ? undefined : report.expanded],
    ['mixed', isV4 ? undefined : formatMixed(ip)],
    ['zone', ip.zone],
    ['packed', hex(ip.bytes, isV4 ? 1 : 2)],
    ['binary', isV4 ? binary(ip.bytes, '.') : undefined],
    ['integer', `${report.integer}  0x${hex(ip.bytes)}  (network order, big-endian)`],
    ['little-endian', `${littleEndian}  0x${hex(ip.bytes.toReversed())}  (the same bytes read in reverse)`],
    ['class', `${purpose.class}: ${purpose.name}`],
    ['block', `${report.block} (${purpose.reference})`],
    ['reachable', purpose.globallyReachable ? 'across the internet' : 'not across the internet'],
    ['v4-mapped', report.v4Mapped ?? undefined],
    ...embedded.map((entry): Row => ['carries', `${entry.address} (${entry.scheme})`]),
    ['reverse name', report.reverseName],
  ];
  return { report, text: labelled(rows) };
}
