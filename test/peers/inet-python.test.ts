/**
 * Differential tests: the address library against Python's socket and ipaddress modules, which stand on the C library,
 * over thousands of generated inputs (fixed seed) and hand-picked ones.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { endianness } from 'node:os';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import {
  formatAddress,
  formatExpanded,
  fromBytes,
  type IpAddress,
  isMapped,
  type Parsed,
  parseIpv4,
  parseIpv6,
  parseLegacyIpv4,
  reverseName,
  toInteger,
} from '../../shared/src/inet/address.ts';
import { bytesOf, CONVERSIONS, converted, WORD_BITS } from '../../shared/src/inet/byte-order.ts';
import { createPrefixTable, parseAddressInBlock, parseCidr, subnetOf } from '../../shared/src/inet/cidr.ts';
import { findByName, findByPort, parseServices } from '../../shared/src/inet/service-names.ts';
import { specialPurposeOf } from '../../shared/src/inet/special-purpose.ts';
import { program, testWith } from '../support/programs.ts';

const SEED = 862;
const python = [program('python3')];

type Question = readonly [name: string, ...arguments: unknown[]];

/** All questions in one go, so that a test costs one Python. */
function ask<T>(questions: readonly Question[]): readonly (T | null)[] {
  const input = `${JSON.stringify(questions)}\n`;
  const oracle = new URL('./inet-oracle.py', import.meta.url).pathname;
  return JSON.parse(execFileSync('python3', [oracle], { input, encoding: 'utf8', maxBuffer: 1 << 28 }));
}

const sample = <T>(arbitrary: fc.Arbitrary<T>, count: number): T[] =>
  fc.sample(arbitrary, { seed: SEED, numRuns: count });
const hexOf = (address: IpAddress): string => Buffer.from(address.bytes).toString('hex');
const addressOf = (hex: string): IpAddress => accepted(fromBytes(Buffer.from(hex, 'hex')));

function accepted<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.value;
}

/** Each input with our answer beside Python's, only where they differ: a failure shows exactly the culprits. */
function differences<T>(inputs: readonly T[], ours: (input: T) => unknown, theirs: readonly unknown[]) {
  return inputs
    .map((input, index) => ({ input, ours: ours(input), python: theirs[index] }))
    .filter((row) => JSON.stringify(row.ours) !== JSON.stringify(row.python));
}

/** Numbers near every limit an IPv4 part can have, in all three bases, with and without damage. */
const ipv4Part = fc.oneof(
  { arbitrary: fc.integer({ min: 0, max: 260 }).map(String), weight: 8 },
  { arbitrary: fc.integer({ min: 0, max: 300 }).map((n) => `0${n.toString(8)}`), weight: 2 },
  { arbitrary: fc.integer({ min: 0, max: 300 }).map((n) => `0x${n.toString(16)}`), weight: 2 },
  fc.constantFrom('', '00', '08', '0x', '0xg', '65535', '65536', '16777215', '16777216', '4294967295', '4294967296'),
  fc.constantFrom('256', '999', '0256', '-1', '+1', '1e1', 'a', '18446744073709551616', '0X7F', '1_0', '00000000017'),
);
const ipv4Text = fc.oneof(
  fc.array(ipv4Part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('.')),
  fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 }).map((parts) => parts.join('.')),
);

const group = fc.oneof(
  { arbitrary: fc.constantFrom('0', '0000', '1', 'ffff', 'FFFF', '00ab'), weight: 4 },
  { arbitrary: fc.integer({ min: 0, max: 0xffff }).map((n) => n.toString(16)), weight: 4 },
  { arbitrary: fc.constantFrom('', '10000', '00000', 'g', '1.2', '-1', '0x1'), weight: 1 },
);
const ipv6Text = fc
  .tuple(
    fc.array(group, { maxLength: 9 }),
    fc.array(fc.constantFrom(':', ':', ':', ':', ':', '::'), { minLength: 9, maxLength: 9 }),
    fc.option(ipv4Text, { freq: 3 }),
  )
  .map(([groups, separators, tail]) => {
    const head = groups.map((text, index) => text + (index < groups.length - 1 ? separators[index] : '')).join('');
    return tail === null ? head : `${head}:${tail}`;
  });
/** Mostly zero groups, so that every position and length of `::` occurs. */
const ipv6Hex = fc
  .array(fc.constantFrom('0000', '0000', '0000', '0001', 'ffff', '0ab0'), { minLength: 8, maxLength: 8 })
  .map((words) => words.join(''));
const anyIpv6Hex = fc.oneof(
  ipv6Hex,
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((b) => Buffer.from(b).toString('hex')),
);
const ipv4Hex = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((b) => Buffer.from(b).toString('hex'));

describe('against Python', () => {
  testWith(python, 'inet_pton(AF_INET): the same texts are accepted, with the same bytes', () => {
    const inputs = sample(ipv4Text, 6000);
    const theirs = ask<string>(inputs.map((text) => ['pton4', text]));
    const ours = (text: string) => {
      const parsed = parseIpv4(text);
      return parsed.ok ? hexOf(parsed.value) : null;
    };
    expect(differences(inputs, ours, theirs)).toEqual([]);
    expect(theirs.filter((answer) => answer !== null).length).toBeGreaterThan(1000);
  });

  testWith(python, 'inet_pton(AF_INET6): the same texts are accepted, with the same bytes', () => {
    const picked = [
      '::',
      ':::',
      '::1',
      '1::',
      ':',
      '',
      '1:2:3:4:5:6:7::',
      '::2:3:4:5:6:7:8',
      '1:2:3:4:5:6:7:8::',
      '::1.2.3.4',
      '1:2:3:4:5:6:1.2.3.4',
      '1:2:3:4:5:6:7:1.2.3.4',
      '1::1.2.3.4:5',
      '::FFFF:1.2.3.4',
    ];
    const inputs = [
      ...picked,
      ...sample(ipv6Text, 8000),
      ...sample(anyIpv6Hex, 1000).map((hex) => formatExpanded(addressOf(hex))),
    ];
    const theirs = ask<string>(inputs.map((text) => ['pton6', text]));
    const ours = (text: string) => {
      const parsed = parseIpv6(text);
      return parsed.ok ? hexOf(parsed.value) : null;
    };
    expect(differences(inputs, ours, theirs)).toEqual([]);
    const acceptedByThem = theirs.filter((answer) => answer !== null).length;
    expect(acceptedByThem).toBeGreaterThan(1500);
    expect(inputs.length - acceptedByThem).toBeGreaterThan(1500);
  });

  testWith(python, 'inet_aton: the same legacy texts are accepted, with the same bytes', () => {
    const inputs = sample(ipv4Text, 6000);
    const theirs = ask<string>(inputs.map((text) => ['aton', text]));
    const ours = (text: string) => {
      const parsed = parseLegacyIpv4(text);
      return parsed.ok ? hexOf(parsed.value.address) : null;
    };
    expect(differences(inputs, ours, theirs)).toEqual([]);
  });

  testWith(python, 'inet_ntop: the same text, but for v4-compatible addresses, which we write in hexadecimal', () => {
    // ::/96 is deprecated and RFC 5952 does not ask for dotted decimal there; glibc writes ::0.1.0.2 for ::1:2.
    const isCompatible = (hex: string) => /^0{24}/.test(hex) && !/^0{28}/.test(hex);
    const inputs = [
      ...sample(ipv6Hex, 5000),
      ...sample(anyIpv6Hex, 2000),
      ...sample(ipv4Hex, 500),
      '00000000000000000000ffff00000000',
    ];
    const chosen = inputs.filter((hex) => hex.length === 8 || !isCompatible(hex));
    const theirs = ask<string>(chosen.map((hex) => ['ntop', hex]));
    expect(differences(chosen, (hex) => formatAddress(addressOf(hex)), theirs)).toEqual([]);
  });

  testWith(python, 'ipaddress: expanded text, integer, reverse name and the classes both know', () => {
    type Facts = Record<'exploded' | 'integer' | 'reverse', string> &
      Record<'loopback' | 'multicast' | 'linkLocal' | 'unspecified', boolean>;
    // Prefixes of every special block, so that classes are met and not only the global ones.
    const special = ['7f', 'e0', 'ef', 'a9fe', '00', '0a', 'ac10', 'c0a8', 'c000', 'c6', 'ff', '64'];
    const near4 = fc.tuple(fc.constantFrom(...special), ipv4Hex).map(([start, rest]) => (start + rest).slice(0, 8));
    const near6 = fc
      .tuple(fc.constantFrom('fe80', 'febf', 'fec0', 'ff02', 'fc00', '2001', '2002', '0'.repeat(30)), anyIpv6Hex)
      .map(([start, rest]) => (start + rest).slice(0, 32));
    const inputs = [...sample(near4, 2000), ...sample(near6, 2000), ...sample(anyIpv6Hex, 1000)]
      .map(addressOf)
      // Python judges a v4-mapped address by the IPv4 inside; here it has a class of its own.
      .filter((address) => !isMapped(address));
    const theirs = ask<Facts>(inputs.map((address) => ['facts', formatAddress(address)])).map(
      (facts) =>
        facts && [
          facts.exploded,
          facts.integer,
          facts.reverse,
          facts.loopback,
          facts.multicast,
          facts.linkLocal,
          facts.unspecified,
        ],
    );
    const ours = (address: IpAddress) => {
      const { class: found } = specialPurposeOf(address);
      const classes = ['loopback', 'multicast', 'link-local', 'unspecified'].map((name) => name === found);
      return [formatExpanded(address), String(toInteger(address)), reverseName(address), ...classes];
    };
    expect(differences(inputs, ours, theirs)).toEqual([]);
  });

  testWith(python, 'ipaddress: networks, masks, first and last hosts, and which texts are networks', () => {
    const inputs = [
      ...sample(fc.tuple(ipv4Hex, fc.integer({ min: 0, max: 33 })), 1500),
      ...sample(fc.tuple(anyIpv6Hex, fc.integer({ min: 0, max: 129 })), 1500),
    ].map(([hex, length]) => `${formatAddress(addressOf(hex))}/${length}`);
    const ours = (text: string) => {
      const parsed = parseAddressInBlock(text);
      if (!parsed.ok) return null;
      const subnet = subnetOf(parsed.value.cidr);
      return {
        network: hexOf(subnet.cidr.network),
        length: subnet.cidr.prefixLength,
        netmask: hexOf(subnet.netmask),
        hostmask: hexOf(subnet.wildcard),
        last: hexOf(subnet.last),
        count: String(subnet.addressCount),
        firstHost: hexOf(subnet.firstHost),
        lastHost: hexOf(subnet.lastHost),
      };
    };
    const packed = (facts: Record<string, string | number> | null) =>
      facts &&
      Object.fromEntries(
        Object.entries(facts).map(([name, text]) => {
          if (typeof text === 'number' || name === 'count') return [name, text];
          return [name, hexOf(accepted(text.includes(':') ? parseIpv6(text) : parseIpv4(text)))];
        }),
      );
    const theirs = ask<Record<string, string | number>>(inputs.map((text) => ['network', text])).map(packed);
    expect(differences(inputs, ours, theirs)).toEqual([]);
    const strict = ask<boolean>(inputs.map((text) => ['isStrictNetwork', text]));
    expect(differences(inputs, (text) => (parseCidr(text).ok ? true : null), strict)).toEqual([]);
  });

  testWith(python, 'ipaddress: the longest of 300 nested prefixes for 2,000 addresses', () => {
    // The leading bits are few, so that prefixes nest several deep.
    const near = fc
      .tuple(fc.constantFrom('0a00', '0a01', 'c0a8'), ipv4Hex)
      .map(([start, rest]) => start + rest.slice(0, 4));
    const near6 = fc
      .tuple(fc.constantFrom('20010db8', '20010db9'), anyIpv6Hex)
      .map(([start, rest]) => start + rest.slice(8));
    const block = (hex: fc.Arbitrary<string>, longest: number) =>
      fc
        .tuple(hex, fc.integer({ min: 4, max: longest }))
        .map(([text, length]) => `${formatAddress(addressOf(text))}/${length}`);
    const blocks = [...sample(block(near, 28), 200), ...sample(block(near6, 60), 100)].map((text) => {
      const { network, prefixLength } = accepted(parseAddressInBlock(text)).cidr;
      return `${formatAddress(network)}/${prefixLength}`;
    });
    const distinct = [...new Set(blocks)];
    const inputs = [...sample(near, 1200), ...sample(near6, 800)];
    const [theirs] = ask<(number | null)[]>([
      ['longest', distinct, inputs.map((hex) => formatAddress(addressOf(hex)))],
    ]);
    const table = createPrefixTable(distinct.map((text, index) => [accepted(parseCidr(text)), index] as const));
    expect(differences(inputs, (hex) => table.lookup(addressOf(hex)) ?? null, theirs ?? [])).toEqual([]);
    expect(new Set(theirs).size).toBeGreaterThan(30);
  });

  testWith(python, 'struct and socket: bytes in both orders, and htons, htonl, ntohs, ntohl on this host', () => {
    const layouts = { 16: 'H', 32: 'I', 64: 'Q' } as const;
    const words = sample(fc.bigInt(0n, 2n ** 64n - 1n), 500).flatMap((wide) =>
      WORD_BITS.flatMap((bits) =>
        (['big-endian', 'little-endian'] as const).map((order) => ({ word: BigInt.asUintN(bits, wide), bits, order })),
      ),
    );
    const packs = ask<string>(
      words.map(({ word, bits, order }) => [
        'pack',
        (order === 'big-endian' ? '>' : '<') + layouts[bits],
        String(word),
      ]),
    );
    const ours = ({ word, bits, order }: (typeof words)[number]) =>
      Buffer.from(bytesOf(word, bits, order)).toString('hex');
    expect(packs.map((hex, index) => hex === ours(words[index] as (typeof words)[number]))).not.toContain(false);

    const host = endianness() === 'BE' ? 'big-endian' : 'little-endian';
    const calls = CONVERSIONS.flatMap(({ name, bits }) =>
      sample(fc.integer({ min: 0, max: 2 ** bits - 1 }), 200).map((word) => ({ name, bits, word })),
    );
    const theirs = ask<number>(calls.map(({ name, word }) => ['convert', name, word]));
    expect(differences(calls, ({ bits, word }) => Number(converted(BigInt(word), bits, host)), theirs)).toEqual([]);
  });

  testWith(python, 'getservbyname and getservbyport: every name, alias and port of this system', () => {
    const entries = parseServices(readFileSync('/etc/services', 'utf8'));
    const names = entries.flatMap(({ name, aliases, protocol }) =>
      [name, ...aliases].map((each) => ({ name: each, protocol })),
    );
    const ports = entries.map(({ port, protocol }) => ({ port, protocol }));
    expect(names.length).toBeGreaterThan(100);
    expect(
      differences(
        names,
        ({ name, protocol }) => findByName(entries, name, protocol)?.port ?? null,
        ask(names.map(({ name, protocol }) => ['serviceByName', name, protocol])),
      ),
    ).toEqual([]);
    expect(
      differences(
        ports,
        ({ port, protocol }) => findByPort(entries, port, protocol)?.name ?? null,
        ask(ports.map(({ port, protocol }) => ['serviceByPort', port, protocol])),
      ),
    ).toEqual([]);
  });
});
