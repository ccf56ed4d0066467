/** Large files in pieces that can be searched by several threads: each is whole lines. */
import { readSync } from 'node:fs';
import { MAX_LINE_BYTES } from './chunks.ts';

const LF = 0x0a;

/** What is searched at once. Larger pieces leave the caches of the processor, smaller ones are more messages. */
export const SEGMENT_BYTES = 2 * 1024 * 1024;

export interface Segment {
  readonly fd: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Pieces of an open file from its beginning, all but what is too small to be one and the end of the file, which may
 * be no whole line. The next one begins where the one before ended.
 */
export function* segmentsOf(fd: number, size: number): Generator<Segment> {
  const window = Buffer.allocUnsafeSlow(MAX_LINE_BYTES);
  let start = 0;
  for (let nominal = SEGMENT_BYTES; nominal < size; nominal = Math.max(nominal, start) + SEGMENT_BYTES) {
    const read = readSync(fd, window, 0, FIRST_LOOK_BYTES, nominal);
    let lineEnd = window.subarray(0, read).indexOf(LF);
    if (lineEnd < 0) {
      const all = readSync(fd, window, 0, window.length, nominal);
      lineEnd = window.subarray(0, all).indexOf(LF);
    }
    // Lines that are too long for that are left to those who read one after the other.
    if (lineEnd < 0) return;
    const end = nominal + lineEnd + 1;
    yield { fd, start, end };
    start = end;
  }
}

/** Most lines are shorter. */
const FIRST_LOOK_BYTES = 4 * 1024;

/** @throws Error when the file was cut short meanwhile */
export function readSegment({ fd, start, end }: Segment, into: Buffer): Buffer {
  for (let position = start; position < end; ) {
    const bytes = readSync(fd, into, position - start, end - position, position);
    if (bytes === 0) throw new Error('it was emptied while it was read');
    position += bytes;
  }
  return into.subarray(0, end - start);
}

/** Room for any segment. */
export const segmentBuffer = (): Buffer => Buffer.allocUnsafeSlow(SEGMENT_BYTES + MAX_LINE_BYTES);
