import type { DecoderOptions, FrameDecoder } from '../../src/framing/decoder.ts';
import { DelimiterDecoder, DelimiterEncoder } from '../../src/framing/delimiter.ts';
import type { FrameEncoder } from '../../src/framing/encoder.ts';
import { FramingError } from '../../src/framing/errors.ts';
import { FixedDecoder, FixedEncoder } from '../../src/framing/fixed.ts';
import { LengthFieldDecoder, LengthFieldEncoder } from '../../src/framing/length-field.ts';
import { LinesDecoder, LinesEncoder } from '../../src/framing/lines.ts';
import { NetstringDecoder, NetstringEncoder } from '../../src/framing/netstring.ts';
import { VarintDecoder, VarintEncoder } from '../../src/framing/varint.ts';

/** A wire form as the properties need it: its decoder with any limits, and its encoder. */
export interface Form {
  name: string;
  decoder(options?: DecoderOptions): FrameDecoder;
  encoder: FrameEncoder;
  /** The most bytes a frame has beyond its payload. */
  overheadBytes: number;
}

const lengthFields = [1, 2, 3, 4, 5, 6, 7, 8].flatMap((lengthBytes) =>
  (['big', 'little'] as const).map((byteOrder) => ({ lengthBytes, byteOrder })),
);

export const forms: Form[] = [
  {
    name: 'lines with LF',
    decoder: (options) => new LinesDecoder(options),
    encoder: new LinesEncoder(),
    overheadBytes: 2,
  },
  {
    name: 'lines with CRLF',
    decoder: (options) => new LinesDecoder(options),
    encoder: new LinesEncoder({ newline: 'crlf' }),
    overheadBytes: 2,
  },
  ...['\0', 'aa', 'aab', '--\r\n', 'abcabcabd'].map((delimiter) => ({
    name: `delimiter ${JSON.stringify(delimiter)}`,
    decoder: (options?: DecoderOptions) => new DelimiterDecoder({ ...options, delimiter }),
    encoder: new DelimiterEncoder({ delimiter }),
    overheadBytes: delimiter.length,
  })),
  ...lengthFields.map((field) => ({
    name: `length field of ${field.lengthBytes} bytes, ${field.byteOrder} endian`,
    decoder: (options?: DecoderOptions) => new LengthFieldDecoder({ ...options, ...field }),
    encoder: new LengthFieldEncoder(field),
    overheadBytes: field.lengthBytes,
  })),
  {
    name: 'length field that counts itself, behind a lead',
    decoder: (options) => new LengthFieldDecoder({ ...options, lengthBytes: 2, lengthOffset: 3, lengthAdjustment: -5 }),
    encoder: new LengthFieldEncoder({
      lengthBytes: 2,
      lengthOffset: 3,
      lengthAdjustment: -5,
      lead: Uint8Array.of(0xca, 0xfe, 0x01),
    }),
    overheadBytes: 5,
  },
  {
    name: 'varint',
    decoder: (options) => new VarintDecoder(options),
    encoder: new VarintEncoder(),
    overheadBytes: 8,
  },
  {
    name: 'netstring',
    decoder: (options) => new NetstringDecoder(options),
    encoder: new NetstringEncoder(),
    overheadBytes: 18,
  },
];

/** Fixed frames take payloads of one size only, so they stand apart. */
export function fixedForm(frameBytes: number): Form {
  return {
    name: `fixed ${frameBytes}`,
    decoder: (options) => new FixedDecoder({ frameBytes, frames: options?.frames }),
    encoder: new FixedEncoder({ frameBytes }),
    overheadBytes: 0,
  };
}

export function bytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** What came of a stream: its frames in hex, and the code of the fault and the frame it was found in, if any. */
export interface Outcome {
  frames: string[];
  fault: string | undefined;
  faultFrame: number | undefined;
}

/** Whether a payload can be carried by a form at all: a line with LF in it cannot. */
export function canEncode(form: Form, payload: Uint8Array): boolean {
  try {
    form.encoder.encode(payload);
    return true;
  } catch {
    return false;
  }
}

/** The codes of decoding `stream`, cut at `cuts`, to its end. Each chunk is written over after its push. */
export function outcome(decoder: FrameDecoder, stream: Uint8Array, cuts: readonly number[]): Outcome {
  const frames: string[] = [];
  try {
    for (const chunk of chunksOf(stream, cuts)) {
      for (const frame of decoder.push(chunk)) frames.push(frame.toString('hex'));
      chunk.fill(0xee);
    }
    for (const frame of decoder.end()) frames.push(frame.toString('hex'));
  } catch (error) {
    if (!(error instanceof FramingError)) throw error;
    return { frames, fault: error.code, faultFrame: error.frame };
  }
  return { frames, fault: undefined, faultFrame: undefined };
}

/** Copies of the pieces of `stream` between the places in `cuts`, in any order and with repetitions (empty chunks). */
export function chunksOf(stream: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [0, ...cuts.filter((cut) => cut <= stream.length).toSorted((a, b) => a - b), stream.length];
  return places.slice(1).map((place, i) => Uint8Array.from(stream.subarray(places[i], place)));
}

/** Every way to cut a stream in two, then one byte at a time, and all at once. */
export function everySplit(length: number): number[][] {
  const points = Array.from({ length: length + 1 }, (_, i) => i);
  return [[], points, ...points.map((point) => [point])];
}

/** The code of the FramingError that `work` throws; fails the test if it throws none. */
export function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof FramingError) return error.code;
    throw error;
  }
  throw new Error('nothing was thrown');
}
