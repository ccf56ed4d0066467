/**
 * Lines to a descriptor, with as few system calls as losing nothing allows (docs/performance/log-writing.md has what
 * other ways cost).
 *
 * A line after a pause is written at once, and so is an urgent one. Those that follow within 5 ms are collected and
 * written together: when the time is over; when there are many; and at `flush`, which an exit and a crash call. So a
 * quiet server writes each line as it comes, a busy one writes 200 times a second. What ends a process without a word
 * (SIGKILL, a failure of the machine's memory or of Node itself) takes along what is collected, unless the store that
 * it is collected in outlives the process.
 */
import { type LineStore, ordinaryStore } from './line-store.ts';

/** How long lines are collected. */
const BATCH_MS = 5;

/** Collected lines are written when they are this long. */
const BATCH_BYTES = 64 * 1024;

/** A UTF-16 unit becomes so many bytes of UTF-8 at most. */
const MAX_BYTES_A_UNIT = 3;

/** The first retry comes at once, for a reader that is only slow; later ones come ever later, up to the last. */
const FIRST_RETRY_MS = 1;
const LAST_RETRY_MS = 50;

/**
 * When no more can be kept, and at an exit, the process waits for its reader: a slow one slows it down, and nothing is
 * lost. One that takes nothing in this time (a full disk, a reader that was stopped) costs lines and no more time.
 */
const PATIENCE_MS = 250;

/** Nothing ever wakes it: waiting on it is sleeping. */
const sleepCell = new Int32Array(new SharedArrayBuffer(4));

export interface LineWriterOptions {
  /** write(2): how many bytes were taken; throws what the system says. */
  readonly write: (bytes: Uint8Array) => number;
  readonly store?: LineStore;
  /** Collects nothing: every line is written as it comes. */
  readonly eachLine?: boolean;
  /** Called when lines can be written again, with how many were lost meanwhile. */
  readonly onLost?: (lines: number) => void;
}

export class LineWriter {
  readonly #write: (bytes: Uint8Array) => number;
  readonly #store: LineStore;
  readonly #batchBytes: number;
  readonly #onLost: ((lines: number) => void) | undefined;
  /** What has not been written, in the store. */
  #start = 0;
  #end = 0;
  #batch: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = FIRST_RETRY_MS;
  /** Patience is over until something is taken again. */
  #stuck = false;
  #lost = 0;

  constructor({ write, store = ordinaryStore(), eachLine = false, onLost }: LineWriterOptions) {
    this.#write = write;
    this.#store = store;
    this.#batchBytes = eachLine ? 0 : BATCH_BYTES;
    this.#onLost = onLost;
  }

  /** @param line with its line feed */
  write(line: string, urgent = false): void {
    const { bytes } = this.#store;
    if (this.#end + line.length * MAX_BYTES_A_UNIT > bytes.length && !this.#makeRoom(Buffer.byteLength(line))) {
      this.#lost += 1;
      return;
    }
    this.#end += bytes.write(line, this.#end);
    this.#store.hold(this.#start, this.#end);
    if (this.#retry !== undefined) return;
    if (this.#batch === undefined) {
      this.#batch = setTimeout(this.#endBatch, BATCH_MS);
      this.flush();
    } else if (urgent || this.#end - this.#start >= this.#batchBytes) {
      this.flush();
    }
  }

  readonly #endBatch = (): void => {
    const quiet = this.#start === this.#end;
    this.#batch = quiet ? undefined : this.#batch?.refresh();
    if (this.#retry === undefined) this.flush();
  };

  /** Writes what was collected, as far as the descriptor takes it; the rest is tried again soon. Never throws. */
  flush(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    if (this.#start === this.#end) return;
    if (!this.#writeOut()) {
      this.#retry = setTimeout(() => this.flush(), this.#retryMs).unref();
      this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2);
      return;
    }
    this.#retryMs = FIRST_RETRY_MS;
    this.#stuck = false;
    if (this.#lost === 0) return;
    const lost = this.#lost;
    this.#lost = 0;
    this.#onLost?.(lost);
  }

  /** For the end of the process: waits for a slow reader. pino calls it for `fatal`. False when lines are left. */
  flushSync(): boolean {
    return this.#waitUntilWritten();
  }

  /** Whether a line of that length fits now, which a slow reader is waited for. */
  #makeRoom(lineBytes: number): boolean {
    const { bytes } = this.#store;
    if (this.#end - this.#start + lineBytes > bytes.length && !this.#waitUntilWritten()) return false;
    if (this.#end + lineBytes <= bytes.length) return true;
    bytes.copyWithin(0, this.#start, this.#end);
    this.#moveTo(0, this.#end - this.#start);
    return this.#end + lineBytes <= bytes.length;
  }

  #waitUntilWritten(): boolean {
    for (let waitedMs = 0; ; waitedMs += 1) {
      this.flush();
      if (this.#retry === undefined) return true;
      this.#stuck ||= waitedMs >= PATIENCE_MS;
      if (this.#stuck) return false;
      Atomics.wait(sleepCell, 0, 0, 1);
    }
  }

  #writeOut(): boolean {
    const { bytes } = this.#store;
    try {
      while (this.#start < this.#end) {
        this.#moveTo(this.#start + this.#write(bytes.subarray(this.#start, this.#end)), this.#end);
      }
      this.#moveTo(0, 0);
      return true;
    } catch {
      // EAGAIN (a reader that sleeps), ENOSPC, EPIPE: nothing that should end a service.
      return false;
    }
  }

  #moveTo(start: number, end: number): void {
    this.#start = start;
    this.#end = end;
    this.#store.hold(start, end);
  }
}
