/**
 * Sends the time on schedule for as long as it is asked to, over one connection after another. What it could not send
 * in time is missed, never sent late: a stamp that waited would tell of the network, not of the clock.
 */
import type { Timers } from '@small-servers/shared/clock/timers';
import { backoffMs } from './backoff.ts';
import { isoStamp, plainStamp } from './stamp-text.ts';
import type { SteadyClock } from './steady-clock.ts';
import { Ticker } from './ticker.ts';

/** A connection as the sender needs it. */
export interface Line {
  readonly unsentBytes: number;
  write(text: string): void;
  /** Ends our side. */
  end(): void;
}

export interface LineEvents {
  /** The server's own words, without their line end. */
  onLine(line: string): void;
  /** Once, however it ended; an error only when there was one. */
  onClosed(error?: Error): void;
}

export type SendEvent =
  | { readonly kind: 'sent'; readonly seq: number; readonly stamp: string }
  | { readonly kind: 'refused'; readonly line: string }
  | { readonly kind: 'disconnected'; readonly why: string }
  | { readonly kind: 'waiting'; readonly attempt: number; readonly waitMs: number; readonly why: string }
  | { readonly kind: 'reconnected'; readonly missed: number; readonly firstSeq: number; readonly lastSeq: number }
  | { readonly kind: 'clock-stepped'; readonly stepMs: number };

export interface SenderOptions {
  readonly clock: SteadyClock;
  readonly timers: Timers;
  readonly intervalMs: number;
  readonly format: 'iso' | 'plain';
  /** 0 for no end. */
  readonly count: number;
  /** 0 for never. */
  readonly giveUpAfterMs: number;
  readonly signal: AbortSignal;
  /** Rejects with an AppError. */
  connect(events: LineEvents): Promise<Line>;
  /** From 0 to 1. */
  random(): number;
  onEvent(event: SendEvent): void;
}

export interface SendReport {
  readonly sent: number;
  readonly missed: number;
  /** Lines of the server that began with ERR. */
  readonly refused: number;
  readonly reconnects: number;
  /** The longest time that a stamp left after its moment: this program's own delay. */
  readonly maxLatenessMs: number;
  readonly steps: number;
  /** Why it ended early: the server stayed away for --give-up-after. */
  readonly gaveUp?: string;
}

/** A server that takes nothing for so long gets nothing more until it does. */
const MAX_WAITING_BYTES = 16 * 1024;

export class Sender {
  readonly #options: SenderOptions;
  readonly #done = Promise.withResolvers<void>();
  #line: Line | undefined;
  #seq = 0;
  #sent = 0;
  #missed = 0;
  #refused = 0;
  #reconnects = 0;
  #steps = 0;
  #maxLatenessMs = 0;
  /** The first number that was not sent since the connection was lost. */
  #firstMissedSeq: number | undefined;
  #cancelRetry: () => void = () => {};
  #awaySinceMs = 0;
  #gaveUp: string | undefined;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /**
   * Connects, then sends until the count, the signal or a server that stays away ends it.
   *
   * @throws AppError of `connect` when nobody answers at the start
   */
  async run(): Promise<SendReport> {
    const { clock, timers, intervalMs, signal } = this.#options;
    this.#line = await this.#connect();
    const stop = (): void => this.#done.resolve();
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    const ticker = new Ticker({
      clock,
      timers,
      intervalMs,
      onTick: (dueMs, now, skipped) => {
        this.#miss(skipped);
        this.#maxLatenessMs = Math.max(this.#maxLatenessMs, now.wallMs - dueMs);
        this.#send(now);
      },
      onStep: (stepMs) => {
        this.#steps += 1;
        this.#options.onEvent({ kind: 'clock-stepped', stepMs });
      },
    });
    try {
      await this.#done.promise;
    } finally {
      ticker.stop();
      this.#cancelRetry();
      signal.removeEventListener('abort', stop);
      const line = this.#line;
      this.#line = undefined;
      line?.end();
    }
    return {
      sent: this.#sent,
      missed: this.#missed,
      refused: this.#refused,
      reconnects: this.#reconnects,
      maxLatenessMs: Math.round(this.#maxLatenessMs * 1000) / 1000,
      steps: this.#steps,
      ...(this.#gaveUp === undefined ? {} : { gaveUp: this.#gaveUp }),
    };
  }

  #send(now: { readonly wallMs: number; readonly monoMs: number }): void {
    const { format, count, onEvent } = this.#options;
    const line = this.#line;
    if (line === undefined || line.unsentBytes > MAX_WAITING_BYTES) {
      this.#miss(1);
      return;
    }
    const stamp = format === 'plain' ? plainStamp(now) : isoStamp(now, this.#seq);
    line.write(stamp);
    onEvent({ kind: 'sent', seq: this.#seq, stamp: stamp.trimEnd() });
    this.#seq += 1;
    this.#sent += 1;
    if (this.#sent === count) this.#done.resolve();
  }

  #miss(stamps: number): void {
    if (stamps === 0) return;
    if (this.#line === undefined) this.#firstMissedSeq ??= this.#seq;
    this.#seq += stamps;
    this.#missed += stamps;
  }

  #connect(): Promise<Line> {
    return this.#options.connect({
      onLine: (line) => {
        if (!line.startsWith('ERR')) return;
        this.#refused += 1;
        this.#options.onEvent({ kind: 'refused', line });
      },
      onClosed: (error) => this.#lost(error),
    });
  }

  #lost(error: Error | undefined): void {
    if (this.#line === undefined) return;
    this.#line = undefined;
    const why = error?.message ?? 'the server ended the connection';
    this.#options.onEvent({ kind: 'disconnected', why });
    this.#awaySinceMs = this.#options.clock.now().monoMs;
    this.#retry(0, why);
  }

  #retry(attempt: number, why: string): void {
    const { timers, clock, random, giveUpAfterMs, onEvent, signal } = this.#options;
    if (signal.aborted) return;
    const awayMs = clock.now().monoMs - this.#awaySinceMs;
    if (giveUpAfterMs > 0 && awayMs >= giveUpAfterMs) {
      this.#gaveUp = `${why}; gave up after ${Math.round(awayMs / 1000)} s`;
      this.#done.resolve();
      return;
    }
    const waitMs = backoffMs(attempt, random());
    onEvent({ kind: 'waiting', attempt: attempt + 1, waitMs, why });
    this.#cancelRetry = timers.after(waitMs / 1000, () => void this.#reconnect(attempt));
  }

  async #reconnect(attempt: number): Promise<void> {
    try {
      const line = await this.#connect();
      if (this.#options.signal.aborted) {
        line.end();
        return;
      }
      this.#line = line;
    } catch (error) {
      this.#retry(attempt + 1, error instanceof Error ? error.message : String(error));
      return;
    }
    this.#reconnects += 1;
    const firstSeq = this.#firstMissedSeq ?? this.#seq;
    this.#firstMissedSeq = undefined;
    const missed = this.#seq - firstSeq;
    this.#options.onEvent({ kind: 'reconnected', missed, firstSeq, lastSeq: this.#seq - 1 });
  }
}
