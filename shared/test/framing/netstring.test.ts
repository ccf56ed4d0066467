import { describe, expect, it } from 'vitest';
import { NetstringDecoder, NetstringEncoder } from '../../src/framing/netstring.ts';
import { bytes, codeOf, everySplit, outcome } from './support.ts';

/** The specification's own example: the string "hello world!" and the empty string. */
const HELLO = Buffer.from('31323a68656c6c6f20776f726c64212c', 'hex');
const EMPTY = Buffer.from('303a2c', 'hex');

describe('netstring', () => {
  it('reads and writes the examples of its specification', () => {
    for (const split of everySplit(HELLO.length + EMPTY.length)) {
      expect(outcome(new NetstringDecoder(), Buffer.concat([HELLO, EMPTY]), split)).toMatchObject({
        frames: [bytes('hello world!').toString('hex'), ''],
        fault: undefined,
      });
    }
    expect(Buffer.concat(new NetstringEncoder().encode(bytes('hello world!')))).toEqual(HELLO);
    expect(Buffer.concat(new NetstringEncoder().encode(bytes('')))).toEqual(EMPTY);
  });

  it.each([
    ['no length', ':,'],
    ['a sign', '-1:a,'],
    ['a space', ' 1:a,'],
    ['a letter in the length', '1a:'],
    ['a leading zero', '01:a,'],
    ['zero twice', '00:,'],
    ['no comma', '1:ab'],
    ['no comma after nothing', '0:;'],
  ])('refuses %s, at any split', (_why, stream) => {
    for (const split of everySplit(stream.length)) {
      expect(outcome(new NetstringDecoder(), bytes(stream), split)).toMatchObject({
        frames: [],
        fault: 'FRAME_INVALID',
      });
    }
  });

  it('says what byte stands where', () => {
    expect(() => new NetstringDecoder().push(bytes('1:ab'))).toThrow(
      'frame 0: it ends with byte 0x62 where "," must be',
    );
    expect(() => new NetstringDecoder().push(bytes('\n1:a,'))).toThrow('byte 0x0a where a digit must be');
  });

  it('refuses a length of 2^53 or of more digits, whatever the limit is, and does not wait for them all', () => {
    for (const length of ['9007199254740992:', '11111111111111111']) {
      const decoder = new NetstringDecoder({ maxFrameBytes: Number.MAX_SAFE_INTEGER, oversized: 'skip' });
      expect(codeOf(() => decoder.push(bytes(length)))).toBe('FRAME_TOO_LONG');
    }
  });

  it('checks the comma of a frame that is passed over, at any split', () => {
    const stream = bytes('5:abcdex1:a,');
    for (const split of everySplit(stream.length)) {
      const decoder = new NetstringDecoder({ maxFrameBytes: 4, oversized: 'skip' });
      expect(outcome(decoder, stream, split)).toEqual({ frames: [], fault: 'FRAME_INVALID', faultFrame: 1 });
    }
  });

  it('refuses to encode what is over the limit', () => {
    expect(codeOf(() => new NetstringEncoder({ maxFrameBytes: 3 }).encode(bytes('abcd')))).toBe('FRAME_UNENCODABLE');
  });
});
