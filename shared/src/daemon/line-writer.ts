/**
 * Lines to a descriptor, with as few system calls as losing nothing allows (docs/performance/log-writing.md has what
 * other ways cost).
 *
 * A line after a pause is written at once. Those that follow within 5 ms are collected and written together: when
 * the time is over; when there are many; and at `flush`, which an exit and a crash call. So a quiet server writes each
 * line as it comes, a busy one writes 200 times a second, and only what ends a process without a word (SIGKILL, the
 * system running out of memory) can take lines along: those of its last 5 ms, and of the turn of the event loop in
 * which it ended.
 */
import { writeSync } from 'node:fs';

/** How long lines are collected. */
const BATCH_MS = 5;

/** Collected lines are written when they are this long, in UTF-16 units. */
const BATCH_LENGTH = 64 * 1024;

/** What is kept of lines that can't be written now, in UTF-16 units; at most as much again waits as bytes. */
const MAX_UNWRITTEN_LENGTH = 1024 * 1024;

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
  readonly fd: number;
  /** Called when lines can be written again, with how many were lost meanwhile. */
  readonly onLost?: (lines: number) => void;
  /** write(2): how many bytes were taken; throws what the system says. */
  readonly write?: (fd: number, bytes: Uint8Array) => number;
}

export class LineWriter {
  readonly #fd: number;
  readonly #write: (fd: number, bytes: Uint8Array) => number;
  readonly #onLost: ((lines: number) => void) | undefined;
  #pending = '';
  /** Bytes that the descriptor did not take. */
  #rest: Uint8Array | undefined;
  #batch: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = FIRST_RETRY_MS;
  /** Patience is over until something is taken again. */
  #stuck = false;
  #lost = 0;

  constructor({ fd, onLost, write = writeSync }: LineWriterOptions) {
    this.#fd = fd;
    this.#write = write;
    this.#onLost = onLost;
  }

  /** @param line with its line feed */
  write(line: string): void {
    if (this.#pending.length + line.length > MAX_UNWRITTEN_LENGTH && !this.#waitUntilWritten()) {
      this.#lost += 1;
      return;
    }
    this.#pending += line;
    if (this.#retry !== undefined) return;
    if (this.#batch === undefined) {
      this.#batch = setTimeout(this.#endBatch, BATCH_MS);
      this.flush();
    } else if (this.#pending.length >= BATCH_LENGTH) {
      this.flush();
    }
  }

  readonly #endBatch = (): void => {
    const quiet = this.#pending === '';
    this.#batch = quiet ? undefined : this.#batch?.refresh();
    if (this.#retry === undefined) this.flush();
  };

  /** Writes what was collected, as far as the descriptor takes it; the rest is tried again soon. Never throws. */
  flush(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    if (this.#rest === undefined && this.#pending === '') return;
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

  /** For the end of the process: waits for a slow reader. pino calls it for `fatal`. */
  flushSync(): void {
    this.#waitUntilWritten();
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
    try {
      if (this.#rest !== undefined) this.#writeBytes(this.#rest);
      const bytes = Buffer.from(this.#pending);
      this.#pending = '';
      this.#writeBytes(bytes);
      return true;
    } catch {
      // EAGAIN (a reader that sleeps), ENOSPC, EPIPE: nothing that should end a service.
      return false;
    }
  }

  #writeBytes(bytes: Uint8Array): void {
    let left = bytes;
    while (left.length > 0) {
      this.#rest = left;
      left = left.subarray(this.#write(this.#fd, left));
    }
    this.#rest = undefined;
  }
}
