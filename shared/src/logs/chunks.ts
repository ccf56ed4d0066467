/** Files as chunks of whole lines, in buffers that are used again: memory stays flat at any file size. */
import { read, readSync } from 'node:fs';
import { promisify } from 'node:util';

const LF = 0x0a;

/** Also the longest line that is kept whole: what is longer is cut, and the rest of it skipped. */
export const CHUNK_BYTES = 1024 ** 2;

const readAsync = promisify(read);

/** Lines in `buffer[start, end)`, each ended by LF but for the last one of a file or a cut one. */
export interface Chunk {
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  /** True when the last line is the beginning of one that is too long. */
  readonly cut: boolean;
}

/**
 * Turns bytes that arrive in any pieces into chunks of whole lines: fill `space()`, then call `take`.
 * A chunk is valid until the next call.
 */
export class LineAssembler {
  readonly #buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  /** The unread part: a line that has begun. */
  #start = 0;
  #end = 0;
  /** Inside of a line whose beginning was given out cut. */
  #skipping = false;

  /** Bytes of a line that has begun and not ended. */
  get pendingBytes(): number {
    return this.#end - this.#start;
  }

  space(): Buffer {
    if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    return this.#buffer.subarray(this.#end);
  }

  /** `bytes` bytes were put into `space()`; gives the lines that they complete. */
  take(bytes: number): Chunk | undefined {
    const added = this.#end;
    this.#end += bytes;
    if (this.#skipping && !this.#skip(added)) return undefined;
    const last = this.#buffer.subarray(added, this.#end).lastIndexOf(LF);
    if (last >= 0) return this.#give(added + last + 1, false);
    if (this.#end < this.#buffer.length || this.#start > 0) return undefined;
    this.#skipping = true;
    return this.#give(this.#end, true);
  }

  /** At the end of a file: the last line, if nothing ended it. */
  rest(): Chunk | undefined {
    this.#skipping = false;
    return this.pendingBytes === 0 ? undefined : this.#give(this.#end, false);
  }

  #skip(from: number): boolean {
    const lineEnd = this.#buffer.subarray(from, this.#end).indexOf(LF);
    this.#skipping = lineEnd < 0;
    this.#start = this.#skipping ? this.#end : from + lineEnd + 1;
    return !this.#skipping;
  }

  #give(end: number, cut: boolean): Chunk {
    const chunk = { buffer: this.#buffer, start: this.#start, end, cut };
    this.#start = end;
    return chunk;
  }
}

/** The lines in the first `size` bytes of an open file. */
export async function* chunksOf(fd: number, size: number): AsyncGenerator<Chunk> {
  const lines = new LineAssembler();
  for (let position = 0; position < size; ) {
    const space = lines.space();
    const { bytesRead } = await readAsync(fd, space, 0, Math.min(space.length, size - position), position);
    if (bytesRead === 0) break;
    position += bytesRead;
    const chunk = lines.take(bytesRead);
    if (chunk !== undefined) yield chunk;
  }
  const rest = lines.rest();
  if (rest !== undefined) yield rest;
}

/** The lines of a stream of bytes, such as a file that is being unpacked. */
export async function* chunksOfStream(stream: AsyncIterable<Buffer>): AsyncGenerator<Chunk> {
  const lines = new LineAssembler();
  for await (const piece of stream) {
    for (let at = 0; at < piece.length; ) {
      const copied = piece.copy(lines.space(), 0, at);
      at += copied;
      const chunk = lines.take(copied);
      if (chunk !== undefined) yield chunk;
    }
  }
  const rest = lines.rest();
  if (rest !== undefined) yield rest;
}

const FIRST_BLOCK_BYTES = 64 * 1024;

/**
 * The lines of an open file from its last chunk to its first (within a chunk in the order of the
 * file), so that the last lines of 1 GiB cost a few reads.
 */
export function* chunksFromEnd(fd: number, size: number): Generator<Chunk> {
  // Room for a block and, after it, for the line that began in it and ends in the block read before.
  const buffer = Buffer.allocUnsafeSlow(2 * CHUNK_BYTES);
  let blockBytes = FIRST_BLOCK_BYTES;
  let tail: Buffer = Buffer.alloc(0);
  for (let position = size; position > 0; ) {
    const bytes = Math.min(blockBytes, position);
    const kept = Math.min(tail.length, CHUNK_BYTES);
    // A line that is too long loses its end, as it does when the file is read forward.
    const cut = tail.length > CHUNK_BYTES;
    buffer.set(tail.subarray(0, kept), bytes);
    position -= bytes;
    readFully(fd, buffer.subarray(0, bytes), position);
    const end = bytes + kept;
    const firstLineEnd = position === 0 ? -1 : buffer.subarray(0, end).indexOf(LF);
    if (position > 0 && firstLineEnd < 0) {
      tail = Buffer.from(buffer.subarray(0, end));
      continue;
    }
    tail = Buffer.from(buffer.subarray(0, firstLineEnd + 1));
    if (end > firstLineEnd + 1) yield { buffer, start: firstLineEnd + 1, end, cut };
    blockBytes = Math.min(2 * blockBytes, CHUNK_BYTES);
  }
}

function readFully(fd: number, target: Buffer, position: number): void {
  for (let filled = 0; filled < target.length; ) {
    const bytes = readSync(fd, target, filled, target.length - filled, position + filled);
    // The file was cut short behind our back: what is gone reads as empty lines, which are skipped.
    if (bytes === 0) {
      target.fill(LF, filled);
      return;
    }
    filled += bytes;
  }
}
