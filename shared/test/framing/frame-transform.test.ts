import { once } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import type { DecoderOptions } from '../../src/framing/decoder.ts';
import { FrameTransform } from '../../src/framing/frame-transform.ts';
import { LinesDecoder } from '../../src/framing/lines.ts';
import { bytes, chunksOf, everySplit } from './support.ts';

const modes = ['borrowed', 'shared', 'owned'] as const satisfies DecoderOptions['frames'][];

describe('FrameTransform', () => {
  it.each(modes)('reads one frame at a time, none merged, empty ones included (%s)', async (frames) => {
    const stream = bytes('one\ntwo\n\nthree\n');
    for (const split of everySplit(stream.length)) {
      const transform = new FrameTransform(new LinesDecoder({ frames }));
      const source = Readable.from(chunksOf(stream, split).filter((chunk) => chunk.length > 0));
      const seen: Buffer[] = [];
      for await (const frame of source.pipe(transform)) seen.push(frame);
      expect(seen.map(String)).toEqual(['one', 'two', '', 'three']);
    }
  });

  it.each([
    ['a fault', 'FRAME_TOO_LONG', `${'line\n'.repeat(100)}too long\nline\n`],
    ['a cut end', 'FRAME_TRUNCATED', `${'line\n'.repeat(100)}cut`],
  ])('lets all frames before %s be read, by every way of reading', async (_what, code, text) => {
    const ways: Record<string, (transform: FrameTransform, take: (frame: unknown) => void) => Promise<unknown>> = {
      async iterator(transform, take) {
        for await (const frame of transform) take(frame);
      },
      async data(transform, take) {
        transform.on('data', take);
        await once(transform, 'end');
      },
      async readable(transform, take) {
        transform.on('readable', () => {
          for (let frame = transform.read(); frame !== null; frame = transform.read()) take(frame);
        });
        await once(transform, 'end');
      },
      async pipeline(transform, take) {
        const slow = new Writable({
          objectMode: true,
          highWaterMark: 1,
          write(frame, _encoding, callback) {
            take(frame);
            setImmediate(callback);
          },
        });
        await pipeline(transform, slow);
      },
    };
    for (const [name, way] of Object.entries(ways)) {
      for (const chunkBytes of [7, 1_000]) {
        const transform = new FrameTransform(new LinesDecoder({ maxFrameBytes: 5 }));
        let taken = 0;
        const done = way(transform, () => {
          taken += 1;
        });
        const failed = expect(done, name).rejects.toMatchObject({ code });
        // A writer does not see that the stream failed until it did: it writes on, and must not hear of it otherwise.
        for (let at = 0; at < text.length; at += chunkBytes) transform.write(bytes(text.slice(at, at + chunkBytes)));
        transform.end();
        await failed;
        expect(taken, name).toBe(100);
      }
    }
  });

  it('holds the source back while nobody reads, and loses nothing', async () => {
    let produced = 0;
    const source = new Readable({
      highWaterMark: 1,
      read() {
        produced += 1;
        this.push(produced <= 1_000 ? bytes('line\n') : null);
      },
    });
    const transform = new FrameTransform(new LinesDecoder());
    source.pipe(transform);
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(transform.readableLength).toBeLessThanOrEqual(transform.readableHighWaterMark);
    // What waits: 16 frames, and the chunks that the writable side buffers by its own mark of 64 KiB.
    let taken = 0;
    for await (const _frame of transform) taken += 1;
    expect(taken).toBe(1_000);
  });

  it('does not take what a listener throws for a fault of the stream', () => {
    const transform = new FrameTransform(new LinesDecoder());
    const fault = new Error('the listener is broken');
    transform.on('data', () => {
      throw fault;
    });
    expect(() => transform.write(bytes('a\n'))).toThrow(fault);
    expect(transform.errored).toBe(null);
  });

  it('asks a writer to wait as soon as its marks are reached', () => {
    const transform = new FrameTransform(new LinesDecoder());
    let writes = 0;
    while (transform.write(bytes('x\n'.repeat(8_192)))) writes += 1;
    expect(writes).toBeLessThan(8);
  });
});
