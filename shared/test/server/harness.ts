/**
 * A listener in the test's own process: real sockets, but its clock stands still until the test moves
 * it, and every record is kept.
 */
import { vi } from 'vitest';
import { createLog } from '../../src/daemon/log.ts';
import type { ReadingMode } from '../../src/server/reading.ts';
import { listenTcp, type TcpListener, type TcpListenerOptions } from '../../src/server/tcp.ts';
import type { Serve, TcpConnection } from '../../src/server/tcp-connection.ts';

export const modes: readonly ReadingMode[] = ['onread', 'data'];

export interface LogRecord {
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

/** What a service sees of its connections, newest last. */
export interface Seen {
  readonly connections: TcpConnection[];
  /** Reads, over all connections. */
  reads: number;
  bytes: number;
}

export const defaults: TcpListenerOptions['config'] = {
  host: '127.0.0.1',
  port: 0,
  backlog: 511,
  reusePort: false,
  noDelay: true,
  keepAliveMs: 60_000,
  recvBufferBytes: 0,
  sendBufferBytes: 0,
  io: 'onread',
  allow: [],
  deny: [],
  maxConnections: 0,
  maxConnectionsPerSource: 0,
  idleTimeoutMs: 600_000,
  maxLifetimeMs: 0,
  minRateBytes: 8,
  slowPeers: 'make-room',
  drainTimeoutMs: 5_000,
};

export class Harness {
  readonly listener: TcpListener;
  readonly records: LogRecord[];
  readonly seen: Seen;
  readonly #stop: AbortController;
  readonly #time: { ms: number };
  readonly #waiting: Set<() => void>;

  private constructor(
    listener: TcpListener,
    parts: {
      records: LogRecord[];
      seen: Seen;
      stop: AbortController;
      time: { ms: number };
      waiting: Set<() => void>;
    },
  ) {
    this.listener = listener;
    this.records = parts.records;
    this.seen = parts.seen;
    this.#stop = parts.stop;
    this.#time = parts.time;
    this.#waiting = parts.waiting;
  }

  /** Listens; echoes unless told otherwise. Intervals fire only in `pass`. */
  static async start(config: Partial<TcpListenerOptions['config']> = {}, serve?: Serve): Promise<Harness> {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const records: LogRecord[] = [];
    const waiting = new Set<() => void>();
    const time = { ms: 1_000 };
    const stop = new AbortController();
    const seen: Seen = { connections: [], reads: 0, bytes: 0 };
    const wake = (): void => {
      for (const look of waiting) look();
    };
    const log = createLog({
      service: 'test',
      level: 'debug',
      stream: {
        write: (line) => {
          records.push(JSON.parse(line) as LogRecord);
          wake();
        },
      },
    });
    const watched: Serve = (connection) => {
      seen.connections.push(connection);
      const handler = (serve ?? echo)(connection);
      return {
        ...handler,
        onBytes: (bytes) => {
          seen.reads += 1;
          seen.bytes += bytes.length;
          handler.onBytes(bytes);
          wake();
        },
      };
    };
    const listener = await listenTcp({
      config: { ...defaults, ...config },
      log,
      signal: stop.signal,
      serve: watched,
      clock: () => time.ms,
    });
    return new Harness(listener, { records, seen, stop, time, waiting });
  }

  get port(): number {
    return this.listener.listeners[0]?.port ?? 0;
  }

  events(event: string): LogRecord[] {
    return this.records.filter((record) => record.event === event);
  }

  /** Moves the clock; then comes a look at every connection and, after 10 s, the sum of the refusals. */
  pass(ms: number): void {
    this.#time.ms += ms;
    vi.advanceTimersByTime(ms < 10_000 ? 1_000 : 10_000);
  }

  /** A look without any time passing. */
  look(): void {
    this.pass(0);
  }

  async #until<T>(found: () => T | undefined): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    const look = (): void => {
      const result = found();
      if (result !== undefined) resolve(result);
    };
    this.#waiting.add(look);
    look();
    const result = await promise;
    this.#waiting.delete(look);
    return result;
  }

  /** The `count`-th record of an event, as soon as it is written. */
  record(event: string, count = 1): Promise<LogRecord> {
    return this.#until(() => this.events(event)[count - 1]);
  }

  /** Resolves at the next read of any connection. */
  async nextRead(): Promise<void> {
    const before = this.seen.reads;
    await this.#until(() => (this.seen.reads > before ? true : undefined));
  }

  stop(): void {
    this.#stop.abort('SIGTERM');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    this.pass(24 * 3_600_000);
    await this.listener.closed;
    vi.useRealTimers();
  }
}

const echo: Serve = (connection) => ({ onBytes: (bytes) => connection.write(bytes) });
