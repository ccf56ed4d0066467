import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { everySplit, seededBytes } from '../../../test/support/splits.ts';
import { Pattern, ReplyCheck } from '../src/pattern.ts';

const pattern = new Pattern((bytes) => seededBytes(bytes.length, 7).copy(bytes));
const position = fc.integer({ min: 0, max: 2 ** 48 });

/** The stream from `start`, put together from slices as a sender would. */
function stream(start: number, length: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = start; at < start + length; ) {
    const part = pattern.slice(at, start + length - at);
    parts.push(part);
    at += part.length;
  }
  return Buffer.concat(parts);
}

describe('Pattern', () => {
  test('what stands at a position is the same however it is cut', () => {
    fc.assert(
      fc.property(
        position,
        fc.integer({ min: 1, max: 200_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (start, length, cut) => {
          const middle = Math.floor(length * cut);
          const halves = Buffer.concat([stream(start, middle), stream(start + middle, length - middle)]);
          return halves.equals(stream(start, length));
        },
      ),
      { numRuns: 30 },
    );
  });

  test('a slice is never empty and never longer than asked for', () => {
    fc.assert(
      fc.property(position, fc.integer({ min: 1, max: 200_000 }), (start, length) => {
        const slice = pattern.slice(start, length);
        return slice.length >= 1 && slice.length <= length;
      }),
    );
  });

  test('right bytes have no mismatch, and a single wrong one is found where it is', () => {
    fc.assert(
      fc.property(
        position,
        fc.integer({ min: 1, max: 150_000 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (start, length, at, flip) => {
          const bytes = Buffer.from(stream(start, length));
          const clean = pattern.mismatch(bytes, start);
          const wrongAt = at % length;
          bytes[wrongAt] = (bytes[wrongAt] ?? 0) ^ flip;
          return clean === -1 && pattern.mismatch(bytes, start) === wrongAt;
        },
      ),
      { numRuns: 30 },
    );
  });

  test('bytes of another place of the stream are not taken for these', () => {
    fc.assert(
      fc.property(position, fc.integer({ min: 1, max: 65_520 }), (start, shift) => {
        return pattern.mismatch(stream(start + shift, 64), start) !== -1;
      }),
    );
  });
});

describe('ReplyCheck', () => {
  test('a faithful echo is right in pieces of any size', () => {
    const sent = stream(0, 300);
    for (const [head, tail] of everySplit(sent)) {
      const check = new ReplyCheck(pattern);
      expect(check.accept(head, 300)).toEqual({ kind: 'right', returned: head.length });
      expect(check.accept(tail, 300)).toEqual({ kind: 'right', returned: 300 });
      expect(check.greeting).toBeUndefined();
    }
  });

  test('a greeting before the echo is told apart from it, wherever it is cut', () => {
    const reply = Buffer.concat([Buffer.from('Grüß\tGott, Client.\r\n'), stream(0, 40)]);
    for (const [head, tail] of everySplit(reply)) {
      const check = new ReplyCheck(pattern);
      expect(check.accept(head, 40).kind).toBe('right');
      expect(check.accept(tail, 40)).toEqual({ kind: 'right', returned: 40 });
      expect(check.greeting).toBe('Grüß\tGott, Client.');
    }
  });

  test('only the first line can be a greeting', () => {
    const check = new ReplyCheck(pattern);
    check.accept(Buffer.from('hello\r\n'), 0);
    expect(check.accept(Buffer.from('more\r\n'), 0)).toMatchObject({ kind: 'wrong', position: 0, actual: 0x6d });
  });

  test('a wrong byte is told by its position and value, the very first one too', () => {
    for (const at of [0, 1, 63, 199]) {
      const reply = Buffer.from(stream(0, 200));
      const expected = reply[at] ?? 0;
      reply[at] = expected ^ 0xff;
      for (const [head, tail] of everySplit(reply)) {
        const check = new ReplyCheck(pattern);
        const first = check.accept(head, 200);
        const verdict = first.kind === 'wrong' ? first : check.accept(tail, 200);
        expect(verdict).toEqual({ kind: 'wrong', position: at, expected, actual: expected ^ 0xff });
      }
    }
  });

  test('a line of text that never ends is judged as echo at last', () => {
    const check = new ReplyCheck(pattern);
    const verdict = check.accept(Buffer.alloc(5_000, 'a'), 64);
    expect(verdict).toMatchObject({ kind: 'wrong', position: 0, expected: 0, actual: 0x61 });
  });

  test('more bytes than were sent are wrong, even if they are the right ones', () => {
    const check = new ReplyCheck(pattern);
    expect(check.accept(stream(0, 11), 10)).toMatchObject({ kind: 'wrong', position: 10 });
    const later = new ReplyCheck(pattern);
    later.accept(stream(0, 10), 10);
    expect(later.accept(stream(10, 1), 10)).toMatchObject({ kind: 'wrong', position: 10 });
  });
});
