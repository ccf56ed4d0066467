import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compareAddresses,
  formatAddress,
  formatExpanded,
  formatMixed,
  fromBytes,
  fromInteger,
  isMapped,
  mapped,
  parseAddress,
  parseLegacyIpv4,
  reverseName,
  toInteger,
  unmapped,
} from '../../src/inet/address.ts';
import { ip, problem, value } from './helpers.ts';

describe('strict IPv4', () => {
  test.each(['0.0.0.0', '127.0.0.1', '255.255.255.255', '9.10.99.100'])('%s is read and written alike', (text) => {
    expect(formatAddress(ip(text))).toBe(text);
  });

  test.each([
    ['127.1', 'four decimal numbers'],
    ['1.2.3.4.5', 'four decimal numbers'],
    ['', 'four decimal numbers'],
    ['2130706433', 'four decimal numbers'],
    ['010.0.0.1', 'leading zero'],
    ['1.2.3.00', 'leading zero'],
    ['256.0.0.1', 'more than 255'],
    ['1.2.3.', 'part 4'],
    ['1.2.3.-4', 'part 4'],
    ['1.2.3.4 ', 'part 4'],
    ['0x7f.0.0.1', 'part 1'],
    ['1.2.3.٣', 'part 4'],
  ])('%j is refused and the sentence says why', (text, why) => {
    expect(problem(parseAddress(text))).toContain(why);
  });
});

describe('strict IPv6', () => {
  // RFC 5952 section 4, rule by rule, then the v4-mapped form of section 5.
  test.each([
    ['2001:0db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:DB8::AAAA', '2001:db8::aaaa'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
    ['::ffff:c000:201', '::ffff:192.0.2.1'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['::1.2.3.4', '::102:304'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
    ['fe80::1%2', 'fe80::1%2'],
  ])('%s is written %s', (text, canonical) => {
    expect(formatAddress(ip(text))).toBe(canonical);
  });

  test.each([
    ['1::2::3', 'only once'],
    ['1:2:3:4:5:6:7', '7 groups'],
    ['1:2:3:4:5:6:7:8:9', '9 groups'],
    ['1:2:3:4:5:6:7:8::', 'no room'],
    [':1:2:3:4:5:6:7', '1 to 4 hexadecimal digits'],
    ['1:2:3:4:5:6:7:', '1 to 4 hexadecimal digits'],
    [':::', '1 to 4 hexadecimal digits'],
    ['12345::', '1 to 4 hexadecimal digits'],
    ['::g', '1 to 4 hexadecimal digits'],
    ['1.2.3.4::', 'only stand at the end'],
    ['::1.2.3.4:5', 'only stand at the end'],
    ['::1.2.3', 'four decimal numbers'],
    ['::01.2.3.4', 'leading zero'],
    ['[::1]', '1 to 4 hexadecimal digits'],
    ['fe80::1%', 'the zone'],
    ['fe80::1%a/64', 'the zone'],
    ['fe80::1%a%b', 'the zone'],
    ['fe80::1%sixteen-letters!', 'the zone'],
    ['fe80::1%a b', 'the zone'],
  ])('%j is refused and the sentence says why', (text, why) => {
    expect(problem(parseAddress(text))).toContain(why);
  });

  test('the other text forms keep the zone and the bytes', () => {
    expect(formatExpanded(ip('fe80::1%lo'))).toBe('fe80:0000:0000:0000:0000:0000:0000:0001%lo');
    expect(formatMixed(ip('64:ff9b::c000:221'))).toBe('64:ff9b::192.0.2.33');
    expect(formatMixed(ip('::1%lo'))).toBe('::0.0.0.1%lo');
    expect(formatMixed(ip('1:2:3:4:5:6:7:8'))).toBe('1:2:3:4:5:6:0.7.0.8');
  });
});

test('hostile text is refused at once, on one line and of bounded length', () => {
  for (const text of [':'.repeat(1e6), '1.'.repeat(1e6), `::%${'x'.repeat(1e6)}`, 'a\nb\u001b[31m', '\u202e::1']) {
    const why = problem(parseAddress(text));
    expect(why.length).toBeLessThan(400);
    expect(why).toMatch(/^[\x20-\x7e]+$/);
  }
});

describe('legacy IPv4', () => {
  test.each([
    ['127.1', '127.0.0.1'],
    ['127.0.1', '127.0.0.1'],
    ['2130706433', '127.0.0.1'],
    ['0x7f000001', '127.0.0.1'],
    ['0X7F.1', '127.0.0.1'],
    ['017700000001', '127.0.0.1'],
    ['010.0.0.1', '8.0.0.1'],
    ['1.2.65535', '1.2.255.255'],
    ['1.0xffffff', '1.255.255.255'],
    ['0', '0.0.0.0'],
    ['4294967295', '255.255.255.255'],
    ['192.168.0.1', '192.168.0.1'],
  ])('%s is %s', (text, canonical) => {
    expect(formatAddress(value(parseLegacyIpv4(text)).address)).toBe(canonical);
  });

  test('each part tells the base it was read in', () => {
    expect(value(parseLegacyIpv4('010.0x1f.0.65')).parts).toEqual([
      { text: '010', base: 8 },
      { text: '0x1f', base: 16 },
      { text: '0', base: 10 },
      { text: '65', base: 10 },
    ]);
  });

  test.each([
    ['08.0.0.1', 'part "08"'],
    ['4294967296', 'more than 4294967295'],
    ['256.1', 'more than 255'],
    ['1.16777216', 'more than 16777215'],
    ['1.2.65536', 'more than 65535'],
    ['1.2.3.256', 'more than 255'],
    ['1.2.3.4.5', 'one to four parts'],
    ['1..2', 'part ""'],
    ['0x', 'part "0x"'],
    ['1.2.3.4 x', 'part "4 x"'],
    ['', 'part ""'],
  ])('%j is refused and the sentence says why', (text, why) => {
    expect(problem(parseLegacyIpv4(text))).toContain(why);
  });
});

describe('values', () => {
  const bytesOfSome = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  );

  test('any bytes survive text, integer and back', () => {
    fc.assert(
      fc.property(bytesOfSome, (bytes) => {
        const address = value(fromBytes(bytes));
        for (const text of [formatAddress(address), formatExpanded(address), formatMixed(address)]) {
          expect(ip(text).bytes).toEqual(bytes);
        }
        expect(value(fromInteger(toInteger(address), address.family)).bytes).toEqual(bytes);
      }),
      { seed: 9, numRuns: 2000 },
    );
  });

  test('integers and byte strings out of range are refused', () => {
    expect(problem(fromInteger(-1n, 4))).toContain('0 to 2^32-1');
    expect(problem(fromInteger(2n ** 32n, 4))).toContain('0 to 2^32-1');
    expect(problem(fromInteger(2n ** 128n, 6))).toContain('0 to 2^128-1');
    expect(problem(fromBytes(new Uint8Array(5)))).toContain('4 (IPv4) or 16 (IPv6)');
  });

  test('bytes given are copied, not kept', () => {
    const bytes = new Uint8Array([1, 2, 3, 4]);
    const address = value(fromBytes(bytes));
    bytes[0] = 9;
    expect(formatAddress(address)).toBe('1.2.3.4');
  });

  test('a v4-mapped address and its IPv4 lead to each other', () => {
    expect(formatAddress(unmapped(ip('::ffff:10.1.2.3')))).toBe('10.1.2.3');
    expect(formatAddress(mapped(ip('10.1.2.3')))).toBe('::ffff:10.1.2.3');
    expect(isMapped(ip('::fffe:10.1.2.3'))).toBe(false);
    expect(formatAddress(unmapped(ip('2001:db8::1')))).toBe('2001:db8::1');
  });

  test('addresses sort by family, value and zone', () => {
    const sorted = ['9.0.0.0', '10.0.0.0', '::', '::1', 'fe80::1', 'fe80::1%a', 'fe80::1%b'];
    const shuffled = sorted.toReversed().map(ip).sort(compareAddresses);
    expect(shuffled.map(formatAddress)).toEqual(sorted);
    expect(compareAddresses(ip('::1'), ip('0:0::1'))).toBe(0);
  });

  test('reverse names are those of in-addr.arpa and ip6.arpa', () => {
    expect(reverseName(ip('192.0.2.5'))).toBe('5.2.0.192.in-addr.arpa');
    expect(reverseName(ip('2001:db8::1'))).toBe(
      '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa',
    );
  });
});
