/**
 * A file's bytes on their way to a peer: read ahead into blocks while those before are written, summed on the way.
 * Exactly the promised bytes are written, or an error is thrown and the connection must be reset.
 */
import { crc32 } from 'node:zlib';
import { BLOCK_BYTES, type BlockPool, type Lent, lend, SMALL_BLOCK_BYTES } from './block-pool.ts';
import type { OpenedFile } from './store/store.ts';
import type { Turn } from './turn.ts';

/** Blocks of one connection: one is read while two wait for the peer. */
const MOST_BLOCKS = 3;

/** A block that took longer than this to leave went to a slow peer, which is as well served by small ones. */
const SLOW_BLOCK_MS = 250;

/** The file ended before its promised bytes did. */
export class FileShrank extends Error {
  override readonly name = 'FileShrank';
}

export interface Outlet {
  /** The connection is gone: nothing more need be read. */
  isGone(): boolean;
  write(bytes: Uint8Array, done: () => void): void;
}

export interface DownloadRequest {
  readonly file: OpenedFile;
  readonly offset: number;
  readonly lengthBytes: number;
  /** Whether the crc32 of the bytes is wanted: it costs as much as all the rest. */
  readonly sum: boolean;
}

/** Fills `target` from the file. @throws FileShrank */
export async function readFully(file: OpenedFile, target: Buffer, offset: number): Promise<void> {
  let filled = 0;
  while (filled < target.length) {
    const got = await file.read(filled === 0 ? target : target.subarray(filled), offset + filled);
    if (got === 0) throw new FileShrank(`the file ended at ${offset + filled}`);
    filled += got;
  }
}

/** The blocks of one connection. */
export class Downloader {
  readonly #outlet: Outlet;
  readonly #pool: BlockPool;
  readonly #turn: Turn;
  readonly #clock: () => number;
  /** Of the last `send`: bytes that the kernel has taken. */
  takenBytes = 0;
  /** Bytes were promised that are not written yet: nothing else may be. */
  owes = false;
  #out = 0;
  #slow = false;
  #wake: (() => void) | undefined;

  constructor(outlet: Outlet, pool: BlockPool, turn: Turn, clock: () => number) {
    this.#outlet = outlet;
    this.#pool = pool;
    this.#turn = turn;
    this.#clock = clock;
  }

  /**
   * Resolves when the last byte was handed to the socket, to the crc32 of all (0 if not asked for); to undefined if the
   * peer was gone before that.
   *
   * @throws FileShrank, and what reading the file throws.
   */
  async send(request: DownloadRequest): Promise<number | undefined> {
    this.owes = true;
    try {
      return await this.#send(request);
    } finally {
      this.owes = false;
    }
  }

  async #send({ file, offset, lengthBytes, sum }: DownloadRequest): Promise<number | undefined> {
    let crc = 0;
    let sent = 0;
    this.takenBytes = 0;
    while (sent < lengthBytes) {
      if (this.#outlet.isGone()) return undefined;
      if (this.#turn.isOver) {
        await this.#turn.next();
        continue;
      }
      if (this.#out >= (this.#slow ? 1 : MOST_BLOCKS)) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      const left = lengthBytes - sent;
      const block = this.#take(this.#slow ? Math.min(left, SMALL_BLOCK_BYTES) : left);
      const bytes = left < block.bytes.length ? block.bytes.subarray(0, left) : block.bytes;
      try {
        await readFully(file, bytes, offset + sent);
      } catch (error) {
        this.#giveBack(block);
        throw error;
      }
      if (sum) crc = crc32(bytes, crc);
      sent += bytes.length;
      const startedMs = this.#clock();
      this.#outlet.write(bytes, () => {
        if (!this.#outlet.isGone()) this.takenBytes += bytes.length;
        this.#slow = this.#clock() - startedMs > SLOW_BLOCK_MS;
        this.#giveBack(block);
      });
    }
    return crc;
  }

  /**
   * Reads without sending: `visit` sees the bytes in order. The memory is used again after each call. Resolves to
   * whether it saw all of them: there is no need once the peer is gone.
   */
  async scan(file: OpenedFile, lengthBytes: number, visit: (bytes: Buffer) => void): Promise<boolean> {
    const block = this.#take(Math.min(lengthBytes, BLOCK_BYTES));
    try {
      let seen = 0;
      while (seen < lengthBytes) {
        if (this.#outlet.isGone()) return false;
        if (this.#turn.isOver) await this.#turn.next();
        const bytes = block.bytes.subarray(0, Math.min(block.bytes.length, lengthBytes - seen));
        await readFully(file, bytes, seen);
        visit(bytes);
        seen += bytes.length;
      }
      return true;
    } finally {
      this.#giveBack(block);
    }
  }

  #take(wantedBytes: number): Lent {
    this.#out += 1;
    return lend(this.#pool, wantedBytes);
  }

  #giveBack(block: Lent): void {
    this.#out -= 1;
    block.release();
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
