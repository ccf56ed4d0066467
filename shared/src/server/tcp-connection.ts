/**
 * One accepted connection: its reader, its place in time (idle, stalled, too old), and its end, which
 * is one `connection-closed` record.
 */
import type { Socket } from 'node:net';
import type { Log } from '../daemon/log.ts';
import { systemCode } from '../errors.ts';
import { type Reading, type ReadingMode, startReading } from './reading.ts';
import type { CloseReason } from './reasons.ts';

/** What a service may do with a connection. */
export interface TcpConnection {
  /** Short id, unique in the process; `conn` in every record. */
  readonly id: string;
  /** `ip:port` or `[ip6]:port`; `unknown` when the peer was gone before it was accepted. */
  readonly peer: string;
  /** So far: bytes read by us, and bytes taken by the kernel for sending. */
  readonly bytes: { readonly in: number; readonly out: number };
  /** Bytes that were written and that the kernel has not taken. */
  readonly unsentBytes: number;
  /**
   * Sends bytes. Reading pauses by itself while the peer does not take them. `done` is called once, when their memory
   * may be used again: the kernel has taken them, or the connection is gone.
   */
  write(bytes: Uint8Array | string, done?: () => void): void;
  /** Reads nothing more until `release`: what the peer sends meanwhile waits with the kernel, and then with the peer. */
  hold(): void;
  release(): void;
  /** Ends our side after everything written was sent; the peer's side may stay open. */
  end(): void;
  /** Ends both sides after everything written was sent. */
  close(reason: CloseReason): void;
  /** Ends both sides now, by a reset: the peer can't take what it has for the whole. */
  reset(reason: CloseReason): void;
}

/** What a service does with what happens on a connection. */
export interface TcpHandler {
  /** The bytes may be passed to `write`; whoever keeps them longer copies them. */
  onBytes(bytes: Uint8Array): void;
  /** The peer ended its side. Left out: our side is ended too, after everything written was sent. */
  onEnd?(): void;
  /**
   * True in the middle of something that a stop should wait for. Left out: silence ends it. What is cut in the middle
   * of something, by a limit or at the end of a drain, is reset.
   */
  isBusy?(): boolean;
  /** True while the peer can do nothing but wait for us: that makes it neither idle nor slow. */
  isWorking?(): boolean;
  /** A stop has begun: what is under way may end, and nothing new should begin. */
  onDrain?(): void;
  /** After the last event, whatever the reason. */
  onClose?(reason: CloseReason): void;
}

export type Serve = (connection: TcpConnection) => TcpHandler;

export interface TimeLimits {
  /** 0: no limit. */
  readonly idleTimeoutMs: number;
  /** 0: no limit. */
  readonly maxLifetimeMs: number;
  /** Bytes a second, both ways together, below which a connection is slow; 0: none is. */
  readonly minRateBytes: number;
  readonly slowPeers: 'make-room' | 'close';
}

/** Errors of a socket that are the peer's or the network's doing, and the reason each stands for. */
const reasonsBySystemCode: Readonly<Record<string, CloseReason>> = {
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ECONNABORTED: 'reset',
  ENOTCONN: 'reset',
  ETIMEDOUT: 'timed-out',
  EHOSTUNREACH: 'timed-out',
  ENETUNREACH: 'timed-out',
};

/**
 * In a drain a connection counts as finished after this much silence. Longer than any pause inside a
 * transfer over a working network, shorter than what a person waiting for `stop` notices.
 */
export const DRAIN_QUIET_MS = 500;

/**
 * The rate of a connection is that of this time. Longer than the pauses of a program that sends something every
 * few seconds; a connection younger than this is never slow.
 */
export const RATE_WINDOW_MS = 30_000;

/** The part of a socket that has no public name: what was handed to libuv, and what it still holds. */
interface SocketWithCounts {
  readonly _handle?: { readonly bytesWritten: number; readonly writeQueueSize: number } | null;
}

/** A connection that moves nothing for so long has no use for a large buffer. */
export const SHRINK_AFTER_MS = 10_000;

export interface ConnectionOptions {
  readonly accepted: Socket;
  readonly id: string;
  readonly peer: string;
  /** Whose place it takes: `sourceOf` its address. */
  readonly source: string;
  readonly mode: ReadingMode;
  readonly serve: Serve;
  readonly log: Log;
  readonly nowMs: number;
  /** Monotonic clock in milliseconds. */
  readonly clock: () => number;
  readonly onClosed: (connection: Connection, end: ConnectionEnd) => void;
}

/** What a `connection-closed` record says, in numbers. */
export interface ConnectionEnd {
  readonly reason: CloseReason;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly durationMs: number;
}

export class Connection implements TcpConnection {
  readonly id: string;
  readonly peer: string;
  readonly source: string;
  readonly #socket: Socket;
  readonly #reading: Reading;
  #handler: TcpHandler | undefined;
  readonly #log: Log;
  readonly #openedAtMs: number;
  #reason: CloseReason | undefined;
  /** Our side may still be written to. A field, since the stream's own getter asks six questions for each read. */
  #open = true;
  /** Everything that moved, as seen by the last look; a difference is progress. */
  #moved = 0;
  #movedAtMs: number;
  /** What had moved when the present rate window began. */
  #windowMoved = 0;
  #windowStartedMs: number;
  #slow = false;
  /** What the kernel had taken when the connection was cut; afterwards nobody can tell. */
  #takenAtEnd: number | undefined;

  constructor({ accepted, id, peer, source, mode, serve, log, nowMs, clock, onClosed }: ConnectionOptions) {
    this.id = id;
    this.peer = peer;
    this.source = source;
    this.#log = log;
    this.#openedAtMs = nowMs;
    this.#movedAtMs = nowMs;
    this.#windowStartedMs = nowMs;
    this.#reading = startReading(accepted, mode, (bytes) => this.#receive(bytes));
    const { socket } = this.#reading;
    this.#socket = socket;
    socket.on('end', () => this.#guarded(() => (this.#handler?.onEnd ? this.#handler.onEnd() : this.end())));
    socket.on('error', (error) => {
      this.#open = false;
      this.#reason ??= reasonsBySystemCode[systemCode(error) ?? ''] ?? 'reset';
    });
    socket.once('close', () => {
      const reason = this.#reason ?? 'peer-closed';
      const bytesIn = socket.bytesRead;
      const bytesOut = this.#takenAtEnd ?? socket.bytesWritten;
      const durationMs = Math.round(clock() - nowMs);
      log.info(
        { event: 'connection-closed', conn: id, peer, bytesIn, bytesOut, durationMs, reason },
        `${peer} closed after ${bytesIn} bytes in, ${bytesOut} bytes out: ${reason}`,
      );
      this.#guarded(() => this.#handler?.onClose?.(reason));
      onClosed(this, { reason, bytesIn, bytesOut, durationMs });
    });
    log.debug({ event: 'connection-opened', conn: id, peer }, `${peer} connected`);
    this.#guarded(() => {
      this.#handler = serve(this);
    });
  }

  /** Bytes so far: read by us, and taken by the kernel for sending. */
  get bytes(): { readonly in: number; readonly out: number } {
    return { in: this.#socket.bytesRead, out: this.#takenAtEnd ?? this.#bytesTaken() };
  }

  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array | string, done?: () => void): void {
    if (this.#open) this.#socket.write(bytes, done);
    // Not sooner: a service that goes on writing would keep the loop from telling it that the connection is gone.
    else if (done !== undefined) setImmediate(done);
  }

  hold(): void {
    this.#reading.gate.hold();
  }

  release(): void {
    this.#reading.gate.release();
  }

  end(): void {
    this.#open = false;
    this.#socket.end();
  }

  close(reason: CloseReason): void {
    // A reason means that it is ending already; each destroySoon would leave one more listener.
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#open = false;
    this.#socket.destroySoon();
  }

  reset(reason: CloseReason): void {
    this.#cut(reason, true);
  }

  /** Ends it now, whatever waits to be sent. */
  abort(reason: CloseReason): void {
    // After a fault it is in the middle of something, for all that is known.
    this.#cut(reason, this.#says('isBusy', true));
  }

  /** What the service answers; `afterFault` where it fails to. */
  #says(question: 'isBusy' | 'isWorking', afterFault: boolean): boolean {
    try {
      return this.#handler?.[question]?.() === true;
    } catch {
      return afterFault;
    }
  }

  #cut(reason: CloseReason, byReset: boolean): void {
    if (this.#socket.destroyed) return;
    this.#reason ??= reason;
    this.#open = false;
    this.#takenAtEnd = this.#bytesTaken();
    // The system resets no socket whose end was sent already.
    if (byReset && !this.#socket.writableEnded) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  /** Whether it moved less than --min-rate in the last rate window that is over. */
  get isSlow(): boolean {
    return this.#slow && !this.#socket.destroyed;
  }

  /** Looks whether anything moved since the last look and closes what has used up its time. */
  checkTime(nowMs: number, limits: TimeLimits): void {
    const { idleTimeoutMs, maxLifetimeMs, slowPeers } = limits;
    const moved = this.#socket.bytesRead + this.#bytesTaken();
    const waiting = this.#socket.writableLength > 0;
    if (moved !== this.#moved) {
      this.#moved = moved;
      this.#movedAtMs = nowMs;
    } else if (nowMs - this.#movedAtMs >= SHRINK_AFTER_MS) {
      this.#reading.shrink();
    }
    this.#judgeRate(nowMs, limits);
    if (idleTimeoutMs > 0 && nowMs - this.#movedAtMs >= idleTimeoutMs && !this.#says('isWorking', false)) {
      this.abort(waiting ? 'write-stalled' : 'idle');
    } else if (maxLifetimeMs > 0 && nowMs - this.#openedAtMs >= maxLifetimeMs) {
      this.abort('lifetime');
    } else if (this.#slow && slowPeers === 'close') {
      this.abort('too-slow');
    }
  }

  /** Slow from the end of a window with too little in it, until enough has moved in a later one. */
  #judgeRate(nowMs: number, { minRateBytes }: TimeLimits): void {
    const enough = this.#moved - this.#windowMoved >= (minRateBytes * RATE_WINDOW_MS) / 1000;
    const over = nowMs - this.#windowStartedMs >= RATE_WINDOW_MS;
    if (enough) this.#slow = false;
    else if (over) this.#slow = !this.#says('isWorking', false);
    if (!over) return;
    this.#windowStartedMs = nowMs;
    this.#windowMoved = this.#moved;
  }

  /** Tells the service that a stop has begun. */
  drain(): void {
    this.#guarded(() => this.#handler?.onDrain?.());
  }

  /** In a drain: closes it if nothing is in flight. */
  closeIfQuiet(nowMs: number): void {
    const quiet = nowMs - this.#movedAtMs >= DRAIN_QUIET_MS && this.#socket.writableLength === 0;
    this.#guarded(() => {
      if (quiet && this.#handler?.isBusy?.() !== true) this.close('drained');
    });
  }

  #receive(bytes: Uint8Array): void {
    // Not through #guarded: a closure for each read costs as much as the rest of this path.
    try {
      this.#handler?.onBytes(bytes);
    } catch (error) {
      this.#fail(error);
    }
  }

  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A fault of the service ends the connection it happened on, not the process with all the others. */
  #fail(error: unknown): void {
    const { stack, message } = error instanceof Error ? error : new Error(String(error));
    this.#log.error({ event: 'internal-error', conn: this.id, peer: this.peer, stack }, message);
    this.abort('internal-error');
  }

  /**
   * Bytes that the kernel took. `writeQueueSize` shrinks as libuv gets rid of parts of a large write,
   * long before its callback: a slow reader that makes progress is not stalled. What still waits in the
   * stream is left out: a service that goes on writing does not make its peer less stalled.
   */
  #bytesTaken(): number {
    const { _handle } = this.#socket as unknown as SocketWithCounts;
    return _handle ? _handle.bytesWritten - _handle.writeQueueSize : this.#socket.bytesWritten;
  }
}
