import { LengthFieldDecoder, LengthFieldEncoder } from '@small-servers/shared/framing/length-field';
import { LinesDecoder, LinesEncoder } from '@small-servers/shared/framing/lines';
import { VarintDecoder, VarintEncoder } from '@small-servers/shared/framing/varint';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MOST_BYTES, type Peer, peers } from './peers.ts';

const ours = {
  lines: { decoder: () => new LinesDecoder(), encoder: new LinesEncoder() },
  varint: {
    decoder: () => new VarintDecoder({ maxFrameBytes: MOST_BYTES }),
    encoder: new VarintEncoder({ maxFrameBytes: MOST_BYTES }),
  },
  'length field': {
    decoder: () => new LengthFieldDecoder({ lengthBytes: 4 }),
    encoder: new LengthFieldEncoder({ lengthBytes: 4 }),
  },
};

/** Payloads that every peer of the form reads right: no CR, which ends lines for readline, no U+2028 for byline. */
const payloads: Record<Peer['form'], fc.Arbitrary<Buffer>> = {
  lines: fc.string({ unit: fc.constantFrom('a', 'b', ' ', 'é', '0'), maxLength: 60 }).map((text) => Buffer.from(text)),
  varint: fc.uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value)),
  'length field': fc.uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value)),
};

function cut(stream: Buffer, places: readonly number[]): Buffer[] {
  const borders = [0, ...places.filter((place) => place < stream.length).toSorted((a, b) => a - b), stream.length];
  return borders
    .slice(1)
    .map((border, i) => stream.subarray(borders[i], border))
    .filter((chunk) => chunk.length > 0);
}

describe.each(peers.map((peer) => peer()))('the same bytes through $name', (peer) => {
  it('are the same frames', async () => {
    const { decoder, encoder } = ours[peer.form];
    const payload = payloads[peer.form].filter(
      (value) =>
        !(peer.wrongOn?.includes('empty frames') && value.length === 0) &&
        !(peer.wrongOn?.includes('characters in two chunks') && value.some((byte) => byte > 0x7f)),
    );
    const places = fc.array(fc.nat(2_000), { maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(fc.array(payload, { minLength: 1, maxLength: 12 }), places, async (values, at) => {
        const chunks = cut(Buffer.concat(values.flatMap((value) => encoder.encode(value))), at);
        const theirs: string[] = [];
        await peer.decode(chunks, (frame) => theirs.push(Buffer.from(frame as Buffer | string).toString('hex')));
        const under = decoder();
        const frames = chunks.flatMap((chunk) => [...under.push(chunk)].map((frame) => frame.toString('hex')));
        expect([...under.end()]).toEqual([]);
        expect(frames).toEqual(theirs);
      }),
      { seed: 20_261_120, numRuns: 60 },
    );
  });
});
