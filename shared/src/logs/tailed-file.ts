/** A file that is being written, read as it grows. */
import { closeSync, fstatSync, readSync } from 'node:fs';
import { type Chunk, LineAssembler } from './chunks.ts';
import type { LogFile } from './files.ts';

/** A log begins with a record and its time: so much of it tells one content of a file from the next. */
const HEAD_BYTES = 256;

/** Read in one go, so that a reader who was stopped for an hour does not hold an hour of lines in memory. */
const MAX_READ_BYTES = 4 * 1024 ** 2;

export class TailedFile {
  readonly identity: string;
  readonly path: string;
  /** When it is given up, in milliseconds of the follower's clock; unset while it is the live file. */
  endsMs: number | undefined;
  readonly #fd: number;
  readonly #lines = new LineAssembler();
  #position: number;
  #head: Buffer;

  /** Takes over the descriptor of the file. `position` is where a line begins. */
  constructor({ fd, identity, path }: Pick<LogFile, 'fd' | 'identity' | 'path'>, position: number) {
    this.#fd = fd;
    this.identity = identity;
    this.path = path;
    this.#position = position;
    this.#head = readHead(fd, position);
  }

  get position(): number {
    return this.#position;
  }

  /** Calls `onChunk` with what was added since, and gives whether that was all. */
  read(onChunk: (chunk: Chunk) => void): boolean {
    return this.#readFrom(this.#fd, MAX_READ_BYTES, onChunk);
  }

  /** Goes on to the end of a copy of this file, from where this one was read to. */
  readCopy(fd: number, onChunk: (chunk: Chunk) => void): void {
    this.#readFrom(fd, Number.POSITIVE_INFINITY, onChunk);
  }

  #readFrom(fd: number, maxBytes: number, onChunk: (chunk: Chunk) => void): boolean {
    const goal = this.#position + maxBytes;
    while (this.#position < goal) {
      const bytes = readSync(fd, this.#lines.space(), { position: this.#position });
      if (bytes === 0) return true;
      this.#position += bytes;
      const chunk = this.#lines.take(bytes);
      if (chunk !== undefined) onChunk(chunk);
    }
    return false;
  }

  /** The last line, if nothing ended it. */
  rest(): Chunk | undefined {
    return this.#lines.rest();
  }

  /** Whether the content that was read is gone: the file was emptied, and may have grown again since. */
  wasTruncated(): boolean {
    const { size } = fstatSync(this.#fd);
    if (size < this.#position) return true;
    if (this.#head.length < HEAD_BYTES) {
      // The head is not complete yet; what there was of it must not have changed.
      const head = readHead(this.#fd, Math.min(size, this.#position));
      if (!head.subarray(0, this.#head.length).equals(this.#head)) return true;
      this.#head = head;
      return false;
    }
    return !readHead(this.#fd, HEAD_BYTES).equals(this.#head);
  }

  /** Whether another file begins with what was read of this one: a copy made before it was emptied. */
  isCopy(fd: number, size: number): boolean {
    return size >= this.#position && this.#head.length > 0 && readHead(fd, this.#head.length).equals(this.#head);
  }

  /** From the beginning again, after the file was emptied. */
  rewind(): void {
    this.#position = 0;
    this.#head = Buffer.alloc(0);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function readHead(fd: number, size: number): Buffer {
  const head = Buffer.alloc(Math.min(size, HEAD_BYTES));
  return head.subarray(0, head.length === 0 ? 0 : readSync(fd, head, { position: 0 }));
}
