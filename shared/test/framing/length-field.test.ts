import { describe, expect, it } from 'vitest';
import {
  LengthFieldDecoder,
  type LengthFieldDecoderOptions,
  LengthFieldEncoder,
  type LengthFieldEncoderOptions,
} from '../../src/framing/length-field.ts';
import { codeOf, everySplit, outcome } from './support.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
/** 'hello' */
const HELLO = '68656c6c6f';

describe('length field', () => {
  it.each<[string, LengthFieldDecoderOptions, string, string]>([
    ['two bytes, big endian', { lengthBytes: 2 }, `0005 ${HELLO}`, HELLO],
    ['two bytes, little endian', { lengthBytes: 2, byteOrder: 'little' }, `0500 ${HELLO}`, HELLO],
    ['three bytes', { lengthBytes: 3 }, `000005 ${HELLO}`, HELLO],
    ['eight bytes, little endian', { lengthBytes: 8, byteOrder: 'little' }, `0500000000000000 ${HELLO}`, HELLO],
    ['nothing stripped', { lengthBytes: 2, stripBytes: 0 }, `0005 ${HELLO}`, `0005${HELLO}`],
    ['a length that counts its own field', { lengthBytes: 2, lengthAdjustment: -2 }, `0007 ${HELLO}`, HELLO],
    ['a lead before the length', { lengthBytes: 2, lengthOffset: 2 }, `cafe 0005 ${HELLO}`, HELLO],
    [
      'a lead that is delivered',
      { lengthBytes: 2, lengthOffset: 2, stripBytes: 0 },
      `cafe 0005 ${HELLO}`,
      `cafe0005${HELLO}`,
    ],
    [
      'a second header that the length does not count',
      { lengthBytes: 2, lengthOffset: 1, lengthAdjustment: 1, stripBytes: 3 },
      `ca 0005 fe ${HELLO}`,
      `fe${HELLO}`,
    ],
    [
      'a length that counts the whole frame, and a second header that is kept',
      { lengthBytes: 2, lengthOffset: 1, lengthAdjustment: -3, stripBytes: 3 },
      `ca 0009 fe ${HELLO}`,
      `fe${HELLO}`,
    ],
    ['more stripped than the header', { lengthBytes: 1, stripBytes: 3 }, `05 ${HELLO}`, '6c6c6f'],
  ])('%s', (_why, options, stream, frame) => {
    const twice = hex(stream + stream);
    for (const split of everySplit(twice.length)) {
      expect(outcome(new LengthFieldDecoder(options), twice, split)).toMatchObject({
        frames: [frame, frame],
        fault: undefined,
      });
    }
  });

  it('checks the limit after the adjustment and after the strip', () => {
    const options = { lengthBytes: 1, lengthAdjustment: -1, maxFrameBytes: 5 };
    expect(outcome(new LengthFieldDecoder(options), hex(`06 ${HELLO}`), []).frames).toEqual([HELLO]);
    expect(outcome(new LengthFieldDecoder(options), hex('07'), []).fault).toBe('FRAME_TOO_LONG');
    expect(outcome(new LengthFieldDecoder({ ...options, stripBytes: 0 }), hex('06'), []).fault).toBe('FRAME_TOO_LONG');
  });

  it('refuses a length that makes the frame shorter than its header or than what is stripped', () => {
    const short = { lengthBytes: 2, lengthAdjustment: -2 };
    expect(outcome(new LengthFieldDecoder(short), hex('0001'), [1])).toMatchObject({ fault: 'FRAME_INVALID' });
    const stripped = { lengthBytes: 1, stripBytes: 4 };
    expect(outcome(new LengthFieldDecoder(stripped), hex('02 aabb'), [])).toMatchObject({ fault: 'FRAME_INVALID' });
  });

  it('refuses a length over 2^53-1 whatever the limit and the adjustment are', () => {
    for (const field of ['0020000000000000', 'ffffffffffffffff']) {
      const options = { lengthBytes: 8, lengthAdjustment: -100, maxFrameBytes: Number.MAX_SAFE_INTEGER };
      const decoder = new LengthFieldDecoder({ ...options, oversized: 'skip' });
      expect(codeOf(() => decoder.push(hex(field)))).toBe('FRAME_TOO_LONG');
    }
  });

  it.each<[string, Partial<LengthFieldDecoderOptions>]>([
    ['a field of 0 bytes', { lengthBytes: 0 }],
    ['a field of 9 bytes', { lengthBytes: 9 }],
    ['a byte order that is none', { byteOrder: 'middle' as 'big' }],
    ['a negative offset', { lengthOffset: -1 }],
    ['an offset over 65535', { lengthOffset: 65_536 }],
    ['an adjustment over 2^31-1', { lengthAdjustment: 2 ** 31 }],
    ['a negative strip', { stripBytes: -1 }],
  ])('refuses %s', (_why, options) => {
    expect(codeOf(() => new LengthFieldDecoder({ lengthBytes: 2, ...options }))).toBe('FRAMING_OPTION');
  });
});

describe('LengthFieldEncoder', () => {
  it.each<[string, LengthFieldEncoderOptions, string]>([
    ['big endian', { lengthBytes: 3 }, '000005'],
    ['little endian', { lengthBytes: 3, byteOrder: 'little' }, '050000'],
    ['adjusted', { lengthBytes: 1, lengthAdjustment: -1 }, '06'],
    ['behind its lead', { lengthBytes: 1, lengthOffset: 2, lead: hex('cafe') }, 'cafe05'],
  ])('writes the header %s', (_why, options, header) => {
    expect(Buffer.concat(new LengthFieldEncoder(options).encode(hex(HELLO))).toString('hex')).toBe(header + HELLO);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('refuses a length that a field of %i bytes cannot carry', (lengthBytes) => {
    const most = Math.min(256 ** lengthBytes - 1, Number.MAX_SAFE_INTEGER);
    const encoder = new LengthFieldEncoder({ lengthBytes });
    expect(BigInt(`0x${Buffer.from(encoder.header(most)).toString('hex')}`)).toBe(BigInt(most));
    expect(codeOf(() => encoder.header(most + 1))).toBe('FRAME_UNENCODABLE');
    expect(codeOf(() => encoder.header(-1))).toBe('FRAME_UNENCODABLE');
  });

  it('refuses a payload over the limit, one too short for the adjustment, and a lead of another size', () => {
    const encoder = new LengthFieldEncoder({ lengthBytes: 1, lengthAdjustment: 2, maxFrameBytes: 4 });
    expect(codeOf(() => encoder.encode(hex(HELLO)))).toBe('FRAME_UNENCODABLE');
    expect(codeOf(() => encoder.encode(hex('aa')))).toBe('FRAME_UNENCODABLE');
    expect(() => new LengthFieldEncoder({ lengthBytes: 1, lengthOffset: 2 })).toThrow(
      'lead has 0 bytes; it must have lengthOffset bytes, which is 2',
    );
  });
});
