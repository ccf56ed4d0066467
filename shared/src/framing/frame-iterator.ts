import { type Decoder, keptFrames } from './decoder.ts';

/**
 * The frames of a source of chunks, one at a time: `for await (const frame of frameIterator(socket, decoder))`.
 *
 * A chunk is asked for when the frames of the one before have been taken, so the source is held back as the receiver
 * is. A frame stays good when the next one is taken: those of a decoder that lends its frames are copied. Leaving the
 * loop early closes the source.
 *
 * @throws FramingError as the decoder does, after the last good frame: also FRAME_TRUNCATED if the source ends inside a
 *   frame. What the source throws is thrown on.
 */
export async function* frameIterator(
  source: AsyncIterable<Uint8Array>,
  decoder: Decoder,
): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of source) yield* keptFrames(decoder, decoder.push(chunk));
  yield* decoder.end();
}
