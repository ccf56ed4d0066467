/**
 * Whether a client's clock was set, told apart from stamps that were long under way. Pure.
 *
 * - The client's monotonic clock is the best witness: what its wall clock went beside it was set, whatever the network
 *   did.
 * - Without it: an offset that jumps up was set, since no delay makes an offset larger; so was a clock that shows an
 *   earlier time than before. A smaller set back looks like a delay at first, and counts when it stays for half a minute
 *   at one level; a queue that empties rises back.
 */

/** What the two clocks of a client may differ by between two stamps: they are read one after the other. */
const WITNESSED_STEP_MS = 10;
/** Without a witness, the step threshold of NTP (RFC 5905, STEPT). */
const UNWITNESSED_STEP_MS = 128;
/** As fast as a system slews its clock. */
const SLEWING_RATE = 500e-6;

/** How long, and for how many stamps, a delay must stay before it counts as a clock set back. */
const SETTLED_MS = 30_000;
const SETTLED_STAMPS = 8;

export interface Reading {
  /** What the client's clock showed, milliseconds since 1970. */
  readonly clientMs: number;
  readonly resolutionMs: number;
  /** The client's monotonic clock, if it sends it. */
  readonly clientMonoMs: number | undefined;
  /** When the stamp arrived, on the server's monotonic clock. */
  readonly atMs: number;
}

export interface Step {
  /** Forwards by a positive number of milliseconds. */
  readonly stepMs: number;
  /** `mono`: by the client's own monotonic clock; `arrival`: by when stamps arrived, so less sure by their delays. */
  readonly witness: 'mono' | 'arrival';
}

export class StepDetector {
  // The stamp before, as plain fields: an object for each stamp that lives until the next one is what a collector of
  // garbage likes least.
  #hasPrevious = false;
  #clientMs = 0;
  #resolutionMs = 0;
  /** NaN when it was not sent. */
  #clientMonoMs = Number.NaN;
  #atMs = 0;
  /** Since when stamps are late, how many, and within which range their offsets are. */
  #late: { readonly sinceMs: number; stamps: number; leastMs: number; mostMs: number } | undefined;

  /** @param bestMs the offset that was expected, of the recent stamp that was delayed least */
  judge(reading: Reading, bestMs: number): Step | undefined {
    const step = this.#hasPrevious ? (this.#witnessed(reading) ?? this.#byArrival(reading, bestMs)) : undefined;
    this.#hasPrevious = true;
    this.#clientMs = reading.clientMs;
    this.#resolutionMs = reading.resolutionMs;
    this.#clientMonoMs = reading.clientMonoMs ?? Number.NaN;
    this.#atMs = reading.atMs;
    if (step === undefined || step === 'none') return undefined;
    this.#late = undefined;
    return step;
  }

  /** `undefined` without a witness, `none` when it says that nothing was set. */
  #witnessed({ clientMs, resolutionMs, clientMonoMs }: Reading): Step | 'none' | undefined {
    if (clientMonoMs === undefined) return undefined;
    const elapsedMs = clientMonoMs - this.#clientMonoMs;
    // NaN when there was none; a monotonic clock that goes back is another machine's, or none.
    if (!(elapsedMs >= 0)) return undefined;
    const stepMs = clientMs - this.#clientMs - elapsedMs;
    // Two stamps that were cut off at different places differ by less than one unit of their last digit.
    const slackMs = WITNESSED_STEP_MS + SLEWING_RATE * elapsedMs + Math.max(resolutionMs, this.#resolutionMs);
    return Math.abs(stepMs) > slackMs ? { stepMs, witness: 'mono' } : 'none';
  }

  #byArrival({ clientMs, atMs, resolutionMs }: Reading, bestMs: number): Step | undefined {
    const coarsestMs = Math.max(this.#resolutionMs, resolutionMs);
    const slackMs = UNWITNESSED_STEP_MS + SLEWING_RATE * Math.max(0, atMs - this.#atMs);
    const offsetMs = clientMs - atMs;
    const jumpMs = offsetMs - bestMs;
    const wentBack = this.#clientMs - clientMs > UNWITNESSED_STEP_MS;
    if (jumpMs > slackMs + coarsestMs || wentBack) return { stepMs: jumpMs, witness: 'arrival' };
    if (jumpMs >= -slackMs - coarsestMs) {
      this.#late = undefined;
      return undefined;
    }
    this.#late ??= { sinceMs: atMs, stamps: 0, leastMs: offsetMs, mostMs: offsetMs };
    const late = this.#late;
    late.stamps += 1;
    late.leastMs = Math.min(late.leastMs, offsetMs);
    late.mostMs = Math.max(late.mostMs, offsetMs);
    const isLevel = late.mostMs - late.leastMs <= UNWITNESSED_STEP_MS + coarsestMs;
    if (!isLevel) this.#late = undefined;
    const settled = isLevel && late.stamps >= SETTLED_STAMPS && atMs - late.sinceMs >= SETTLED_MS;
    return settled ? { stepMs: late.mostMs - bestMs, witness: 'arrival' } : undefined;
  }
}
