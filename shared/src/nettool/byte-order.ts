/** `nettool byte-order`, and `htons`, `htonl`, `ntohs`, `ntohl` as verbs of their own. */
import { endianness } from 'node:os';
import { choice } from '../config/kinds.ts';
import { type ConfigOf, setting } from '../config/settings.ts';
import {
  type ByteOrder,
  bytesOf,
  CONVERSIONS,
  converted,
  maxOf,
  narrowestBits,
  parseUnsigned,
  swapped,
  type WordBits,
} from '../inet/byte-order.ts';
import { hex, labelled, type Row } from './format.ts';
import { type Answer, refuse, take, type Verb } from './verb.ts';

const HOST_ORDER: ByteOrder = endianness() === 'BE' ? 'big-endian' : 'little-endian';
const FORM = 'an unsigned integer: decimal, or 0x, 0o, 0b and digits';

const settings = {
  bits: setting(choice('auto', '16', '32', '64'), {
    default: 'auto',
    group: 'Request',
    help: 'width of the word; auto takes the narrowest that holds the value',
  }),
} as const;

export const byteOrder: Verb<typeof settings, bigint> = {
  name: 'byte-order',
  describe: 'the bytes of a number in host and network order, and the swapped value',
  operands: ['VALUE'],
  settings,
  examples: [
    ['nettool byte-order 8080', 'how a port lies in a packet'],
    ['nettool byte-order 0x12345678 --bits 32', 'a 32-bit word'],
  ],
  parseOperands: ([text = ''], problems) => take(problems, 'VALUE', parseUnsigned(text), FORM),
  answer: (value, config) => {
    const bits = fixedBits(config) ?? narrowestBits(value);
    if (value > maxOf(bits)) {
      return refuse('VALUE', `${value} does not fit in ${bits} bits`, `expected 0 to ${maxOf(bits)}, or more --bits`);
    }
    return answerFor(value, bits);
  },
};

function fixedBits({ bits }: ConfigOf<typeof settings>): WordBits | undefined {
  const widths = { auto: undefined, '16': 16, '32': 32, '64': 64 } as const;
  return widths[bits];
}

function answerFor(value: bigint, bits: WordBits): Answer {
  const network = bytesOf(value, bits, 'big-endian');
  const host = bytesOf(value, bits, HOST_ORDER);
  const other = swapped(value, bits);
  const calls = CONVERSIONS.filter((call) => call.bits === bits).map(({ name }) => {
    return { name, result: converted(value, bits, HOST_ORDER) };
  });
  const rows: Row[] = [
    ['value', shown(value, bits)],
    ['bits', bits],
    ['network order', `${hex(network, 1)}  (big-endian)`],
    ['host order', `${hex(host, 1)}  (${HOST_ORDER}, this machine)`],
    ['swapped', shown(other, bits)],
    ...calls.map(({ name, result }): Row => [`${name}(${value})`, shown(result, bits)]),
  ];
  return {
    report: {
      value,
      bits,
      hex: `0x${hex(network)}`,
      networkOrder: hex(network),
      hostOrder: hex(host),
      hostByteOrder: HOST_ORDER,
      swapped: other,
      swappedHex: `0x${hex(bytesOf(other, bits, 'big-endian'))}`,
      ...Object.fromEntries(calls.map(({ name, result }) => [name, result])),
    },
    text: labelled(rows),
  };
}

function shown(value: bigint, bits: WordBits): string {
  return `${value}  0x${value.toString(16).padStart(bits / 4, '0')}`;
}

/** `htons 8080` and its siblings: the one number the C function returns on this machine. */
export const conversions: readonly Verb<Record<string, never>, bigint>[] = CONVERSIONS.map(
  ({ name, bits, meaning }) => ({
    name,
    describe: meaning,
    operands: ['VALUE'],
    settings: {},
    examples: [[`nettool ${name} 8080`, 'what the C function returns here']],
    parseOperands: ([text = ''], problems) => take(problems, 'VALUE', parseUnsigned(text, bits), FORM),
    answer: (value) => {
      const result = converted(value, bits, HOST_ORDER);
      return {
        report: { function: name, value, result, hostByteOrder: HOST_ORDER },
        text: `${name}(${value}) = ${shown(result, bits)}\n`,
      };
    },
  }),
);
