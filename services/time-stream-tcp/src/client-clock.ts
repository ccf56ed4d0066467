/** What the stamps of one connection say of its client's clock: to the track, to the counters and to the log. */
import type { Log } from '@small-servers/shared/daemon/log';
import { RecordAllowance } from '@small-servers/shared/daemon/record-allowance';
import { ClockTrack, type TrackedStamp } from './clock-track.ts';
import type { Counters } from './counters.ts';
import { reportClock, reportStamp, reportStep, reportSummary, reportUnlogged, type Subject } from './records.ts';
import type { TimeStreamConfig } from './settings.ts';
import type { Stamp } from './stamp.ts';
import type { Moment, SteadyClock } from './steady-clock.ts';
import type { Zone } from './zones.ts';

/** A clock seems behind when a stamp is late; it is when none of so many came in time. */
const BEHIND_STAMPS = 3;

/** What it needs of the server. */
export interface ClientClockHost {
  readonly clock: SteadyClock;
  readonly log: Log;
  readonly counters: Counters;
  /** As it is now: a reload may change it, and the zone. */
  readonly config: TimeStreamConfig;
  readonly zone: Zone;
  /** Prints a line for people; left out when nobody asked for it. */
  readonly print?: ((line: string) => void) | undefined;
}

export class ClientClock {
  readonly track = new ClockTrack();
  readonly #subject: Subject;
  readonly #host: ClientClockHost;
  readonly #allowance = new RecordAllowance();
  #wrong = false;
  #lastStampMs = 0;

  constructor(subject: Subject, host: ClientClockHost) {
    this.#subject = subject;
    this.#host = host;
  }

  /** Whether the last that is known of the clock is that it is wrong. */
  get isWrong(): boolean {
    return this.#wrong;
  }

  /** When the last stamp came, on the monotonic clock. */
  get lastStampMs(): number {
    return this.#lastStampMs;
  }

  take(stamp: Stamp, receivedAt: Moment): void {
    const { log, counters, zone, config, print } = this.#host;
    const subject = this.#subject;
    const { track } = this;
    const isZoned = stamp.zoneOffsetMs !== undefined;
    const clientMs = isZoned
      ? stamp.fieldsMs - (stamp.zoneOffsetMs ?? 0)
      : zone.toUnixMs(stamp.fieldsMs, receivedAt.wallMs);
    const offsetMs = clientMs - receivedAt.wallMs;
    const tracked: TrackedStamp = {
      clientMs,
      resolutionMs: stamp.resolutionMs,
      seq: stamp.seq,
      clientMonoMs: stamp.mono === undefined ? undefined : stamp.mono / 1e6,
    };
    const setMs = track.setMs(tracked);
    const { arrival, step } = track.add(tracked, receivedAt.monoMs);
    this.#lastStampMs = receivedAt.monoMs;
    counters.stamps += 1;
    counters.offsetSeconds.observe(Math.abs(offsetMs) / 1000);

    print?.(`${stamp.text} from ${subject.peer}`);
    if (step !== undefined) counters.steps += 1;

    // A clock that jumps with each stamp makes records too: all of them are allowed for by the stamp.
    if (!this.#allowance.take(receivedAt.monoMs, config.stampRecords)) {
      counters.unlogged += 1;
      return;
    }
    if (this.#allowance.unlogged > 0) this.#reportUnlogged();
    const assumedZone = isZoned ? undefined : zone.name;
    reportStamp(log, subject, { stamp, receivedAt, offsetMs, setMs, arrival, assumedZone });
    if (step !== undefined) reportStep(log, subject, step);
    this.#judgeClock(receivedAt);
  }

  /** The connection has ended: no stamp follows. */
  end(): void {
    const { log, clock, counters } = this.#host;
    if (this.#allowance.unlogged > 0) this.#reportUnlogged();
    if (this.track.stamps === 0) return;
    const summary = this.track.summary(clock.now());
    counters.countEnded(summary);
    reportSummary(log, this.#subject, summary, this.#wrong);
  }

  /** Says once that a clock is wrong, and once that it is right again. */
  #judgeClock(now: Moment): void {
    const { log, config } = this.#host;
    const { track } = this;
    const limitMs = config.maxOffsetMs || Number.POSITIVE_INFINITY;
    const offsetMs = track.offsetMs(now) ?? 0;
    // No delay makes a clock look ahead. Behind it may look by one delay, and by what its stamps leave out.
    const isBehind = offsetMs + track.resolutionMs < -limitMs && track.stamps >= BEHIND_STAMPS;
    const wrong = offsetMs > limitMs || isBehind;
    if (wrong === this.#wrong) return;
    this.#wrong = wrong;
    reportClock(log, this.#subject, { wrong, offsetMs, resolutionMs: track.resolutionMs });
  }

  #reportUnlogged(): void {
    reportUnlogged(this.#host.log, this.#subject, this.#allowance.takeUnlogged());
  }
}
