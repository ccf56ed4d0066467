import { ReadableStream } from 'node:stream/web';
import { describe, expect, it } from 'vitest';
import { FrameStream } from '../../src/framing/frame-stream.ts';
import { LinesDecoder } from '../../src/framing/lines.ts';
import { bytes, chunksOf, everySplit } from './support.ts';

describe('FrameStream', () => {
  it('gives the same frames at every split', async () => {
    const stream = bytes('one\ntwo\n\nthree\n');
    for (const split of everySplit(stream.length)) {
      const source = ReadableStream.from(chunksOf(stream, split));
      const frames = await Array.fromAsync(source.pipeThrough(new FrameStream(new LinesDecoder())));
      expect(frames.map(String)).toEqual(['one', 'two', '', 'three']);
    }
  });

  it('gives the frames before a fault, then fails, and tells the writer', async () => {
    const stream = new FrameStream(new LinesDecoder({ maxFrameBytes: 5 }));
    const writer = stream.writable.getWriter();
    const writing = expect(
      writer.write(bytes('one\ntwo\ntoo long\n')).then(() => writer.write(bytes('three\n'))),
    ).rejects.toMatchObject({ code: 'FRAME_TOO_LONG' });
    const closed = expect(writer.closed).rejects.toMatchObject({ code: 'FRAME_TOO_LONG' });
    const reader = stream.readable.getReader();
    expect(String((await reader.read()).value)).toBe('one');
    expect(String((await reader.read()).value)).toBe('two');
    await expect(reader.read()).rejects.toMatchObject({ code: 'FRAME_TOO_LONG', frame: 2 });
    await Promise.all([writing, closed]);
  });

  it('reports an end inside a frame', async () => {
    const frames = ReadableStream.from([bytes('one\ntw')]).pipeThrough(new FrameStream(new LinesDecoder()));
    const reader = frames.getReader();
    expect(String((await reader.read()).value)).toBe('one');
    await expect(reader.read()).rejects.toMatchObject({ code: 'FRAME_TRUNCATED' });
  });

  it('takes no chunk while frames wait', async () => {
    let asked = 0;
    const source = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          asked += 1;
          controller.enqueue(bytes('a\nb\nc\nd\n'));
        },
      },
      { highWaterMark: 0 },
    );
    const reader = source.pipeThrough(new FrameStream(new LinesDecoder())).getReader();
    await reader.read();
    const before = asked;
    await reader.read();
    await reader.read();
    await reader.read();
    expect(asked).toBe(before);
    expect(before).toBeLessThanOrEqual(3);
    await reader.cancel();
  });

  it('closes its source when it is cancelled', async () => {
    let cancelled = false;
    const source = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(bytes('a\n')),
      cancel: () => {
        cancelled = true;
      },
    });
    const reader = source.pipeThrough(new FrameStream(new LinesDecoder())).getReader();
    await reader.read();
    await reader.cancel();
    await new Promise((resolve) => setImmediate(resolve));
    expect(cancelled).toBe(true);
  });

  it('passes on the fault of its source', async () => {
    const fault = new Error('the line is dead');
    const source = new ReadableStream<Uint8Array>({ start: (controller) => controller.error(fault) });
    const frames = source.pipeThrough(new FrameStream(new LinesDecoder()));
    await expect(frames.getReader().read()).rejects.toBe(fault);
  });
});
