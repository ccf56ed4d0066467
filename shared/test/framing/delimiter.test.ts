import { describe, expect, it } from 'vitest';
import { DelimiterDecoder, DelimiterEncoder } from '../../src/framing/delimiter.ts';
import { bytes, codeOf, everySplit, outcome } from './support.ts';

describe('delimiter', () => {
  it.each([
    ['one byte', '|', 'a|b||', ['a', 'b', '']],
    ['several bytes', '--\r\n', 'a--\r\n-b---\r\n', ['a', '-b-']],
    ['the first delimiter from the left counts', 'aa', 'xaaaaa' + 'yaa', ['x', '', 'ay']],
    ['a start that comes to nothing, and the true one inside it', 'aab', 'aaaab', ['aa']],
    ['a delimiter that almost repeats', 'abcabcabd', 'abcabcabcabd', ['abc']],
  ])('%s', (_why, delimiter, stream, frames) => {
    const expected = { frames: frames.map((frame) => bytes(frame).toString('hex')), fault: undefined };
    for (const split of everySplit(stream.length)) {
      expect(outcome(new DelimiterDecoder({ delimiter }), bytes(stream), split)).toMatchObject(expected);
    }
  });

  it('takes a string for its bytes in UTF-8, and keeps a copy of bytes', () => {
    expect(outcome(new DelimiterDecoder({ delimiter: '→' }), Buffer.from('a→'), [2]).frames).toEqual(['61']);
    const delimiter = bytes('|');
    const decoder = new DelimiterDecoder({ delimiter });
    delimiter.fill('x');
    expect(outcome(decoder, bytes('a|'), []).frames).toEqual(['61']);
  });

  it('finds the end of an oversized frame that is passed over, split inside its delimiter', () => {
    const stream = bytes('abcdefgh--b--');
    for (const split of everySplit(stream.length)) {
      const decoder = new DelimiterDecoder({ delimiter: '--', maxFrameBytes: 3, oversized: 'skip' });
      expect(outcome(decoder, stream, split)).toMatchObject({ frames: ['62'], fault: undefined });
      expect(decoder.skippedFrames).toBe(1);
    }
  });

  it('refuses a delimiter of no bytes or of more than 255', () => {
    for (const delimiter of ['', 'x'.repeat(256)]) {
      expect(() => new DelimiterDecoder({ delimiter })).toThrow(
        `the length of delimiter in bytes is ${delimiter.length}; it must be an integer from 1 to 255`,
      );
    }
  });
});

describe('DelimiterEncoder', () => {
  it('refuses a payload with the delimiter in it, or one that would make the delimiter begin too early', () => {
    const encoder = new DelimiterEncoder({ delimiter: 'aa', maxFrameBytes: 10 });
    for (const payload of ['xaay', 'xa', 'b'.repeat(11)]) {
      expect(codeOf(() => encoder.encode(bytes(payload)))).toBe('FRAME_UNENCODABLE');
    }
    expect(Buffer.concat(encoder.encode(bytes('axb'))).toString()).toBe('axbaa');
  });
});
