import { FramingError } from '@small-servers/shared/framing/errors';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StampDecoder, settle } from '../src/stamp-decoder.ts';

/** Frames of a stream cut at `cuts`; what is left at the end is settled. */
function framesOf(stream: string, cuts: readonly number[]): readonly string[] {
  const decoder = new StampDecoder(100);
  const frames: string[] = [];
  const visit = (bytes: Buffer, start: number, end: number): void => {
    frames.push(bytes.toString('latin1', start, end));
  };
  const places = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
  try {
    for (const [index, from] of places.slice(0, -1).entries()) {
      const chunk = Buffer.from(stream.slice(from, places[index + 1]), 'latin1');
      decoder.feed(chunk, visit);
      // A server reads into one buffer again and again.
      chunk.fill(0x78);
    }
    settle(decoder, visit);
  } catch (error) {
    if (!(error instanceof FramingError)) throw error;
    frames.push(error.code);
  }
  return frames;
}

/** In two, at every byte; one byte at a time; whole. */
const everyCut = (length: number): number[][] => {
  const places = Array.from({ length: length + 1 }, (_, index) => index);
  return [[], places, ...places.map((place) => [place])];
};

const A = '2026-11-20 10:00:00';
const B = '2026-11-20 10:00:01';
const C = '2026-11-20 10:00:02';
const ISO = '2026-11-20T10:00:00.123456Z';
const EAST = '2026-11-20T10:00:00.5+05:30';

describe('three records, split at every byte', () => {
  test.each([
    ['nothing between them', A + B + C, [A, B, C]],
    ['LF', `${A}\n${B}\n${C}\n`, [A, B, C]],
    ['CR LF', `${A}\r\n${B}\r\n${C}\r\n`, [A, B, C]],
    ['all three ways', `${A}${B}\n${C}\r\n`, [A, B, C]],
    ['the last without an end', `${A}\n${B}\r\n${C}`, [A, B, C]],
    ['ISO with a zone and nothing between', ISO + EAST + ISO, [ISO, EAST, ISO]],
    ['ISO and 19 bytes', ISO + A + EAST, [ISO, A, EAST]],
    ['pairs', `${A} seq=1 mono=5\n${ISO} seq=2\r\n${B} seq=3\n`, [`${A} seq=1 mono=5`, `${ISO} seq=2`, `${B} seq=3`]],
    ['commands between', `${A}WATCH\n${B}\nLIST\r\n${C}`, [A, 'WATCH', B, 'LIST', C]],
    ['blank lines', `\n${A}\n\r\n${B}\n\n${C}\n`, ['', A, '', B, '', C]],
    [
      'lines that are none',
      `2026-11\nNaN\n${A}\r${B}\n275760-09-13 00:00:00\n`,
      ['2026-11', 'NaN', `${A}\r${B}`, '275760-09-13 00:00:00'],
    ],
    ['Ctrl-C in telnet', `\xff\xf4${A}\n\xff\xf4\xff\n`, ['\xff\xf4', A, '\xff\xf4', '\xff']],
    ['half a fraction, half a zone', `${A}.\n${A}+0\n${A}+05:3x\n`, [`${A}.`, `${A}+0`, `${A}+05:3x`]],
  ])('%s', (_name, stream, expected) => {
    for (const cuts of everyCut(stream.length)) expect(framesOf(stream, cuts), cuts.join()).toEqual(expected);
  });
});

test('any mixture comes out the same however it is cut', () => {
  const part = fc.constantFrom(
    A,
    B,
    ISO,
    EAST,
    '\n',
    '\r\n',
    '\r',
    ' seq=1',
    'Z',
    '.5',
    '-',
    'WATCH\n',
    'x',
    '\xff',
    ' ',
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), fc.array(fc.nat(300), { maxLength: 6 }), (parts, cuts) => {
      const stream = parts.join('');
      const whole = framesOf(stream, []);
      const cut = cuts.filter((place) => place <= stream.length);
      expect(framesOf(stream, cut)).toEqual(whole);
    }),
    { seed: 3, numRuns: 3000 },
  );
});

describe('a line that does not end', () => {
  test('is refused at the same length however it comes, and an end in time is enough', () => {
    const longest = 'x'.repeat(100);
    for (const cuts of [[], [50], Array.from({ length: 100 }, (_, index) => index)]) {
      expect(framesOf(`${longest}\r\n`, cuts)).toEqual([longest]);
      expect(framesOf(`${longest}x\n`, cuts)).toEqual(['FRAME_TOO_LONG']);
      expect(framesOf(`${A}\n${longest}xxx`, cuts)).toEqual([A, 'FRAME_TOO_LONG']);
      expect(framesOf(`${A}.${'1'.repeat(200)}`, cuts)).toEqual(['FRAME_TOO_LONG']);
    }
  });

  test('is held in bounded memory', () => {
    const decoder = new StampDecoder(100);
    const push = (): void => decoder.feed(Buffer.from('2026'), () => {});
    expect(() => {
      for (let count = 0; count < 1000; count++) push();
    }).toThrow(FramingError);
    expect(decoder.bufferedBytes).toBe(0);
  });
});

test('says whether what it holds may be a whole stamp', () => {
  const holds = (text: string): boolean => {
    const decoder = new StampDecoder(100);
    decoder.feed(Buffer.from(text), () => {});
    return decoder.holdsStamp;
  };
  for (const whole of [A, `${A}\r`, `${A}.5`, ISO, EAST, `${A}+05`, `${A}+0530`, `${B}${A}`]) {
    expect(holds(whole), whole).toBe(true);
  }
  for (const half of [
    '',
    A.slice(0, -1),
    `${A}\n`,
    `${A}.`,
    `${A}+`,
    `${A}+0`,
    `${A}+05:`,
    `${A}+05:3`,
    `${A} seq=1`,
    'WATCH',
  ]) {
    expect(holds(half), half).toBe(false);
  }
});
