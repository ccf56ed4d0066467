/** Files as chunks of whole lines, in buffers that are used again: memory stays flat at any file size. */
import { read, readSync } from 'node:fs';
import { promisify } from 'node:util';

const LF = 0x0a;

/** What is read at once. */
export const BLOCK_BYTES = 512 * 1024;

/** A longer line may be cut: its beginning is given out, and the rest of it skipped. */
export const MAX_LINE_BYTES = 512 * 1024;

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
 * There are two buffers, so that one can be filled while the chunk in the other is looked at: a chunk
 * is valid until `take` is called again.
 */
export class LineAssembler {
  /** Each has room for a line that has begun, and after it for a block. */
  #current = Buffer.allocUnsafeSlow(MAX_LINE_BYTES + BLOCK_BYTES);
  #next = Buffer.allocUnsafeSlow(MAX_LINE_BYTES + BLOCK_BYTES);
  /** The line that has begun, in `#current`. */
  #start = MAX_LINE_BYTES;
  #end = MAX_LINE_BYTES;
  /** Inside of a line whose beginning was given out cut. */
  #skipping = false;

  space(): Buffer {
    return this.#next.subarray(MAX_LINE_BYTES);
  }

  /** `bytes` bytes were put into `space()`; gives the lines that they complete. */
  take(bytes: number): Chunk | undefined {
    const begun = this.#current.subarray(this.#start, this.#end);
    [this.#current, this.#next] = [this.#next, this.#current];
    this.#start = MAX_LINE_BYTES - begun.length;
    this.#end = MAX_LINE_BYTES + bytes;
    this.#current.set(begun, this.#start);
    if (this.#skipping) this.#skip();
    const added = this.#current.subarray(MAX_LINE_BYTES, this.#end);
    const last = this.#skipping ? -1 : added.lastIndexOf(LF);
    if (last >= 0) return this.#give(MAX_LINE_BYTES + last + 1, false);
    if (this.#end - this.#start <= MAX_LINE_BYTES) return undefined;
    this.#skipping = true;
    return this.#give(this.#end, true);
  }

  /** At the end of a file: the last line, if nothing ended it. */
  rest(): Chunk | undefined {
    this.#skipping = false;
    return this.#start === this.#end ? undefined : this.#give(this.#end, false);
  }

  #skip(): void {
    const lineEnd = this.#current.subarray(this.#start, this.#end).indexOf(LF);
    this.#skipping = lineEnd < 0;
    this.#start = this.#skipping ? this.#end : this.#start + lineEnd + 1;
  }

  #give(end: number, cut: boolean): Chunk | undefined {
    const chunk = { buffer: this.#current, start: this.#start, end, cut };
    this.#start = end;
    return chunk.start < chunk.end ? chunk : undefined;
  }
}

/**
 * The lines of an open file from `start`, where one begins, up to `size`. The next block is read while one is looked at.
 * What nothing has ended is left in `lines`. Throws when the file was cut short meanwhile.
 */
export async function* chunksOf(fd: number, size: number, lines: LineAssembler, start = 0): AsyncGenerator<Chunk> {
  let position = start;
  const readNext = (): Promise<{ bytesRead: number }> => {
    const bytes = Math.min(BLOCK_BYTES, size - position);
    return readAsync(fd, lines.space(), 0, bytes, position);
  };
  let reading = readNext();
  try {
    for (;;) {
      const { bytesRead } = await reading;
      if (bytesRead === 0 && position < size) throw new Error('it was emptied while it was read');
      if (bytesRead === 0) break;
      position += bytesRead;
      const chunk = lines.take(bytesRead);
      reading = readNext();
      if (chunk !== undefined) yield chunk;
    }
  } finally {
    // Whoever stops early may close the file next.
    await reading;
  }
}

/** The lines of a stream of bytes, such as a file that is being unpacked. What nothing has ended is left in `lines`. */
export async function* chunksOfStream(stream: AsyncIterable<Buffer>, lines: LineAssembler): AsyncGenerator<Chunk> {
  for await (const piece of stream) {
    for (let at = 0; at < piece.length; ) {
      const copied = piece.copy(lines.space(), 0, at);
      at += copied;
      const chunk = lines.take(copied);
      if (chunk !== undefined) yield chunk;
    }
  }
}

const FIRST_BLOCK_BYTES = 64 * 1024;

/**
 * The lines of an open file from its last chunk to its first (within a chunk in the order of the
 * file), so that the last lines of 1 GiB cost a few reads.
 */
export function* chunksFromEnd(fd: number, size: number): Generator<Chunk> {
  // Room for a block and, after it, for the line that began in it and ends in the block read before.
  const buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES + MAX_LINE_BYTES);
  let blockBytes = FIRST_BLOCK_BYTES;
  let tail: Buffer = Buffer.alloc(0);
  for (let position = size; position > 0; ) {
    const bytes = Math.min(blockBytes, position);
    const kept = Math.min(tail.length, MAX_LINE_BYTES);
    // A line that is too long loses its end, as it does when the file is read forward.
    const cut = tail.length > MAX_LINE_BYTES;
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
    blockBytes = Math.min(2 * blockBytes, BLOCK_BYTES);
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
