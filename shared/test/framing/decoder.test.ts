import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FrameDecoder, MeasuredDecoder, ownFrame } from '../../src/framing/decoder.ts';
import { FramingError, framingErrorCodes } from '../../src/framing/errors.ts';
import { LinesDecoder } from '../../src/framing/lines.ts';
import { VarintDecoder } from '../../src/framing/varint.ts';
import { bytes, canEncode, chunksOf, codeOf, everySplit, type Form, fixedForm, forms, outcome } from './support.ts';

const SEED = 20_261_120;

/** Bytes that the forms find interesting are as likely as all others together. */
const byte = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(...bytes('\n\r\0abc,:0123-\x80\xff')));
const payload = fc.array(byte, { maxLength: 40 }).map((values) => Uint8Array.from(values));
const cuts = fc.array(fc.nat(400), { maxLength: 12 });

function payloadsOf(form: Form, frameBytes?: number): fc.Arbitrary<Uint8Array[]> {
  const one =
    frameBytes === undefined
      ? payload.filter((value) => canEncode(form, value))
      : fc.uint8Array({ minLength: frameBytes, maxLength: frameBytes });
  return fc.array(one, { maxLength: 8 });
}

/** The bytes of a stream of frames, and the places between them. */
function encodeAll(form: Form, payloads: readonly Uint8Array[]): { stream: Buffer; borders: number[] } {
  const frames = payloads.map((value) => Buffer.concat(form.encoder.encode(value)));
  const borders = [0];
  for (const frame of frames) borders.push((borders.at(-1) as number) + frame.length);
  return { stream: Buffer.concat(frames), borders };
}

/** The most that a decoder held after any of its pushes. */
function mostBuffered(decoder: FrameDecoder, chunks: Uint8Array[]): number {
  const buffered = [0];
  try {
    for (const chunk of chunks) {
      decoder.feed(chunk, () => {});
      buffered.push(decoder.bufferedBytes);
    }
  } catch (error) {
    expect(error).toBeInstanceOf(FramingError);
  }
  return Math.max(...buffered);
}

function hexOf(payloads: readonly Uint8Array[]): string[] {
  return payloads.map((value) => Buffer.from(value).toString('hex'));
}

const allForms = [
  ...forms.map((form) => ({ form, name: form.name, payloads: payloadsOf(form) })),
  ...[1, 5, 19].map((size) => ({
    form: fixedForm(size),
    name: `fixed ${size}`,
    payloads: payloadsOf(fixedForm(size), size),
  })),
];

describe.each(allForms)('$name', ({ form, payloads }) => {
  it('gives the same frames at every split of their bytes', () => {
    fc.assert(
      fc.property(payloads, cuts, (values, randomCuts) => {
        const { stream } = encodeAll(form, values);
        const expected = { frames: hexOf(values), fault: undefined, faultFrame: undefined };
        for (const split of [...everySplit(stream.length), randomCuts]) {
          expect(outcome(form.decoder(), stream, split)).toEqual(expected);
        }
      }),
      { seed: SEED, numRuns: 15 },
    );
  });

  it('reports a stream that is cut anywhere but between two frames', () => {
    fc.assert(
      fc.property(payloads, (values) => {
        const { stream, borders } = encodeAll(form, values);
        for (let length = 0; length <= stream.length; length++) {
          const whole = borders.filter((border) => border > 0 && border <= length).length;
          const cut = !borders.includes(length);
          const expected = {
            frames: hexOf(values.slice(0, whole)),
            fault: cut ? 'FRAME_TRUNCATED' : undefined,
            faultFrame: cut ? whole : undefined,
          };
          for (const split of [[], Array.from(stream.keys()), [length >> 1]]) {
            expect(outcome(form.decoder(), stream.subarray(0, length), split)).toEqual(expected);
          }
        }
      }),
      { seed: SEED, numRuns: 15 },
    );
  });

  it('gives shared frames that outlast the push, and owned ones that outlast the chunk', () => {
    fc.assert(
      fc.property(payloads, cuts, (values, split) => {
        const { stream } = encodeAll(form, values);
        for (const frames of ['shared', 'owned'] as const) {
          const decoder = form.decoder({ frames });
          const kept: Buffer[] = [];
          for (const chunk of chunksOf(stream, split)) {
            kept.push(...decoder.push(chunk));
            if (frames === 'owned') chunk.fill(0xee);
          }
          expect(hexOf(kept)).toEqual(hexOf(values));
        }
      }),
      { seed: SEED, numRuns: 30 },
    );
  });

  it('finds the same in mutated bytes at every split, within its limit', () => {
    const mutations = fc.array(fc.tuple(fc.nat(400), byte), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(payloads, mutations, cuts, fc.integer({ min: 1, max: 24 }), (values, changes, split, limit) => {
        const { stream } = encodeAll(form, values);
        for (const [place, value] of changes) if (place < stream.length) stream[place] = value;
        for (const oversized of ['fail', 'skip'] as const) {
          const make = (): FrameDecoder => form.decoder({ maxFrameBytes: limit, oversized });
          const atOnce = outcome(make(), stream, []);
          expect(outcome(make(), stream, split)).toEqual(atOnce);
          expect(outcome(make(), stream, Array.from(stream.keys()))).toEqual(atOnce);
          const decoder = make();
          const most = decoder.maxFrameBytes;
          expect(Math.max(0, ...atOnce.frames.map((frame) => frame.length / 2))).toBeLessThanOrEqual(most);
          expect(mostBuffered(decoder, chunksOf(stream, split))).toBeLessThanOrEqual(most + form.overheadBytes);
        }
      }),
      { seed: SEED, numRuns: 120 },
    );
  });

  it('visits with feed what push yields', () => {
    fc.assert(
      fc.property(payloads, cuts, (values, split) => {
        const { stream } = encodeAll(form, values);
        const decoder = form.decoder();
        const seen: string[] = [];
        for (const chunk of chunksOf(stream, split)) {
          decoder.feed(chunk, (memory, start, end) => {
            seen.push(memory.toString('hex', start, end));
            // What was visited is over: the receiver may write over it, and over nothing else.
            memory.fill(0xee, start, end);
          });
          chunk.fill(0xee);
        }
        expect(seen).toEqual(hexOf(values));
      }),
      { seed: SEED, numRuns: 30 },
    );
  });
});

describe.each(forms)('$name with a limit', (form) => {
  it('lets a frame of the limit pass and no longer one, however it is split', () => {
    const limit = 20;
    const fits = Buffer.concat(form.encoder.encode(bytes('x'.repeat(limit))));
    const over = Buffer.concat(form.encoder.encode(bytes('x'.repeat(limit + 1))));
    for (const split of everySplit(fits.length)) {
      expect(outcome(form.decoder({ maxFrameBytes: limit }), fits, split).frames).toHaveLength(1);
    }
    for (const split of everySplit(over.length)) {
      const expected = { frames: [], fault: 'FRAME_TOO_LONG', faultFrame: 0 };
      expect(outcome(form.decoder({ maxFrameBytes: limit }), over, split)).toEqual(expected);
    }
  });

  it('passes over what is too long and goes on, if that was chosen', () => {
    const payloads = ['one', 'y'.repeat(300), 'two', 'z'.repeat(21), '', 'three'].map(bytes);
    const stream = Buffer.concat(
      payloads.flatMap((value) => (canEncode(form, value) ? form.encoder.encode(value) : [])),
    );
    const kept = payloads.filter((value) => value.length <= 20);
    for (const split of everySplit(stream.length)) {
      const decoder = form.decoder({ maxFrameBytes: 20, oversized: 'skip' });
      expect(outcome(decoder, stream, split)).toMatchObject({ frames: hexOf(kept), fault: undefined });
      expect(decoder.skippedFrames).toBe(
        payloads.filter((value) => value.length > 20 && canEncode(form, value)).length,
      );
    }
  });

  it('reports a stream that ends inside a frame that is passed over', () => {
    const stream = Buffer.concat(form.encoder.encode(bytes('y'.repeat(100))));
    for (const cut of [stream.length - 1, 60]) {
      const decoder = form.decoder({ maxFrameBytes: 20, oversized: 'skip' });
      expect(outcome(decoder, stream.subarray(0, cut), [3, 50])).toMatchObject({
        frames: [],
        fault: 'FRAME_TRUNCATED',
      });
    }
  });
});

describe('a decoder that failed', () => {
  it('delivers every frame before the fault and then throws it, with its place', () => {
    const decoder = new LinesDecoder({ maxFrameBytes: 4 });
    const seen: string[] = [];
    expect(() => {
      for (const line of decoder.push(bytes('one\ntwo\nthree\nfour\n'))) seen.push(line.toString());
    }).toThrow('frame 2: it is longer than the 4 bytes allowed');
    expect(seen).toEqual(['one', 'two']);
    expect(decoder.failure).toMatchObject({ code: 'FRAME_TOO_LONG', frame: 2 });
  });

  it('throws at once if no frame came before the fault', () => {
    expect(codeOf(() => new LinesDecoder({ maxFrameBytes: 4 }).push(bytes('three\n')))).toBe('FRAME_TOO_LONG');
  });

  it('stays failed, throws the same error again and holds nothing', () => {
    const decoder = new VarintDecoder();
    expect(codeOf(() => decoder.push(Uint8Array.of(0x81, 0x00)))).toBe('FRAME_INVALID');
    expect(() => decoder.push(Uint8Array.of(1, 65))).toThrow(decoder.failure);
    expect(() => decoder.end()).toThrow(decoder.failure);
    expect(decoder.bufferedBytes).toBe(0);
  });

  it('fails when a visitor throws, and passes that error on', () => {
    const decoder = new LinesDecoder();
    const fault = new Error('the disk is full');
    const visit = (): never => {
      throw fault;
    };
    expect(() => decoder.feed(bytes('a\nb\n'), visit)).toThrow(fault);
    expect(() => decoder.push(bytes('c\n'))).toThrow('what received it threw an error');
    expect(decoder.failure).toMatchObject({ code: 'FRAMING_MISUSE', cause: fault });
  });

  it('does not take the fault of a decoder inside its visitor for its own', () => {
    const outer = new LinesDecoder();
    const inner = new VarintDecoder();
    const visit = (): void => inner.feed(Uint8Array.of(0x80, 0), () => {});
    expect(() => outer.feed(bytes('a\n'), visit)).toThrow(/^frame 0: its length is not in the shortest form/);
    expect(outer.failure).toMatchObject({ code: 'FRAMING_MISUSE', cause: inner.failure });
  });
});

describe('the contract of every decoder', () => {
  it('tells what it holds', () => {
    const decoder = new LinesDecoder();
    decoder.push(bytes('abc\nde'));
    expect(decoder.bufferedBytes).toBe(2);
    decoder.push(bytes('\n'));
    expect(decoder.bufferedBytes).toBe(0);
  });

  it('ends once and takes nothing more', () => {
    const decoder = new LinesDecoder();
    expect([...decoder.end()]).toEqual([]);
    expect([...decoder.end()]).toEqual([]);
    expect(codeOf(() => decoder.push(bytes('a\n')))).toBe('FRAMING_MISUSE');
  });

  it('keeps its place when a loop over its frames is left early', () => {
    const decoder = new LinesDecoder();
    for (const line of decoder.push(bytes('a\nb\nc'))) {
      expect(line.toString()).toBe('a');
      break;
    }
    expect([...decoder.push(bytes('d\n'))].join()).toBe('cd');
  });

  it('keeps a frame that came in two chunks good until the next push, whatever follows it', () => {
    const decoder = new LinesDecoder();
    decoder.push(bytes('first '));
    const frames = [...decoder.push(bytes('half\nunfinished'))];
    expect(frames.join()).toBe('first half');
  });

  it('refuses what is no chunk, and a visitor that pushes into it', () => {
    const decoder = new LinesDecoder();
    expect(codeOf(() => decoder.push('text' as unknown as Uint8Array))).toBe('FRAMING_MISUSE');
    expect(codeOf(() => decoder.feed(bytes('a\n'), () => decoder.push(bytes('b\n'))))).toBe('FRAMING_MISUSE');
  });

  it('refuses options outside their range and says what is allowed', () => {
    expect(() => new LinesDecoder({ maxFrameBytes: 0 })).toThrow(
      'maxFrameBytes is 0; it must be an integer from 1 to 9007199254740991',
    );
    expect(() => new LinesDecoder({ maxFrameBytes: 1.5 })).toThrow('maxFrameBytes is 1.5');
    expect(() => new LinesDecoder({ oversized: 'drop' as 'skip' })).toThrow(
      "oversized is 'drop'; it must be 'fail' or 'skip'",
    );
    expect(codeOf(() => new LinesDecoder({ frames: 'mine' as 'owned' }))).toBe('FRAMING_OPTION');
  });

  it('copies a frame to keep, and shares no memory with it', () => {
    const chunk = bytes('abc\n');
    const [line] = new LinesDecoder().push(chunk);
    const kept = ownFrame(line as Buffer);
    chunk.fill(0xee);
    expect(kept.toString()).toBe('abc');
    expect(kept.buffer.byteLength).toBe(3);
  });

  it('has a meaning and someone to mend it for every code', () => {
    for (const [code, row] of Object.entries(framingErrorCodes)) {
      expect(code).toMatch(/^FRAM(E|ING)_[A-Z_]+$/);
      expect(row.meaning).toMatch(/\.$/);
      expect(row.mendedBy.length).toBeGreaterThan(5);
    }
  });
});

/**
 * The form of the time stream: a stamp of 19 bytes with nothing after it or with LF or CRLF, or a line of another
 * length that starts with no stamp. What a service needs is a `measure`, and no buffer of its own.
 */
class StampDecoder extends MeasuredDecoder {
  constructor() {
    super({ maxFrameBytes: 100 }, 2);
  }

  protected override measure(memory: Buffer, start: number, end: number): number {
    const available = end - start;
    this.tailBytes = 0;
    if (memory[start] !== 0x32) {
      const at = memory.subarray(start, end).indexOf('\n');
      this.tailBytes = 1;
      return at < 0 ? available + 1 : at + 1;
    }
    if (available < 20) return 20;
    if (memory[start + 19] === 0x0d) this.tailBytes = 2;
    if (memory[start + 19] === 0x0a) this.tailBytes = 1;
    return 19 + this.tailBytes;
  }
}

describe('a form of one’s own', () => {
  it('needs nothing but a measure: stamps with and without delimiters, and lines, split anywhere', () => {
    const first = '2026-11-20 10:00:00';
    const second = '2026-11-20 10:00:01';
    const stream = bytes(`${first}${second}\nWATCH\n${first}\r\n${second}${first}\nWATCH\n`);
    const expected = [first, second, 'WATCH', first, second, first, 'WATCH'].map((text) => bytes(text).toString('hex'));
    for (const split of everySplit(stream.length)) {
      expect(outcome(new StampDecoder(), stream, split)).toMatchObject({ frames: expected, fault: undefined });
    }
  });

  it('is bounded even if its measure never finds an end', () => {
    for (const split of [[], [50], Array.from({ length: 200 }, (_, i) => i)]) {
      expect(outcome(new StampDecoder(), bytes('x'.repeat(200)), split).fault).toBe('FRAME_TOO_LONG');
    }
  });
});
