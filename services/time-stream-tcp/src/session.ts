/**
 * One connection: cuts what arrives into frames, passes stamps on to the client's clock, and answers commands.
 * Clock, timers and wire are passed in, so that ten minutes pass in an instant in a test.
 */
import type { Timers } from '@small-servers/shared/clock/timers';
import { escapeBytes } from '@small-servers/shared/daemon/escape';
import type { RecordAllowance } from '@small-servers/shared/daemon/record-allowance';
import { FramingError } from '@small-servers/shared/framing/errors';
import type { CloseReason } from '@small-servers/shared/server/reasons';
import type { TcpConnection, TcpHandler } from '@small-servers/shared/server/tcp-connection';
import { ClientClock, type ClientClockHost } from './client-clock.ts';
import { type Command, errorLine, helpText, type LineProblem, readFrame, timeLine } from './protocol.ts';
import { reportBadLine } from './records.ts';
import { isLateTail, StampDecoder, settle } from './stamp-decoder.ts';
import type { Moment } from './steady-clock.ts';
import type { Watchers } from './watchers.ts';

/** What all connections of a server have in common. */
export interface SessionHost extends ClientClockHost {
  readonly timers: Timers;
  readonly watchers: Watchers;
  /** The server's start, on the monotonic clock. */
  readonly startedMs: number;
  /** All that are open. */
  readonly sessions: Set<Session>;
  /** Records of bad lines, of all connections together. */
  readonly badLineRecords: RecordAllowance;
  /** The answer to LIST. Bytes that are shared cost nothing for each who asks and does not read. */
  list(): Uint8Array;
}

/**
 * A stamp after which nothing follows is taken as it is when so much time has passed. It is longer for a connection
 * whose stamps have line ends: there something is still to come.
 */
const SETTLE_MS = 250;
const SETTLE_LINES_MS = 1_000;

/** Answers that the peer does not take: more is not kept for it. */
const MAX_WAITING_BYTES = 64 * 1024;

/** A peer that ends its side this soon after WATCH wants the stream all the same (`printf 'WATCH\n' | nc -N`). */
const HALF_CLOSE_MS = 1_000;

/** In a stop: who said nothing for so long waits for nothing. */
const DRAIN_QUIET_MS = 100;
/** In a stop: for a question under way to be answered, and then for stamps under way to be read. */
const DRAIN_STEP_MS = 250;

/** Of one connection; further ones are counted. */
const LOGGED_BAD_LINES = 10;
/** Of all connections together, for peers that come back for ten more. */
const BAD_LINES_A_SECOND = 100;

/** So much of a bad line is shown in the log. */
const PREVIEW_BYTES = 64;

/** What a session needs of its connection. */
export type Peer = Pick<TcpConnection, 'id' | 'peer' | 'unsentBytes' | 'write' | 'end' | 'close'>;

export class Session implements TcpHandler {
  readonly connection: Peer;
  readonly client: ClientClock;
  readonly #host: SessionHost;
  readonly #decoder: StampDecoder;
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
  #watchingSinceMs: number | undefined;
  /** Nothing that still arrives counts. */
  #closed = false;
  #cancelDrain: (() => void) | undefined;

  constructor(connection: Peer, host: SessionHost) {
    this.connection = connection;
    this.#host = host;
    this.#decoder = new StampDecoder(host.config.maxLineBytes);
    this.client = new ClientClock(connection, host);
    this.#readAt = host.clock.now();
    this.#previousReadAt = this.#readAt;
    host.sessions.add(this);
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
    this.client.end();
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
      this.client.take(frame.stamp, receivedAt);
    } else if (frame.kind === 'command') {
      Session.#answers[frame.command](this);
    } else if (frame.kind === 'bad') {
      if (mayBeTail && isLateTail(bytes, start, end)) this.#host.counters.lateTails += 1;
      else this.#refuse(frame, bytes.subarray(start, end));
    }
  };

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
    LIST: (session) => session.#reply(session.#host.list()),
    HELP: (session) => session.#reply(helpText()),
    QUIT: (session) => session.#close('server-closed'),
  };

  #refuse({ problem, hint }: { problem: LineProblem; hint?: Command }, line: Uint8Array): void {
    this.#reportBad(problem, line, hint);
    const { maxErrors } = this.#host.config;
    if (maxErrors > 0 && this.#errors >= maxErrors) this.#close('protocol-error');
  }

  #reportBad(problem: LineProblem, line: Uint8Array, hint?: Command): void {
    const { log, counters, badLineRecords } = this.#host;
    this.#errors += 1;
    counters.countBad(problem);
    if (this.#errors <= LOGGED_BAD_LINES && badLineRecords.take(this.#readAt.monoMs, BAD_LINES_A_SECOND)) {
      const preview = escapeBytes(line, PREVIEW_BYTES);
      const unlogged = badLineRecords.takeUnlogged();
      reportBadLine(log, this.connection, { problem, preview, errors: this.#errors, unlogged });
    }
    this.#reply(errorLine(problem, hint));
  }

  /** A peer that asks and does not read ends its connection, not our memory. */
  #reply(text: string | Uint8Array): void {
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
