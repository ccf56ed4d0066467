import { describe, expect, it } from 'vitest';
import type { DecoderOptions, FrameDecoder } from '../../src/framing/decoder.ts';
import { LengthFieldDecoder, LengthFieldEncoder } from '../../src/framing/length-field.ts';
import { NetstringDecoder } from '../../src/framing/netstring.ts';
import { VarintDecoder, varintLength } from '../../src/framing/varint.ts';
import { bytes, chunksOf, codeOf, everySplit } from './support.ts';

/** The forms that declare a length, with the header of a given one. */
const declaring: {
  name: string;
  decoder(options: DecoderOptions): FrameDecoder;
  header(length: number): Uint8Array;
  trailer: string;
}[] = [
  { name: 'varint', decoder: (options) => new VarintDecoder(options), header: varintLength, trailer: '' },
  {
    name: 'netstring',
    decoder: (options) => new NetstringDecoder(options),
    header: (length) => bytes(`${length}:`),
    trailer: ',',
  },
  ...(['big', 'little'] as const).map((byteOrder) => ({
    name: `length field, ${byteOrder} endian`,
    decoder: (options: DecoderOptions) => new LengthFieldDecoder({ ...options, lengthBytes: 8, byteOrder }),
    header: (length: number) => new LengthFieldEncoder({ lengthBytes: 8, byteOrder }).header(length),
    trailer: '',
  })),
];

/** Where a group, a signed and an unsigned word, and the exact integers end. */
const borders = [7, 14, 21, 28, 31, 32, 35, 42, 49, 53].map((power) => 2 ** power);
const lengths = borders.flatMap((border) => [border - 32, border - 1, border, border + 1]);
const countable = lengths.filter((length) => length + 20 <= Number.MAX_SAFE_INTEGER);

describe.each(declaring)('$name', ({ decoder, header, trailer }) => {
  it.each(countable)('understands a declared length of %i, at every split of its header', (length) => {
    const declared = header(length);
    const whole = declared.length + length + trailer.length;
    for (const split of everySplit(declared.length)) {
      const patient = decoder({ maxFrameBytes: Number.MAX_SAFE_INTEGER });
      for (const chunk of chunksOf(declared, split)) expect([...patient.push(chunk)]).toEqual([]);
      expect(patient.bufferedBytes).toBe(declared.length);
      expect(() => patient.end()).toThrow(`after ${declared.length} bytes of it, at least ${whole} were expected`);
      const strict = decoder({ maxFrameBytes: length - 1 });
      expect(() => chunksOf(declared, split).map((chunk) => strict.push(chunk))).toThrow(
        `it declares ${length} bytes, more than the ${length - 1} bytes allowed`,
      );
    }
  });

  it.each([Number.MAX_SAFE_INTEGER])('refuses a declared length of %i whatever the limit', (length) => {
    const options = { maxFrameBytes: Number.MAX_SAFE_INTEGER, oversized: 'skip' } as const;
    expect(codeOf(() => decoder(options).push(header(length)))).toBe('FRAME_TOO_LONG');
  });

  it.each([2 ** 7, 2 ** 14, 2 ** 21])('carries frames around %i bytes whole, in chunks of any size', (border) => {
    for (const length of [border - 1, border, border + 1]) {
      const payload = Buffer.alloc(length, 'payload of a frame ');
      const stream = Buffer.concat([header(length), payload, bytes(trailer), header(1), bytes(`!${trailer}`)]);
      for (const chunkBytes of [1_460, 65_536, stream.length]) {
        const under = decoder({ maxFrameBytes: length });
        const frames: Buffer[] = [];
        for (let at = 0; at < stream.length; at += chunkBytes) {
          for (const frame of under.push(stream.subarray(at, at + chunkBytes))) frames.push(Buffer.from(frame));
        }
        expect(frames.length).toBe(2);
        expect(frames[0]?.equals(payload)).toBe(true);
        expect(frames[1]?.toString()).toBe('!');
      }
    }
  });

  it('passes over a frame of more than 2^32 bytes to the byte', () => {
    const length = 2 ** 32 + 5;
    const under = decoder({ maxFrameBytes: 1_000, oversized: 'skip' });
    const zeros = new Uint8Array(2 ** 26);
    under.push(header(length));
    for (let passed = 0; passed < 2 ** 32; passed += zeros.length) under.push(zeros);
    expect(under.bufferedBytes).toBe(0);
    const rest = Buffer.concat([zeros.subarray(0, 5), bytes(trailer), header(2), bytes(`ok${trailer}`)]);
    expect([...under.push(rest)].join()).toBe('ok');
    expect(under.skippedFrames).toBe(1);
    expect(codeOf(() => decoder({ maxFrameBytes: 1_000 }).push(header(length)))).toBe('FRAME_TOO_LONG');
  });
});
