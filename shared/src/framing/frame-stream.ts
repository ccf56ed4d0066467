import { ReadableStream, TransformStream, type WritableStream } from 'node:stream/web';
import { type Decoder, keptFrames } from './decoder.ts';

/**
 * A pair of web streams in the manner of DecompressionStream: `readable.pipeThrough(new FrameStream(decoder))`.
 *
 * Frames are handed over as they are asked for, one by one, and no chunk is taken while one waits. Plain
 * TransformStreams drop what waits when they fail; here a FramingError, also FRAME_TRUNCATED at the end of the input,
 * comes after the last good frame was read, and then fails the writable side too. A frame stays good when the next one
 * is taken: those of a decoder that lends its frames are copied.
 */
export class FrameStream {
  readonly readable: ReadableStream<Buffer>;
  readonly writable: WritableStream<Uint8Array>;

  constructor(decoder: Decoder) {
    const bytes = new TransformStream<Uint8Array, Uint8Array>();
    this.writable = bytes.writable;
    this.readable = ReadableStream.from(frames(bytes.readable, decoder));
  }
}

/** Like `frameIterator`, but the source is told why it is closed: a writer waiting for it learns the fault. */
async function* frames(source: ReadableStream<Uint8Array>, decoder: Decoder): AsyncGenerator<Buffer, void, undefined> {
  const reader = source.getReader();
  let fault: unknown;
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      yield* keptFrames(decoder, decoder.push(next.value));
    }
    yield* decoder.end();
  } catch (error) {
    fault = error;
    throw error;
  } finally {
    await reader.cancel(fault);
  }
}
