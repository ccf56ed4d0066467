/**
 * One accepted connection: its reader, its place in time (idle, stalled, too old), and its end, which
 * is one `connection-closed` record.
 */
import type { Socket } from 'node:net';
import type { Log } from '../daemon/log.ts';
import { systemCode } from '../errors.ts';
import { type ReadingMode, startReading } from './reading.ts';
import type { CloseReason } from './reasons.ts';

/** What a service may do with a connection. */
export interface TcpConnection {
  /** Short id, unique in the process; `conn` in every record. */
  readonly id: string;
  /** `ip:port` or `[ip6]:port`; `unknown` when the peer was gone before it was accepted. */
  readonly peer: string;
  /** Sends bytes. Reading pauses by itself while the peer does not take them. */
  write(bytes: Uint8Array | string): void;
  /** Ends our side after everything written was sent; the peer's side may stay open. */
  end(): void;
  /** Ends both sides after everything written was sent. */
  close(reason: CloseReason): void;
}

/** What a service does with what happens on a connection. */
export interface TcpHandler {
  /** The bytes may be passed to `write`; whoever keeps them longer copies them. */
  onBytes(bytes: Uint8Array): void;
  /** The peer ended its side. Left out: our side is ended too, after everything written was sent. */
  onEnd?(): void;
  /** True in the middle of something that a stop should wait for. Left out: silence ends it. */
  isBusy?(): boolean;
  /** After the last event, whatever the reason. */
  onClose?(reason: CloseReason): void;
}

export type Serve = (connection: TcpConnection) => TcpHandler;

export interface TimeLimits {
  /** 0: no limit. */
  readonly idleTimeoutMs: number;
  /** 0: no limit. */
  readonly maxLifetimeMs: number;
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

export interface ConnectionOptions {
  readonly accepted: Socket;
  readonly id: string;
  readonly peer: string;
  readonly mode: ReadingMode;
  readonly serve: Serve;
  readonly log: Log;
  readonly nowMs: number;
  /** Monotonic clock in milliseconds. */
  readonly clock: () => number;
  readonly onClosed: (connection: Connection, reason: CloseReason) => void;
}

export class Connection implements TcpConnection {
  readonly id: string;
  readonly peer: string;
  readonly #socket: Socket;
  readonly #shrink: () => void;
  readonly #handler: TcpHandler;
  readonly #log: Log;
  readonly #openedAtMs: number;
  #reason: CloseReason | undefined;
  /** Everything that moved, as seen by the last look; a difference is progress. */
  #moved = 0;
  #movedAtMs: number;
  /** Bytes that were written but never sent when it was cut. */
  #undelivered = 0;

  constructor({ accepted, id, peer, mode, serve, log, nowMs, clock, onClosed }: ConnectionOptions) {
    this.id = id;
    this.peer = peer;
    this.#log = log;
    this.#openedAtMs = nowMs;
    this.#movedAtMs = nowMs;
    const { socket, shrink } = startReading(accepted, mode, (bytes) => this.#receive(bytes));
    this.#socket = socket;
    this.#shrink = shrink;
    socket.on('end', () => (this.#handler.onEnd ? this.#handler.onEnd() : this.end()));
    socket.on('error', (error) => {
      this.#reason ??= reasonsBySystemCode[systemCode(error) ?? ''] ?? 'reset';
    });
    socket.once('close', () => {
      const reason = this.#reason ?? 'peer-closed';
      const bytesIn = socket.bytesRead;
      const bytesOut = socket.bytesWritten - this.#undelivered;
      const durationMs = Math.round(clock() - nowMs);
      log.info(
        { event: 'connection-closed', conn: id, peer, bytesIn, bytesOut, durationMs, reason },
        `${peer} closed after ${bytesIn} bytes in, ${bytesOut} bytes out: ${reason}`,
      );
      this.#handler.onClose?.(reason);
      onClosed(this, reason);
    });
    log.debug({ event: 'connection-opened', conn: id, peer }, `${peer} connected`);
    this.#handler = serve(this);
  }

  write(bytes: Uint8Array | string): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  end(): void {
    this.#socket.end();
  }

  close(reason: CloseReason): void {
    this.#reason ??= reason;
    this.#socket.destroySoon();
  }

  /** Ends it now, whatever waits to be sent. */
  abort(reason: CloseReason): void {
    this.#reason ??= reason;
    this.#undelivered = this.#bytesQueued();
    this.#socket.destroy();
  }

  /** Looks whether anything moved since the last look and closes what has used up its time. */
  checkTime(nowMs: number, { idleTimeoutMs, maxLifetimeMs }: TimeLimits): void {
    const moved = this.#bytesMoved();
    const waiting = this.#socket.writableLength > 0;
    if (moved !== this.#moved) {
      this.#moved = moved;
      this.#movedAtMs = nowMs;
    } else {
      this.#shrink();
    }
    if (idleTimeoutMs > 0 && nowMs - this.#movedAtMs >= idleTimeoutMs) {
      this.abort(waiting ? 'write-stalled' : 'idle');
    } else if (maxLifetimeMs > 0 && nowMs - this.#openedAtMs >= maxLifetimeMs) {
      this.abort('lifetime');
    }
  }

  /** In a drain: closes it if nothing is in flight. */
  closeIfQuiet(nowMs: number): void {
    const quiet = nowMs - this.#movedAtMs >= DRAIN_QUIET_MS && this.#socket.writableLength === 0;
    if (quiet && this.#handler.isBusy?.() !== true) this.close('drained');
  }

  /** A fault of the service ends the connection it happened on, not the process with all the others. */
  #receive(bytes: Uint8Array): void {
    try {
      this.#handler.onBytes(bytes);
    } catch (error) {
      const { stack, message } = error as Error;
      this.#log.error({ event: 'internal-error', conn: this.id, peer: this.peer, stack }, message);
      this.abort('internal-error');
    }
  }

  /** Bytes that move: those read and those that the kernel took. */
  #bytesMoved(): number {
    return this.#socket.bytesRead + this.#socket.bytesWritten - this.#bytesQueued();
  }

  /**
   * Bytes written but not yet taken by the kernel. `writeQueueSize` shrinks as libuv gets rid of parts
   * of a large write, long before its callback: a slow reader that makes progress is not stalled.
   */
  #bytesQueued(): number {
    const { writableLength } = this.#socket;
    if (writableLength === 0) return 0;
    const { _handle } = this.#socket as unknown as { _handle?: { writeQueueSize?: number } };
    return _handle?.writeQueueSize ?? writableLength;
  }
}
