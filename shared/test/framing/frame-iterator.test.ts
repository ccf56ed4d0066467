import { describe, expect, it } from 'vitest';
import { frameIterator } from '../../src/framing/frame-iterator.ts';
import { LinesDecoder } from '../../src/framing/lines.ts';
import { bytes, chunksOf, everySplit } from './support.ts';

/** One buffer for all chunks, as a server that reads into its own has it. */
async function* reusedBuffer(chunks: readonly Uint8Array[], closed: () => void = () => {}): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(100);
  try {
    for (const chunk of chunks) {
      buffer.fill(0xee);
      buffer.set(chunk);
      yield buffer.subarray(0, chunk.length);
    }
  } finally {
    closed();
  }
}

describe('frameIterator', () => {
  it('gives the same frames at every split, good for ever, from a source that reuses its buffer', async () => {
    const stream = bytes('one\ntwo\n\nthree\n');
    for (const split of everySplit(stream.length)) {
      const frames = await Array.fromAsync(frameIterator(reusedBuffer(chunksOf(stream, split)), new LinesDecoder()));
      expect(frames.map(String)).toEqual(['one', 'two', '', 'three']);
    }
  });

  it('gives the frames before a fault, and before a cut end', async () => {
    for (const [stream, code] of [
      ['one\ntwo\ntoo long\n', 'FRAME_TOO_LONG'],
      ['one\ntwo\nthr', 'FRAME_TRUNCATED'],
    ] as const) {
      const seen: string[] = [];
      const drain = async (): Promise<void> => {
        const decoder = new LinesDecoder({ maxFrameBytes: 5 });
        for await (const frame of frameIterator(reusedBuffer([bytes(stream)]), decoder)) seen.push(String(frame));
      };
      await expect(drain()).rejects.toMatchObject({ code });
      expect(seen).toEqual(['one', 'two']);
    }
  });

  it('asks for no chunk before its frames are taken, and closes the source when left', async () => {
    let closed = 0;
    let asked = 0;
    async function* counted(): AsyncGenerator<Uint8Array> {
      for await (const chunk of reusedBuffer([bytes('a\nb\n'), bytes('c\n')], () => closed++)) {
        asked += 1;
        yield chunk;
      }
    }
    for await (const frame of frameIterator(counted(), new LinesDecoder())) {
      expect(asked).toBe(1);
      if (String(frame) === 'b') break;
    }
    expect(closed).toBe(1);
  });

  it('gives a last line that the decoder was told to deliver', async () => {
    const frames = frameIterator(reusedBuffer([bytes('a\nb')]), new LinesDecoder({ lastLine: 'deliver' }));
    expect((await Array.fromAsync(frames)).join()).toBe('a,b');
  });
});
