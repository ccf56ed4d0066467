import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { type Duplex, PassThrough } from 'node:stream';

/** How a contestant is run: every frame of the chunks is received, as whatever it delivers. */
export type Receive = (frame: { length: number; toString(): string }) => void;

/** A decoder of another project, by the form it reads. */
export interface Peer {
  name: string;
  form: 'lines' | 'varint' | 'length field';
  /** `stream` if it is a Node stream, `core` if it is called directly. */
  kind: 'stream' | 'core';
  decode(chunks: readonly Buffer[], receive: Receive): Promise<void> | void;
  /** What it is known to get wrong, so that nothing is compared there. */
  wrongOn?: readonly ('empty frames' | 'characters in two chunks')[];
}

const load = createRequire(import.meta.url);

interface ItLengthPrefixed {
  decode(source: Iterable<Uint8Array>, options: { maxDataLength: number }): Iterable<{ subarray(): Uint8Array }>;
}

/** The longest frame of any bench or test: peers that have a limit get this one. */
export const MOST_BYTES = 16 * 1_048_576;

/**
 * Every peer, or the name of one that is not installed. What differs from their defaults: length-prefixed-stream delivers
 * objects, as its frames otherwise merge in a reader's buffer; the frames of it-length-prefixed are joined, as it delivers
 * lists of pieces and all others deliver bytes; readline is told that a late LF after CR is no second line.
 */
export const peers: readonly (() => Peer)[] = [
  () => {
    const split2 = load('split2') as () => Duplex;
    return {
      name: 'split2',
      form: 'lines',
      kind: 'stream',
      decode: (chunks, receive) => through(split2(), chunks, receive),
    };
  },
  () => {
    const byline = load('byline') as { createStream(): Duplex };
    return {
      name: 'byline',
      // It drops the first; told to keep them, it adds one at the end. The others it turns into U+FFFD.
      wrongOn: ['empty frames', 'characters in two chunks'],
      form: 'lines',
      kind: 'stream',
      decode: (chunks, receive) => through(byline.createStream(), chunks, receive),
    };
  },
  () => ({ name: 'node:readline', form: 'lines', kind: 'stream', decode: readLines }),
  () => {
    const { decode } = load('length-prefixed-stream') as { decode(options: object): Duplex };
    return {
      name: 'length-prefixed-stream',
      // It delivers each of them twice.
      wrongOn: ['empty frames'],
      form: 'varint',
      kind: 'stream',
      decode: (chunks, receive) => through(decode({ allowEmpty: true }), chunks, receive),
    };
  },
  () => {
    const { decode } = load('it-length-prefixed') as ItLengthPrefixed;
    return {
      name: 'it-length-prefixed',
      form: 'varint',
      kind: 'core',
      decode(chunks, receive) {
        for (const list of decode(chunks, { maxDataLength: MOST_BYTES })) receive(list.subarray());
      },
    };
  },
  () => {
    const { decode } = load('frame-stream') as { decode(): Duplex };
    return {
      name: 'frame-stream',
      // It drops them.
      wrongOn: ['empty frames'],
      form: 'length field',
      kind: 'stream',
      decode: (chunks, receive) => through(decode(), chunks, receive),
    };
  },
];

/** Writes the chunks to a stream, waiting when it asks for that, and receives what comes out. */
export function through(stream: Duplex, chunks: readonly Buffer[], receive: Receive): Promise<void> {
  return new Promise((resolve, reject) => {
    let next = 0;
    const write = (): void => {
      while (next < chunks.length) {
        if (!stream.write(chunks[next++])) {
          stream.once('drain', write);
          return;
        }
      }
      stream.end();
    };
    stream.on('data', receive).once('error', reject).once('end', resolve);
    write();
  });
}

function readLines(chunks: readonly Buffer[], receive: Receive): Promise<void> {
  const input = new PassThrough();
  return new Promise((resolve, reject) => {
    createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY }).on('line', receive).once('close', resolve);
    through(input, chunks, () => {}).catch(reject);
  });
}
