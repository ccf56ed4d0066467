/**
 * One connection: cuts what arrives into frames, keeps the client's clock track, answers commands, and tells the log.
 * Clock, timers and wire are passed in, so that ten minutes pass in an instant in a test.
 */
import type { Timers } from '@small-servers/shared/clock/timers';
import { escapeBytes } from '@small-servers/shared/daemon/escape';
import type { Log } from '@small-servers/shared/daemon/log';
import { FramingError } from '@small-servers/shared/framing/errors';
import type { CloseReason } from '@small-servers/shared/server/reasons';
import type { TcpConnection, TcpHandler } from '@small-servers/shared/server/tcp-connection';
import { ClockTrack, type TrackedStamp } from './clock-track.ts';
import type { Counters } from './counters.ts';
import { type Command, errorLine, helpText, type LineProblem, readFrame, timeLine, wireText } from './protocol.ts';
import { RecordAllowance } from './record-allowance.ts';
import { reportBadLine, reportClock, reportStamp, reportStep, reportSummary, reportUnlogged } from './records.ts';
import type { TimeStreamConfig } from './settings.ts';
import type { Stamp } from './stamp.ts';
import { isLateTail, StampDecoder, settle } from './stamp-decoder.ts';
import type { Moment, SteadyClock } from './steady-clock.ts';
import type { Watchers } from './watchers.ts';
import type { Zone } from './zones.ts';

/** What all connections of a server have in common. */
export interface SessionHost {
  readonly clock: SteadyClock;
  readonly timers: Timers;
  readonly log: Log;
  readonly counters: Counters;
  readonly watchers: Watchers;
  /** The server's start, on the monotonic clock. */
  readonly startedMs: number;
  /** As it is now: a reload may change it. */
  readonly config: TimeStreamConfig;
  readonly zone: Zone;
  /** All that are open. */
  readonly sessions: Set<Session>;
  /** The answer to LIST. */
  list(): string;
  /** Prints a line for people; left out when nobody asked for it. */
  readonly print?: ((line: string) => void) | undefined;
}

/**
 * A stamp after which nothing follows is taken as it is when so much time has passed. It is longer for a connection
 * whose stamps have line ends: there something is still to come.
 */
const SETTLE_MS = 250;
const SETTLE_LINES_MS = 1_000;

/** Answers that the peer does not take: more is not kept for it. */
const MAX_WAITING_BYTES = 256 * 1024;

/** A peer that ends its side this soon after WATCH wants the stream all the same (`printf 'WATCH\n' | nc -N`). */
const HALF_CLOSE_MS = 1_000;

/** In a stop: who said nothing for so long waits for nothing. */
const DRAIN_QUIET_MS = 100;
/** In a stop: for a question under way to be answered, and then for stamps under way to be read. */
const DRAIN_STEP_MS = 250;

/** A clock seems behind when a stamp is late; it is when none of so many came in time. */
const BEHIND_STAMPS = 3;

/** Of one connection; further ones are counted. */
const LOGGED_BAD_LINES = 10;

/** So much of a bad line is shown in the log. */
const PREVIEW_BYTES = 64;

/** What a session needs of its connection. */
export type Peer = Pick<TcpConnection, 'id' | 'peer' | 'unsentBytes' | 'write' | 'end' | 'close'>;

export class Session implements TcpHandler {
  readonly connection: Peer;
  readonly track = new ClockTrack();
  readonly #host: SessionHost;
  readonly #decoder: StampDecoder;
  readonly #allowance: RecordAllowance;
  /** When the newest bytes were read, and those before them. */
  #readAt: Moment;
  #previousReadAt: Moment;
  /** Bytes of the next frame that were there before the newest. */
  #heldBytes = 0;
  #settling = false;
  /** A stamp was taken without its line end: what comes of it late is no frame. */
  #mayHaveTail = false;
  #stampsEndLines = false;
  #cancelSettle: (() => void) | undefined;
  #errors = 0;
  #wrong = false;
  #watchingSinceMs: number | undefined;
  /** Nothing that still arrives counts. */
  #closed = false;
  #cancelDrain: (() => void) | undefined;
  /** When the last stamp came, on the monotonic clock. */
  lastStampMs = 0;

  constructor(connection: Peer, host: SessionHost) {
    this.connection = connection;
    this.#host = host;
    this.#decoder = new StampDecoder(host.config.maxLineBytes);
    this.#allowance = new RecordAllowance();
    this.#readAt = host.clock.now();
    this.#previousReadAt = this.#readAt;
    host.sessions.add(this);
  }

  /** Whether the last that is known of the clock is that it is wrong. */
  get isWrong(): boolean {
    return this.#wrong;
  }

  onBytes(bytes: Uint8Array): void {
    this.#cancelSettle?.();
    this.#cancelSettle = undefined;
    this.#previousReadAt = this.#readAt;
    this.#readAt = this.#host.clock.now();
    this.#feed(bytes);
    if (!this.#closed && this.#decoder.holdsStamp) {
      const waitMs = this.#stampsEndLines ? SETTLE_LINES_MS : SETTLE_MS;
      this.#cancelSettle = this.#host.timers.after(waitMs / 1000, () => this.#settle());
    }
  }

  onEnd(): void {
    this.#settle();
    const { monoMs } = this.#host.clock.now();
    const wantsStream = this.#watchingSinceMs !== undefined && monoMs - this.#watchingSinceMs <= HALF_CLOSE_MS;
    if (!wantsStream) this.connection.end();
  }

  onClose(): void {
    this.#closed = true;
    this.#host.sessions.delete(this);
    this.#cancelSettle?.();
    this.#cancelDrain?.();
    this.#host.watchers.delete(this.connection);
    const { log, clock, counters } = this.#host;
    if (this.#allowance.unlogged > 0) this.#reportUnlogged();
    if (this.track.stamps === 0) return;
    const summary = this.track.summary(clock.now());
    counters.countEnded(summary);
    reportSummary(log, this.connection, summary, this.#wrong);
  }

  /**
   * For a stop. A stream ends now, and so does a connection on which nothing moves. One that has just come or just said
   * something may be waiting for an answer. Our side ends first: what a client has sent by then is still read, and one
   * that listens goes elsewhere with its next stamp.
   */
  drain(): void {
    if (this.#closed) return;
    const { clock } = this.#host;
    const isQuiet = clock.now().monoMs - this.#readAt.monoMs >= DRAIN_QUIET_MS;
    if (isQuiet || this.#watchingSinceMs !== undefined) this.#endSide();
    else this.#later(() => this.#endSide());
  }

  #endSide(): void {
    this.#settle();
    this.connection.end();
    this.#later(() => {
      this.#settle();
      this.#close('drained');
    });
  }

  #later(step: () => void): void {
    this.#cancelDrain = this.#host.timers.after(DRAIN_STEP_MS / 1000, () => {
      if (!this.#closed) step();
    });
  }

  #settle(): void {
    if (this.#closed || this.#decoder.failure !== undefined || this.#decoder.bufferedBytes === 0) return;
    this.#previousReadAt = this.#readAt;
    this.#settling = true;
    this.#feed(undefined);
    this.#settling = false;
  }

  /** @param bytes what arrived; `undefined` to end what is held */
  #feed(bytes: Uint8Array | undefined): void {
    if (this.#closed) return;
    this.#heldBytes = this.#decoder.bufferedBytes;
    try {
      if (bytes === undefined) settle(this.#decoder, this.#visit);
      else this.#decoder.feed(bytes, this.#visit);
    } catch (error) {
      if (!(error instanceof FramingError) || error.code !== 'FRAME_TOO_LONG') throw error;
      // A line before it in the same read may have ended the connection already.
      if (this.#closed) return;
      this.#reportBad('too-long', bytes ?? Buffer.alloc(0));
      this.#close('protocol-error');
    }
  }

  readonly #visit = (bytes: Buffer, start: number, end: number): void => {
    // A frame whose last byte had come before these bytes is as old as that byte.
    const wasWhole = this.#heldBytes > 0 && this.#heldBytes >= end - start;
    const receivedAt = wasWhole ? this.#previousReadAt : this.#readAt;
    this.#heldBytes = 0;
    if (this.#closed) return;
    const frame = readFrame(bytes, start, end);
    const mayBeTail = this.#mayHaveTail;
    this.#mayHaveTail = frame.kind === 'stamp' && this.#settling;
    if (frame.kind === 'stamp') {
      if (!this.#settling) this.#stampsEndLines = this.#decoder.endedByLine;
      this.#take(frame.stamp, receivedAt);
    } else if (frame.kind === 'command') {
      Session.#answers[frame.command](this);
    } else if (frame.kind === 'bad') {
      if (mayBeTail && isLateTail(bytes, start, end)) this.#host.counters.lateTails += 1;
      else this.#refuse(frame, bytes.subarray(start, end));
    }
  };

  #take(stamp: Stamp, receivedAt: Moment): void {
    const { log, counters, zone, config, print } = this.#host;
    const { connection, track } = this;
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
    this.lastStampMs = receivedAt.monoMs;
    counters.stamps += 1;
    counters.offsetSeconds.observe(Math.abs(offsetMs) / 1000);

    print?.(`${stamp.text} from ${connection.peer}`);
    if (step !== undefined) counters.steps += 1;

    // A clock that jumps with each stamp makes records too: all of them are allowed for by the stamp.
    if (!this.#allowance.take(receivedAt.monoMs, config.stampRecords)) {
      counters.unlogged += 1;
      return;
    }
    if (this.#allowance.unlogged > 0) this.#reportUnlogged();
    const assumedZone = isZoned ? undefined : zone.name;
    reportStamp(log, connection, { stamp, receivedAt, offsetMs, setMs, arrival, assumedZone });
    if (step !== undefined) reportStep(log, connection, step);
    this.#judgeClock(receivedAt);
  }

  /** Says once that a clock is wrong, and once that it is right again. */
  #judgeClock(now: Moment): void {
    const { log, config } = this.#host;
    const { track, connection } = this;
    const limitMs = config.maxOffsetMs || Number.POSITIVE_INFINITY;
    const offsetMs = track.offsetMs(now) ?? 0;
    // No delay makes a clock look ahead. Behind it may look by one delay, and by what its stamps leave out.
    const isBehind = offsetMs + track.resolutionMs < -limitMs && track.stamps >= BEHIND_STAMPS;
    const wrong = offsetMs > limitMs || isBehind;
    if (wrong === this.#wrong) return;
    this.#wrong = wrong;
    reportClock(log, connection, { wrong, offsetMs, resolutionMs: track.resolutionMs });
  }

  /** One table for all sessions. */
  static readonly #answers: Readonly<Record<Command, (session: Session) => void>> = {
    WATCH: (session) => {
      const { clock, watchers } = session.#host;
      session.#watchingSinceMs ??= clock.now().monoMs;
      watchers.add(session.connection);
    },
    TIME: (session) => {
      const { clock, startedMs } = session.#host;
      const { wallMs, monoMs } = clock.now();
      session.#reply(timeLine(wallMs, monoMs - startedMs));
    },
    LIST: (session) => session.#reply(wireText(session.#host.list())),
    HELP: (session) => session.#reply(helpText()),
    QUIT: (session) => session.#close('server-closed'),
  };

  #refuse({ problem, hint }: { problem: LineProblem; hint?: Command }, line: Uint8Array): void {
    this.#reportBad(problem, line, hint);
    const { maxErrors } = this.#host.config;
    if (maxErrors > 0 && this.#errors >= maxErrors) this.#close('protocol-error');
  }

  #reportBad(problem: LineProblem, line: Uint8Array, hint?: Command): void {
    const { log, counters } = this.#host;
    this.#errors += 1;
    counters.countBad(problem);
    if (this.#errors <= LOGGED_BAD_LINES) {
      reportBadLine(log, this.connection, { problem, preview: escapeBytes(line, PREVIEW_BYTES), errors: this.#errors });
    }
    this.#reply(errorLine(problem, hint));
  }

  #reportUnlogged(): void {
    reportUnlogged(this.#host.log, this.connection, this.#allowance.takeUnlogged());
  }

  /** A peer that asks and does not read ends its connection, not our memory. */
  #reply(text: string): void {
    if (this.#closed) return;
    if (this.connection.unsentBytes > MAX_WAITING_BYTES) {
      this.#closed = true;
      this.#host.counters.countBad('not-taken');
      this.connection.close('protocol-error');
      return;
    }
    this.connection.write(text);
  }

  #close(reason: CloseReason): void {
    this.#closed = true;
    this.connection.close(reason);
  }
}
