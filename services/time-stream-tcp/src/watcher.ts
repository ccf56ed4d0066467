/**
 * Listens to a server's stream. A line alone only says that their clock was at least so far when it left; so each is
 * followed by a question whose round trip bounds the error of the offset.
 */
import type { Timers } from '@small-servers/shared/clock/timers';
import { AppError } from '@small-servers/shared/errors';
import { type Exchange, exchangeOf } from './exchange.ts';
import type { Line, LineEvents } from './sender.ts';
import { CORE_BYTES, matchCore, parseStamp, type Stamp } from './stamp.ts';
import type { Moment, SteadyClock } from './steady-clock.ts';

export interface WatchedLine extends Exchange {
  /** Their time as they wrote it. */
  readonly time: string;
  /** Of the line among those of this stream; `undefined` for a single question. */
  readonly seq: number | undefined;
}

export interface WatcherOptions {
  readonly clock: SteadyClock;
  readonly timers: Timers;
  readonly timeoutMs: number;
  /** Lines to wait for; 0 for no end. */
  readonly count: number;
  /** One question, and no stream. */
  readonly now: boolean;
  readonly signal: AbortSignal;
  /** Names the far end in errors. */
  readonly target: string;
  /** Rejects with an AppError. */
  connect(events: LineEvents & { onRead(): void }): Promise<Line>;
  onLine(line: WatchedLine): void;
  /** Their wall clock was set. */
  onStep(stepMs: number): void;
}

const STEP = /^STEP ([+-]\d{1,15}(?:\.\d{1,9})?)$/;

/** A server that is no time stream may say anything; so much of it is shown. */
const SHOWN_CHARACTERS = 60;

export class Watcher {
  readonly #options: WatcherOptions;
  readonly #done = Promise.withResolvers<void>();
  #line: Line | undefined;
  #readAt: Moment;
  #askedAt: Moment | undefined;
  /** A line of the stream that waits for the answer which bounds it. */
  #waiting: Stamp | undefined;
  #lines = 0;
  #cancelTimeout: () => void = () => {};

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#readAt = options.clock.now();
  }

  /**
   * Resolves when the count or the signal ends it.
   *
   * @throws AppError of `connect`; NOT_A_TIME_STREAM, CONNECTION_LOST, CONNECTION_TIMED_OUT
   */
  async run(): Promise<void> {
    const { clock, signal, now, target } = this.#options;
    const stop = (): void => this.#done.resolve();
    this.#line = await this.#options.connect({
      onRead: () => {
        this.#readAt = clock.now();
      },
      onLine: (line) => this.#read(line),
      onClosed: (error) => {
        const message = error?.message ?? `${target}: the server ended the connection; its log says why`;
        this.#done.reject(new AppError('CONNECTION_LOST', message, { cause: error }));
      },
    });
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    if (now) this.#ask();
    else this.#line.write('WATCH\n');
    this.#expectSomething();
    try {
      await this.#done.promise;
    } finally {
      signal.removeEventListener('abort', stop);
      this.#cancelTimeout();
      this.#line.end();
    }
  }

  #ask(): void {
    if (this.#askedAt !== undefined) return;
    this.#askedAt = this.#options.clock.now();
    this.#line?.write('TIME\n');
  }

  #read(text: string): void {
    this.#expectSomething();
    const step = STEP.exec(text);
    if (step !== null) {
      this.#options.onStep(Number(step[1]) * 1000);
      return;
    }
    const bytes = Buffer.from(text, 'latin1');
    const isStamp = matchCore(bytes, 0, bytes.length) === CORE_BYTES;
    const stamp = isStamp ? parseStamp(bytes, 0, bytes.length) : undefined;
    if (stamp === undefined || 'problem' in stamp || stamp.zoneOffsetMs === undefined) {
      const { target } = this.#options;
      const shown = JSON.stringify(text.slice(0, SHOWN_CHARACTERS));
      const message = `${target}: answered ${shown}; this is no time stream`;
      this.#done.reject(new AppError('NOT_A_TIME_STREAM', message));
      return;
    }
    // Lines of the stream are numbered, answers are not.
    if (stamp.seq === undefined) this.#answered(stamp);
    else {
      this.#waiting = stamp;
      this.#ask();
    }
  }

  #answered(answer: Stamp): void {
    const asked = this.#askedAt;
    if (asked === undefined) return;
    this.#askedAt = undefined;
    const theirsMs = answer.fieldsMs - (answer.zoneOffsetMs ?? 0);
    const exchange = exchangeOf(asked, theirsMs, this.#readAt, answer.resolutionMs);
    const shown = this.#waiting ?? answer;
    this.#waiting = undefined;
    this.#options.onLine({ time: shown.text, seq: shown.seq, ...exchange });
    this.#lines += 1;
    if (this.#options.now || this.#lines === this.#options.count) this.#done.resolve();
  }

  #expectSomething(): void {
    const { timers, timeoutMs, target } = this.#options;
    this.#cancelTimeout();
    this.#cancelTimeout = timers.after(timeoutMs / 1000, () => {
      const message = `${target}: nothing came for ${timeoutMs} ms`;
      this.#done.reject(new AppError('CONNECTION_TIMED_OUT', message));
    });
  }
}
