import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bytesOf,
  converted,
  narrowestBits,
  parseUnsigned,
  swapped,
  WORD_BITS,
  wordOf,
} from '../../src/inet/byte-order.ts';
import { problem, value } from './helpers.ts';

test.each([
  ['8080', 8080n],
  ['0', 0n],
  ['0x1F90', 0x1f90n],
  ['0b101', 5n],
  ['0o17', 15n],
  ['18446744073709551615', 2n ** 64n - 1n],
])('%s is read as an unsigned integer', (text, expected) => {
  expect(value(parseUnsigned(text))).toBe(expected);
});

test.each(['', '-1', '+1', '017', '1e3', '0x', '1_000', ' 1', '1.0', '0x12345678901234567', '18446744073709551616'])(
  '%j is refused',
  (text) => {
    expect(problem(parseUnsigned(text))).toContain(JSON.stringify(text));
  },
);

test('a value is refused where its word is too narrow, and the range is named', () => {
  expect(problem(parseUnsigned('65536', 16))).toContain('0 to 65535');
  expect(() => bytesOf(65_536n, 16, 'big-endian')).toThrow(RangeError);
  expect(() => bytesOf(-1n, 16, 'big-endian')).toThrow(RangeError);
  expect([65_535n, 65_536n, 2n ** 32n].map(narrowestBits)).toEqual([16, 32, 64]);
  expect(() => narrowestBits(2n ** 64n)).toThrow(RangeError);
});

describe('bytes', () => {
  test('port 8080 lies in memory as 1f 90 in network order', () => {
    expect([...bytesOf(8080n, 16, 'big-endian')]).toEqual([0x1f, 0x90]);
    expect([...bytesOf(8080n, 16, 'little-endian')]).toEqual([0x90, 0x1f]);
    expect(swapped(8080n, 16)).toBe(0x901fn);
    expect(swapped(0x1234_5678n, 32)).toBe(0x7856_3412n);
  });

  test('a conversion changes nothing on a big-endian host and swaps on a little-endian one', () => {
    expect(converted(8080n, 16, 'big-endian')).toBe(8080n);
    expect(converted(8080n, 16, 'little-endian')).toBe(0x901fn);
  });

  test('bytes agree with DataView, and swapping twice gives the value back', () => {
    const widths = fc.constantFrom(...WORD_BITS);
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 64n - 1n), widths, fc.boolean(), (wide, bits, little) => {
        const word = BigInt.asUintN(bits, wide);
        const order = little ? 'little-endian' : 'big-endian';
        const view = new DataView(new ArrayBuffer(8));
        if (bits === 16) view.setUint16(0, Number(word), little);
        if (bits === 32) view.setUint32(0, Number(word), little);
        if (bits === 64) view.setBigUint64(0, word, little);
        const bytes = bytesOf(word, bits, order);
        expect(bytes).toEqual(new Uint8Array(view.buffer, 0, bits / 8));
        expect(wordOf(bytes, order)).toBe(word);
        expect(swapped(swapped(word, bits), bits)).toBe(word);
      }),
      { seed: 9, numRuns: 1000 },
    );
  });
});
