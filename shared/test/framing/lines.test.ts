import { describe, expect, it } from 'vitest';
import { LinesDecoder, LinesEncoder } from '../../src/framing/lines.ts';
import { bytes, codeOf, everySplit, outcome } from './support.ts';

const hex = (lines: string[]): string[] => lines.map((line) => bytes(line).toString('hex'));

describe('lines', () => {
  it.each([
    ['LF ends a line', 'a\nb\n', ['a', 'b']],
    ['CRLF ends a line', 'a\r\nb\r\n', ['a', 'b']],
    ['both may be mixed', 'a\r\nb\nc\r\n', ['a', 'b', 'c']],
    ['a bare CR separates nothing, so no command is smuggled behind one', 'GET a\rDEL b\n', ['GET a\rDEL b']],
    ['one CR belongs to the terminator, no more', 'a\r\r\n', ['a\r']],
    ['a CR alone on its line is a terminator', '\r\n\n', ['', '']],
    ['empty lines are lines', '\n\na\n', ['', '', 'a']],
    [
      'U+2028, NEL, VT and FF end nothing',
      'a\xe2\x80\xa8b\xc2\x85c\x0bd\x0ce\n',
      ['a\xe2\x80\xa8b\xc2\x85c\x0bd\x0ce'],
    ],
    ['bytes that are not UTF-8 stay what they are', '\xff\xfe\x00\n', ['\xff\xfe\x00']],
  ])('%s', (_why, stream, lines) => {
    for (const split of everySplit(stream.length)) {
      expect(outcome(new LinesDecoder(), bytes(stream), split)).toMatchObject({ frames: hex(lines), fault: undefined });
    }
  });

  it('counts no terminator against the limit, wherever the CR falls', () => {
    for (const split of everySplit(6)) {
      expect(outcome(new LinesDecoder({ maxFrameBytes: 4 }), bytes('abcd\r\n'), split).frames).toEqual(hex(['abcd']));
      expect(outcome(new LinesDecoder({ maxFrameBytes: 4 }), bytes('abcd\rx'), split).fault).toBe('FRAME_TOO_LONG');
    }
  });

  it('gives up on an endless line as soon as it is one, and does not wait for its end', () => {
    expect(codeOf(() => new LinesDecoder({ maxFrameBytes: 4 }).push(bytes('abcdef')))).toBe('FRAME_TOO_LONG');
  });

  it('finds a line end far behind the start, near it and on either side of the switch between both searches', () => {
    for (let length = 0; length < 200; length++) {
      const line = 'x'.repeat(length);
      expect(outcome(new LinesDecoder(), bytes(`${line}\n${line}\n`), [])).toMatchObject({ frames: hex([line, line]) });
    }
  });

  it('delivers a last line without an end only if asked to, and leaves a CR on it', () => {
    expect(outcome(new LinesDecoder(), bytes('a\nb'), []).fault).toBe('FRAME_TRUNCATED');
    const deliver = { lastLine: 'deliver' } as const;
    for (const split of everySplit(5)) {
      expect(outcome(new LinesDecoder(deliver), bytes('a\nbc\r'), split)).toMatchObject({ frames: hex(['a', 'bc\r']) });
    }
    expect(outcome(new LinesDecoder(deliver), bytes('a\n'), [])).toMatchObject({
      frames: hex(['a']),
      fault: undefined,
    });
  });

  it('holds a last line without an end to the limit too', () => {
    const options = { lastLine: 'deliver', maxFrameBytes: 3 } as const;
    expect(outcome(new LinesDecoder(options), bytes('abcd'), []).fault).toBe('FRAME_TOO_LONG');
    const skipping = new LinesDecoder({ ...options, oversized: 'skip' });
    expect(outcome(skipping, bytes('abcd'), [])).toMatchObject({ frames: [], fault: undefined });
    expect(skipping.skippedFrames).toBe(1);
    expect(codeOf(() => new LinesDecoder({ lastLine: 'drop' as 'refuse' }))).toBe('FRAMING_OPTION');
  });
});

describe('LinesEncoder', () => {
  it('writes the terminator chosen', () => {
    expect(Buffer.concat(new LinesEncoder().encode(bytes('a'))).toString()).toBe('a\n');
    expect(Buffer.concat(new LinesEncoder({ newline: 'crlf' }).encode(bytes('a\r'))).toString()).toBe('a\r\r\n');
  });

  it('hands the payload on as it is, without a copy', () => {
    const payload = bytes('a');
    expect(new LinesEncoder().encode(payload)[0]).toBe(payload);
  });

  it('refuses a line that would be read as something else', () => {
    for (const line of ['a\nb', 'a\r', 'x'.repeat(11)]) {
      expect(codeOf(() => new LinesEncoder({ maxFrameBytes: 10 }).encode(bytes(line)))).toBe('FRAME_UNENCODABLE');
    }
    expect(codeOf(() => new LinesEncoder({ newline: 'cr' as 'lf' }))).toBe('FRAMING_OPTION');
  });
});
