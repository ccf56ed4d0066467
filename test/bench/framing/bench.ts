import { availableParallelism, cpus } from 'node:os';
import type { FrameDecoder } from '@small-servers/shared/framing/decoder';
import { FrameTransform } from '@small-servers/shared/framing/frame-transform';
import { LengthFieldDecoder, LengthFieldEncoder } from '@small-servers/shared/framing/length-field';
import { LinesDecoder } from '@small-servers/shared/framing/lines';
import { VarintDecoder, VarintEncoder } from '@small-servers/shared/framing/varint';
import { MOST_BYTES, type Peer, peers, type Receive, through } from './peers.ts';

/** A contestant: what it is called, and one pass over the chunks. */
interface Contestant {
  name: string;
  kind: 'core' | 'stream';
  ours: boolean;
  pass(chunks: readonly Buffer[], receive: Receive): Promise<void> | void;
}

interface Result extends Contestant {
  /** The best pass, in ns per frame; the others were disturbed more. */
  frameNs: number;
}

const ROUNDS = 5;
const TOTAL_BYTES = 16 * 1_048_576;
const FRAME_BYTES = [16, 1_024, 65_536];
/** What a large read gives, and what one segment of TCP carries over Ethernet with IPv4 and no options. */
const CHUNK_BYTES = [65_536, 1_460];
const LONG_LINE_BYTES = 8 * 1_048_576;

type FrameOwnership = 'borrowed' | 'shared';

const decoders: Record<Peer['form'], (frames: FrameOwnership) => FrameDecoder> = {
  lines: (frames) => new LinesDecoder({ maxFrameBytes: MOST_BYTES, frames }),
  varint: (frames) => new VarintDecoder({ maxFrameBytes: MOST_BYTES, frames }),
  'length field': (frames) => new LengthFieldDecoder({ lengthBytes: 4, maxFrameBytes: MOST_BYTES, frames }),
};

/** The bytes of one frame on the wire: for lines, the terminator is among the frame's bytes. */
const wireFrames: Record<Peer['form'], (frameBytes: number) => Buffer> = {
  lines: (frameBytes) => Buffer.from(`${'a'.repeat(frameBytes - 1)}\n`),
  varint: (frameBytes) => Buffer.concat(new VarintEncoder().encode(Buffer.alloc(frameBytes, 'a'))),
  'length field': (frameBytes) =>
    Buffer.concat(new LengthFieldEncoder({ lengthBytes: 4 }).encode(Buffer.alloc(frameBytes, 'a'))),
};

function contestantsOf(form: Peer['form'], found: readonly Peer[]): Contestant[] {
  const decoder = decoders[form];
  const feed: Contestant['pass'] = (chunks, receive) => {
    const under = decoder('borrowed');
    // What is received is a range, so there is no frame to hand on: its length is what the others' receivers read too.
    const range = { length: 0 };
    const visit = (_bytes: Buffer, start: number, end: number): void => {
      range.length = end - start;
      receive(range);
    };
    for (const chunk of chunks) under.feed(chunk, visit);
    under.end();
  };
  const push: Contestant['pass'] = (chunks, receive) => {
    const under = decoder('borrowed');
    for (const chunk of chunks) for (const frame of under.push(chunk)) receive(frame);
    under.end();
  };
  const transform: Contestant['pass'] = (chunks, receive) =>
    through(new FrameTransform(decoder('shared')), chunks, receive);
  return [
    { name: 'feed', kind: 'core', ours: true, pass: feed },
    { name: 'push', kind: 'core', ours: true, pass: push },
    { name: 'FrameTransform', kind: 'stream', ours: true, pass: transform },
    ...found
      .filter((peer) => peer.form === form)
      .map((peer) => ({ name: peer.name, kind: peer.kind, ours: false, pass: peer.decode })),
  ];
}

function chunksOf(stream: Buffer, chunkBytes: number): Buffer[] {
  const count = Math.ceil(stream.length / chunkBytes);
  return Array.from({ length: count }, (_, i) => stream.subarray(i * chunkBytes, (i + 1) * chunkBytes));
}

/** The time of one pass in ms. Throws if a contestant delivers other frames than it was sent. */
async function timePass(contestant: Contestant, chunks: readonly Buffer[], frames: number): Promise<number> {
  let received = 0;
  let bytes = 0;
  const started = performance.now();
  await contestant.pass(chunks, (frame) => {
    received += 1;
    bytes += frame.length;
  });
  const elapsed = performance.now() - started;
  if (received !== frames || bytes === 0) {
    throw new Error(`${contestant.name} delivered ${received} of ${frames} frames`);
  }
  return elapsed;
}

/** Times all contestants on the same bytes, in turns, so that a disturbance hits them alike. */
async function compare(
  contestants: readonly Contestant[],
  chunks: readonly Buffer[],
  frames: number,
  rounds: number,
): Promise<Result[]> {
  const best = contestants.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < rounds; round++) {
    for (const [i, contestant] of contestants.entries()) {
      best[i] = Math.min(best[i] as number, await timePass(contestant, chunks, frames));
    }
  }
  return contestants.map((contestant, i) => ({ ...contestant, frameNs: ((best[i] as number) * 1e6) / frames }));
}

function printResults(title: string, results: readonly Result[], frameBytes: number): void {
  const fastest = (of: readonly Result[]): number => Math.min(...of.map(({ frameNs }) => frameNs));
  const theirs = results.filter(({ ours }) => !ours);
  process.stdout.write(`\n${title}\n`);
  for (const result of results) {
    const against = result.kind === 'stream' ? theirs.filter(({ kind }) => kind === 'stream') : theirs;
    const times = result.ours ? `${(fastest(against) / result.frameNs).toFixed(1)} times the fastest peer` : '';
    const frameNs = result.frameNs.toFixed(result.frameNs < 100 ? 1 : 0);
    const mibPerSecond = (frameBytes / result.frameNs / 1_048_576) * 1e9;
    process.stdout.write(
      `  ${result.name.padEnd(24)}${frameNs.padStart(12)} ns/frame${mibPerSecond.toFixed(0).padStart(9)} MiB/s  ${times}\n`,
    );
  }
}

function findPeers(): Peer[] {
  return peers.flatMap((find) => {
    try {
      return [find()];
    } catch (error) {
      process.stdout.write(`missing: ${(error as Error).message.split('\n')[0]}\n`);
      return [];
    }
  });
}

/** One line in chunks of 1,460 bytes: what each costs per byte tells whether a decoder's cost is linear. */
async function compareLongLine(contestants: readonly Contestant[]): Promise<void> {
  process.stdout.write(`\nOne line in chunks of 1460 bytes, a fresh decoder for each, ns per byte\n`);
  for (const contestant of contestants) {
    const perByte: number[] = [];
    for (const lineBytes of [65_536, LONG_LINE_BYTES]) {
      const chunks = chunksOf(wireFrames.lines(lineBytes), 1_460);
      const passes = contestant.ours ? LONG_LINE_BYTES / lineBytes : 1;
      let best = Number.POSITIVE_INFINITY;
      for (let round = 0; round < (contestant.ours ? 2 * ROUNDS : 2); round++) {
        let elapsed = 0;
        for (let pass = 0; pass < passes; pass++) elapsed += await timePass(contestant, chunks, 1);
        best = Math.min(best, elapsed / passes);
      }
      perByte.push((best * 1e6) / lineBytes);
    }
    const [short = 0, long = 0] = perByte;
    process.stdout.write(
      `  ${contestant.name.padEnd(24)}64 KiB ${short.toFixed(2).padStart(8)}   8 MiB ${long.toFixed(2).padStart(8)}   ` +
        `${(long / short).toFixed(2)} times\n`,
    );
  }
}

/** `pnpm bench framing`. */
export async function run(): Promise<void> {
  process.stdout.write(`node ${process.version}, ${cpus()[0]?.model.trim()}, ${availableParallelism()} cores; `);
  process.stdout.write(`the best of ${ROUNDS} passes over ${TOTAL_BYTES / 1_048_576} MiB each\n`);
  const found = findPeers();
  for (const form of Object.keys(decoders) as Peer['form'][]) {
    const contestants = contestantsOf(form, found);
    for (const frameBytes of FRAME_BYTES) {
      const wireFrame = wireFrames[form](frameBytes);
      const frames = Math.floor(TOTAL_BYTES / wireFrame.length);
      const stream = Buffer.alloc(frames * wireFrame.length, wireFrame);
      for (const chunkBytes of CHUNK_BYTES) {
        const results = await compare(contestants, chunksOf(stream, chunkBytes), frames, ROUNDS);
        printResults(`${form}: frames of ${frameBytes} B in chunks of ${chunkBytes} B`, results, frameBytes);
      }
    }
  }
  await compareLongLine(contestantsOf('lines', found));
}
