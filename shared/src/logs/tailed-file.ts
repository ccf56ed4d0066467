/** A file that is being written, read as it grows. */
import { closeSync, fstatSync, readSync } from 'node:fs';
import { type Chunk, LineAssembler } from './chunks.ts';
import { HEAD_BYTES, type LogFile } from './files.ts';

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
  constructor({ fd, identity, path, head }: LogFile, position: number) {
    this.#fd = fd;
    this.identity = identity;
    this.path = path;
    this.#position = position;
    this.#head = head.subarray(0, position);
  }

  get position(): number {
    return this.#position;
  }

  /** Calls `onChunk` with what was added since, and gives whether that was all. */
  read(onChunk: (chunk: Chunk) => void): boolean {
    return this.#readFrom(this.#fd, MAX_READ_BYTES, onChunk);
  }

  /** Goes on to the end of a copy of this file, from where this one was read to. */
  readCopy({ fd }: Pick<LogFile, 'fd'>, onChunk: (chunk: Chunk) => void): void {
    this.#readFrom(fd, Number.POSITIVE_INFINITY, onChunk);
  }

  #readFrom(fd: number, maxBytes: number, onChunk: (chunk: Chunk) => void): boolean {
    const goal = this.#position + maxBytes;
    while (this.#position < goal) {
      const space = this.#lines.space();
      const bytes = readSync(fd, space, { position: this.#position });
      if (bytes === 0) return true;
      // From what was read, not from the file: that may have been emptied in between.
      if (this.#position < HEAD_BYTES)
        this.#head = Buffer.concat([this.#head, space.subarray(0, bytes)]).subarray(0, HEAD_BYTES);
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
    return size < this.#position || !readHead(this.#fd, this.#head.length).equals(this.#head);
  }

  /** Whether another file begins with what was read of this one: a copy, made before this one was emptied. */
  isCopied({ fd }: Pick<LogFile, 'fd'>): boolean {
    return fstatSync(fd).size >= this.#position && readHead(fd, this.#head.length).equals(this.#head);
  }

  /** Whether another file is, or may become, a copy of this one as it is now. */
  beginsLike({ fd }: Pick<LogFile, 'fd'>): boolean {
    const copied = readHead(fd, HEAD_BYTES);
    return readHead(this.#fd, copied.length).equals(copied);
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
