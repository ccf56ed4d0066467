/**
 * What the stamps of one client tell of its clock. Pure, and of bounded size however long the client stays.
 *
 * Everything is measured against the server's monotonic clock, which nobody sets; the wall clock comes in where an
 * offset is told to somebody. docs/protocols/time-stream.md has the arithmetic and its bounds.
 */
import { type Drift, OffsetWindow } from './offset-window.ts';
import { SecondsTrack } from './seconds.ts';
import { type Arrival, SequenceTrack } from './sequence.ts';
import type { Moment } from './steady-clock.ts';
import { type Reading, type Step, StepDetector } from './steps.ts';

/** RFC 3550 section 6.4.1: each difference counts a sixteenth. */
const JITTER_SHARE = 1 / 16;

export interface TrackedStamp {
  /** What the client's clock showed, milliseconds since 1970. */
  readonly clientMs: number;
  readonly resolutionMs: number;
  readonly seq: number | undefined;
  readonly clientMonoMs: number | undefined;
}

export interface Judgement {
  /** How the sequence number fits; `next` without one. A stamp that is no next one says nothing of the clock. */
  readonly arrival: Arrival;
  readonly step: Step | undefined;
}

/** What there is to say of a client's clock. */
export interface ClockSummary {
  readonly stamps: number;
  /** Client's clock less server's, by the recent stamp that was delayed least. It may be more, not less, by the delay. */
  readonly offsetMs: number;
  /** The true offset may also be larger by this: what the stamps leave out after their last digit. */
  readonly resolutionMs: number;
  readonly drift: Drift | undefined;
  readonly jitterMs: number;
  readonly missedSeconds: number;
  readonly seqMissing: number;
  readonly seqDuplicates: number;
  readonly seqReordered: number;
  readonly steps: number;
}

export class ClockTrack {
  #stamps = 0;
  #steps = 0;
  #window = new OffsetWindow();
  /** Of the clock before it was set last; its rate is the same. */
  #driftBefore: Drift | undefined;
  readonly #detector = new StepDetector();
  readonly #seconds = new SecondsTrack();
  #sequence: SequenceTrack | undefined;
  #lastOffsetMs: number | undefined;
  #jitterMs = 0;
  /** The client's wall clock less its monotonic clock at its first stamp. */
  #firstDistanceMs: number | undefined;

  get stamps(): number {
    return this.#stamps;
  }

  get steps(): number {
    return this.#steps;
  }

  /**
   * By how much the client's clock was set since its first stamp, as its monotonic clock has it; `undefined` without
   * one.
   */
  setMs({ clientMs, clientMonoMs }: TrackedStamp): number | undefined {
    if (clientMonoMs === undefined) return undefined;
    this.#firstDistanceMs ??= clientMs - clientMonoMs;
    return clientMs - clientMonoMs - this.#firstDistanceMs;
  }

  /** @param atMs when it arrived, on the server's monotonic clock */
  add(stamp: TrackedStamp, atMs: number): Judgement {
    this.#stamps += 1;
    const arrival = stamp.seq === undefined ? 'next' : this.#placeOf(stamp.seq);
    if (arrival !== 'next') return { arrival, step: undefined };

    const { clientMs, resolutionMs, clientMonoMs } = stamp;
    const reading: Reading = { clientMs, resolutionMs, clientMonoMs, atMs };
    const step = this.#detector.judge(reading, this.#window.best(atMs));
    if (step !== undefined) this.#startOver();
    const offsetMs = clientMs - atMs;
    this.#seconds.add(clientMs);
    this.#window.add(atMs, offsetMs, resolutionMs);
    if (this.#lastOffsetMs !== undefined) {
      this.#jitterMs += (Math.abs(offsetMs - this.#lastOffsetMs) - this.#jitterMs) * JITTER_SHARE;
    }
    this.#lastOffsetMs = offsetMs;
    return { arrival, step };
  }

  /** The best known offset to the server's wall clock; `undefined` before the first stamp. */
  offsetMs({ wallMs, monoMs }: Moment): number | undefined {
    return this.#lastOffsetMs === undefined ? undefined : this.#window.best(monoMs) + monoMs - wallMs;
  }

  get resolutionMs(): number {
    return this.#window.resolutionMs;
  }

  summary(now: Moment): ClockSummary {
    return {
      stamps: this.#stamps,
      offsetMs: this.offsetMs(now) ?? 0,
      resolutionMs: this.#window.resolutionMs,
      drift: this.#window.drift() ?? this.#driftBefore,
      jitterMs: this.#jitterMs,
      missedSeconds: this.#seconds.missed,
      seqMissing: this.#sequence?.missing ?? 0,
      seqDuplicates: this.#sequence?.duplicates ?? 0,
      seqReordered: this.#sequence?.reordered ?? 0,
      steps: this.#steps,
    };
  }

  #placeOf(seq: number): Arrival {
    this.#sequence ??= new SequenceTrack();
    return this.#sequence.add(seq);
  }

  /** What was measured against the clock as it was goes. */
  #startOver(): void {
    this.#steps += 1;
    this.#driftBefore = this.#window.drift() ?? this.#driftBefore;
    this.#window = new OffsetWindow();
    this.#seconds.restart();
    this.#lastOffsetMs = undefined;
  }
}
