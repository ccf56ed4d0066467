import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bitsOf, formatAddress, fromInteger, type IpAddress, mapped } from '../../src/inet/address.ts';
import {
  blockOf,
  type Cidr,
  contains,
  createPrefixTable,
  formatCidr,
  parseAddressInBlock,
  parseCidr,
  subnetOf,
} from '../../src/inet/cidr.ts';
import { cidr, ip, problem, value } from './helpers.ts';

describe('reading', () => {
  test.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['192.0.2.1', '192.0.2.1/32'],
    ['2001:db8::1', '2001:db8::1/128'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['::/0', '::/0'],
    ['10.0.0.0/255.255.0.0', '10.0.0.0/16'],
    ['10.0.0.0/255.255.255.255', '10.0.0.0/32'],
    ['0.0.0.0/0.0.0.0', '0.0.0.0/0'],
  ])('%s is the block %s', (text, canonical) => {
    expect(formatCidr(cidr(text))).toBe(canonical);
  });

  test.each([
    ['10.0.0.0/33', '0 to 32 or a netmask'],
    ['::/129', '0 to 128'],
    ['10.0.0.0/', '0 to 32'],
    ['10.0.0.0/08', '0 to 32'],
    ['10.0.0.0/-1', '0 to 32'],
    ['10.0.0.0/8/8', '0 to 32'],
    ['10.0.0.0/255.0.255.0', '0 to 32'],
    ['10.0.0.0/0.0.0.255', '0 to 32'],
    ['::/ffff::', '0 to 128'],
    ['10.0.0/8', 'not an IPv4 address'],
    ['fe80::1%eth0/64', 'a zone is not part'],
    ['fe80::1%eth0', 'a zone is not part'],
    ['10.1.2.3/8', 'write 10.0.0.0/8'],
    ['2001:db8::1/64', 'write 2001:db8::/64'],
  ])('%j is refused and the sentence says why', (text, why) => {
    expect(problem(parseCidr(text))).toContain(why);
  });

  test('an interface address keeps its host bits beside its block', () => {
    const { address, cidr: block } = value(parseAddressInBlock('192.0.2.77/26'));
    expect([formatAddress(address), formatCidr(block)]).toEqual(['192.0.2.77', '192.0.2.64/26']);
  });
});

describe('subnetOf', () => {
  const facts = (text: string) => {
    const { broadcast, routerAnycast, firstHost, lastHost, hostCount } = subnetOf(cidr(text));
    const show = (address: IpAddress | undefined) => address && formatAddress(address);
    return [show(broadcast), show(routerAnycast), show(firstHost), show(lastHost), hostCount];
  };

  test.each([
    ['192.0.2.64/26', ['192.0.2.127', undefined, '192.0.2.65', '192.0.2.126', 62n]],
    ['192.0.2.0/30', ['192.0.2.3', undefined, '192.0.2.1', '192.0.2.2', 2n]],
    ['192.0.2.0/31', [undefined, undefined, '192.0.2.0', '192.0.2.1', 2n]],
    ['192.0.2.0/32', [undefined, undefined, '192.0.2.0', '192.0.2.0', 1n]],
    ['0.0.0.0/0', ['255.255.255.255', undefined, '0.0.0.1', '255.255.255.254', 2n ** 32n - 2n]],
    ['2001:db8::/64', [undefined, '2001:db8::', '2001:db8::1', '2001:db8::ffff:ffff:ffff:ffff', 2n ** 64n - 1n]],
    ['2001:db8::/127', [undefined, undefined, '2001:db8::', '2001:db8::1', 2n]],
    ['2001:db8::/128', [undefined, undefined, '2001:db8::', '2001:db8::', 1n]],
  ])('%s: broadcast, router anycast, first and last host, hosts', (text, expected) => {
    expect(facts(text)).toEqual(expected);
  });

  test('masks, last address and count of all addresses', () => {
    const v4 = subnetOf(cidr('10.0.0.0/12'));
    expect([v4.netmask, v4.wildcard, v4.last].map(formatAddress)).toEqual([
      '255.240.0.0',
      '0.15.255.255',
      '10.15.255.255',
    ]);
    expect(subnetOf(cidr('::/0')).addressCount).toBe(2n ** 128n);
  });

  test('a length the family does not have is an error of the caller', () => {
    expect(() => blockOf(ip('10.0.0.1'), 33)).toThrow(RangeError);
    expect(() => blockOf(ip('::'), 1.5)).toThrow(RangeError);
  });
});

describe('createPrefixTable', () => {
  test('the most specific block wins whatever the order of the entries', () => {
    const entries = ['10.0.0.0/8', '10.1.0.0/16', '10.1.2.0/24', '10.1.2.3', '0.0.0.0/0'];
    for (const order of [entries, entries.toReversed()]) {
      const table = createPrefixTable(order.map((text) => [cidr(text), text] as const));
      const asked = ['10.1.2.3', '10.1.2.4', '10.1.3.0', '10.255.255.255', '11.0.0.0', '255.255.255.255'];
      expect(asked.map((text) => table.lookup(ip(text)))).toEqual([
        '10.1.2.3',
        '10.1.2.0/24',
        '10.1.0.0/16',
        '10.0.0.0/8',
        '0.0.0.0/0',
        '0.0.0.0/0',
      ]);
    }
  });

  test('an address outside every block has no value, also just beside one', () => {
    const table = createPrefixTable([[cidr('192.0.2.64/26'), 'in']]);
    expect(['192.0.2.63', '192.0.2.64', '192.0.2.127', '192.0.2.128'].map((text) => table.lookup(ip(text)))).toEqual([
      undefined,
      'in',
      'in',
      undefined,
    ]);
    expect(createPrefixTable([]).lookup(ip('::1'))).toBeUndefined();
  });

  test('blocks at both ends of the address space, and one that ends where the one around it does', () => {
    const table = createPrefixTable(
      ['0.0.0.0/30', '0.0.0.3', '255.255.255.252/30', '255.255.255.255'].map((text) => [cidr(text), text] as const),
    );
    expect(
      ['0.0.0.2', '0.0.0.3', '0.0.0.4', '255.255.255.254', '255.255.255.255'].map((text) => table.lookup(ip(text))),
    ).toEqual(['0.0.0.0/30', '0.0.0.3', undefined, '255.255.255.252/30', '255.255.255.255']);
  });

  test('v4-mapped peers and blocks count as IPv4, and ::/0 does not reach them', () => {
    const table = createPrefixTable([
      [cidr('::/0'), 'six'],
      [cidr('::ffff:10.0.0.0/104'), 'ten'],
    ]);
    expect(table.lookup(ip('10.1.2.3'))).toBe('ten');
    expect(table.lookup(ip('::ffff:10.1.2.3'))).toBe('ten');
    expect(table.lookup(ip('::ffff:11.1.2.3'))).toBeUndefined();
    expect(table.lookup(ip('2001:db8::1'))).toBe('six');
    expect(createPrefixTable([[cidr('::ffff:0:0/96'), 'all']]).lookup(ip('198.51.100.1'))).toBe('all');
  });

  test('the later of two entries with the same block wins, and a zone changes nothing', () => {
    const table = createPrefixTable([
      [cidr('fe80::/10'), 'first'],
      [cidr('fe80::/10'), 'second'],
    ]);
    expect(table.lookup(ip('fe80::1%eth0'))).toBe('second');
    expect(table.lookup(ip('fec0::1'))).toBeUndefined();
  });

  test('agrees with looking at every block in turn', () => {
    // 256 addresses and blocks around them, from single hosts to more than all, so that they nest, touch and end alike.
    const base = { 4: 0xc000_0200n, 6: 0x2001_0db8n << 96n } as const;
    const address = (family: 4 | 6) => fc.bigInt(0n, 255n).map((low) => value(fromInteger(base[family] | low, family)));
    const family = fc.constantFrom<4 | 6>(4, 6);
    const block = family.chain((chosen) =>
      fc.tuple(address(chosen), fc.integer({ min: 0, max: 9 })).map(([inside, hostBits]) => {
        return blockOf(inside, bitsOf(chosen) - hostBits);
      }),
    );
    const slow = (blocks: readonly Cidr[], asked: IpAddress) =>
      blocks
        .map((candidate, index) => ({ candidate, index }))
        .filter(({ candidate }) => contains(candidate, asked))
        .sort((a, b) => b.candidate.prefixLength - a.candidate.prefixLength || b.index - a.index)[0]?.index;
    fc.assert(
      fc.property(
        fc.array(block, { maxLength: 20 }),
        fc.array(family.chain(address), { maxLength: 20 }),
        (blocks, asked) => {
          const table = createPrefixTable(blocks.map((entry, index) => [entry, index] as const));
          for (const one of asked) {
            expect(table.lookup(one)).toBe(slow(blocks, one));
            if (one.family === 4) expect(table.lookup(mapped(one))).toBe(slow(blocks, one));
          }
        },
      ),
      { seed: 9, numRuns: 1000 },
    );
  });
});
