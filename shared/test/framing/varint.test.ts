import { describe, expect, it } from 'vitest';
import { VarintDecoder, VarintEncoder, varintLength } from '../../src/framing/varint.ts';
import { codeOf, everySplit, outcome } from './support.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('varint', () => {
  it.each([
    [0, '00'],
    [1, '01'],
    [127, '7f'],
    [128, '80 01'],
    [300, 'ac 02'],
    [16_383, 'ff 7f'],
    [16_384, '80 80 01'],
    [2_097_151, 'ff ff 7f'],
    [2_097_152, '80 80 80 01'],
    [2 ** 31 - 1, 'ff ff ff ff 07'],
    [2 ** 32, '80 80 80 80 10'],
    [2 ** 53 - 1, 'ff ff ff ff ff ff ff 0f'],
  ])('spells the length %i as %s', (length, spelling) => {
    expect(Buffer.from(varintLength(length))).toEqual(hex(spelling));
  });

  it.each([
    ['a zero in two bytes', '80 00'],
    ['a one in two bytes', '81 00'],
    ['a 128 in three bytes', '80 81 00'],
    ['nine bytes', '80 80 80 80 80 80 80 80 01'],
    ['bytes without end', 'ff ff ff ff ff ff ff ff ff ff ff'],
  ])('refuses %s, at any split', (_why, spelling) => {
    const stream = hex(spelling);
    for (const split of everySplit(stream.length)) {
      expect(outcome(new VarintDecoder(), stream, split)).toEqual({
        frames: [],
        fault: 'FRAME_INVALID',
        faultFrame: 0,
      });
    }
  });

  it('tells an unfinished length from a wrong one', () => {
    const decoder = new VarintDecoder();
    expect([...decoder.push(hex('80 80'))]).toEqual([]);
    expect(decoder.bufferedBytes).toBe(2);
    expect(codeOf(() => decoder.end())).toBe('FRAME_TRUNCATED');
  });

  it('refuses a length of 2^53 whatever the limit is', () => {
    const decoder = new VarintDecoder({ maxFrameBytes: Number.MAX_SAFE_INTEGER, oversized: 'skip' });
    expect(codeOf(() => decoder.push(hex('80 80 80 80 80 80 80 10')))).toBe('FRAME_TOO_LONG');
  });

  it('refuses to encode what is over the limit or no length', () => {
    expect(codeOf(() => new VarintEncoder({ maxFrameBytes: 3 }).encode(new Uint8Array(4)))).toBe('FRAME_UNENCODABLE');
    for (const length of [-1, 0.5, 2 ** 53]) expect(codeOf(() => varintLength(length))).toBe('FRAME_UNENCODABLE');
  });
});
