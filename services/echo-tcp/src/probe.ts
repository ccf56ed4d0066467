/** The probe: sends on schedule over real connections, checks every byte that returns, measures. */
import type { Socket } from 'node:net';
import { connectionError, connectTcp } from '@small-servers/shared/client/connect';
import { plannedMessages, runOpenLoop } from '@small-servers/shared/client/open-loop';
import { type RoundTripSummary, RoundTrips } from '@small-servers/shared/client/statistics';
import { type Endpoint, formatHostPort } from '@small-servers/shared/config/endpoint';
import { AppError } from '@small-servers/shared/errors';
import { Pattern, ReplyCheck } from './pattern.ts';
import type { ProbeConfig } from './probe-settings.ts';

export interface ProbeReport {
  readonly target: string;
  readonly connections: number;
  readonly sizeBytes: number;
  readonly sent: number;
  readonly returned: number;
  readonly unanswered: number;
  readonly durationMs: number;
  /** Messages that came back, a second. */
  readonly ratePerSecond: number;
  readonly roundTripMs: RoundTripSummary;
  /** How late this program itself sent at worst; large values mean the rate is too high for it. */
  readonly maxSendLatenessMs: number;
  /** The line that the server sent first. */
  readonly greeting?: string;
}

export interface Probe {
  /** Messages that have come back so far. */
  readonly returned: number;
  readonly sent: number;
  run(): Promise<ProbeReport>;
}

/** Above this many taken moments the array is cut; `Array.shift` alone moves every entry left each time. */
const CUT_AFTER = 1024;

/** Moments in the order they came, oldest first. A far end that stalls may leave a million of them. */
class Moments {
  readonly #ns: number[] = [];
  #taken = 0;

  push(ns: number): void {
    this.#ns.push(ns);
  }

  shift(): number {
    const oldest = this.#ns[this.#taken] ?? 0;
    this.#taken += 1;
    if (this.#taken >= CUT_AFTER && this.#taken * 2 >= this.#ns.length) {
      this.#ns.splice(0, this.#taken);
      this.#taken = 0;
    }
    return oldest;
  }
}

/** One connection: what it has under way, oldest first, and the check of what returns. */
class Lane {
  readonly #socket: Socket;
  readonly #pattern: Pattern;
  readonly #check: ReplyCheck;
  readonly #sizeBytes: number;
  readonly #underWay = new Moments();
  readonly #onReturned: (roundTripNs: number) => void;
  #sentBytes = 0;
  #returnedMessages = 0;

  constructor(options: {
    socket: Socket;
    pattern: Pattern;
    sizeBytes: number;
    onReturned: (roundTripNs: number) => void;
    onFailure: (error: AppError) => void;
    endpoint: Endpoint;
  }) {
    const { socket, pattern, sizeBytes, onReturned, onFailure, endpoint } = options;
    this.#socket = socket;
    this.#pattern = pattern;
    this.#check = new ReplyCheck(pattern);
    this.#sizeBytes = sizeBytes;
    this.#onReturned = onReturned;
    socket.on('data', (bytes: Buffer) => {
      const verdict = this.#check.accept(bytes, this.#sentBytes);
      if (verdict.kind === 'right') this.#settle(verdict.returned);
      else onFailure(mismatchError(endpoint, verdict));
    });
    socket.on('error', (error) => onFailure(connectionError(endpoint, error)));
    socket.on('end', () => {
      const message = `${formatHostPort(endpoint)}: the far end closed the connection; its log says why`;
      onFailure(new AppError('CONNECTION_LOST', message));
    });
  }

  get greeting(): string | undefined {
    return this.#check.greeting;
  }

  send(): void {
    this.#underWay.push(nowNs());
    this.#socket.cork();
    for (let left = this.#sizeBytes; left > 0; ) {
      const part = this.#pattern.slice(this.#sentBytes, left);
      this.#socket.write(part);
      this.#sentBytes += part.length;
      left -= part.length;
    }
    this.#socket.uncork();
  }

  #settle(returnedBytes: number): void {
    const complete = Math.floor(returnedBytes / this.#sizeBytes);
    for (; this.#returnedMessages < complete; this.#returnedMessages++) {
      this.#onReturned(nowNs() - this.#underWay.shift());
    }
  }

  /** Half-close, so that the server sees a good end. */
  close(): void {
    this.#socket.removeAllListeners('end').removeAllListeners('error');
    this.#socket.on('error', () => {});
    this.#socket.end();
    this.#socket.destroySoon();
  }
}

/**
 * @throws AppError of `connectTcp`; ECHO_MISMATCH when a byte came back wrong; CONNECTION_LOST when the
 * far end closed before everything was back
 */
export function createProbe(endpoint: Endpoint, config: ProbeConfig, signal: AbortSignal): Probe {
  const { connections, sizeBytes, rate, durationMs, timeoutMs } = config;
  const roundTrips = new RoundTrips();
  const progress = { sent: 0 };

  const run = async (): Promise<ProbeReport> => {
    const pattern = new Pattern();
    const ended = Promise.withResolvers<void>();
    // A failure may come before anybody waits for it.
    ended.promise.catch(() => {});
    const onReturned = (roundTripNs: number): void => {
      roundTrips.record(roundTripNs);
      if (roundTrips.count === planned) ended.resolve();
    };
    const planned = plannedMessages(config);
    const stopped = new AbortController();
    const lanes: Lane[] = [];
    const onFailure = (error: AppError): void => {
      ended.reject(error);
      stopped.abort();
    };
    try {
      for (let index = 0; index < connections; index++) {
        const socket = await connectTcp(endpoint, timeoutMs, signal);
        lanes.push(new Lane({ socket, pattern, sizeBytes, onReturned, onFailure, endpoint }));
      }
      const startMs = performance.now();
      const { sent, maxLatenessMs } = await runOpenLoop({
        rate,
        count: planned,
        durationMs: durationMs === 0 ? Number.POSITIVE_INFINITY : durationMs,
        signal: AbortSignal.any([signal, stopped.signal]),
        send: (index) => {
          progress.sent += 1;
          lanes[index % lanes.length]?.send();
        },
      });
      if (roundTrips.count < sent || stopped.signal.aborted) await lastReplies(ended.promise, timeoutMs, signal);
      const elapsedMs = performance.now() - startMs;
      const greeting = lanes[0]?.greeting;
      return {
        target: formatHostPort(endpoint),
        connections,
        sizeBytes,
        sent,
        returned: roundTrips.count,
        unanswered: sent - roundTrips.count,
        durationMs: Math.round(elapsedMs),
        ratePerSecond: Math.round((roundTrips.count / elapsedMs) * 1e4) / 10,
        roundTripMs: roundTrips.summary(),
        maxSendLatenessMs: Math.round(maxLatenessMs * 1000) / 1000,
        ...(greeting === undefined ? {} : { greeting }),
      };
    } finally {
      for (const lane of lanes) lane.close();
    }
  };
  return {
    get returned() {
      return roundTrips.count;
    },
    get sent() {
      return progress.sent;
    },
    run,
  };
}

/** Waits for the last replies, for a failure, for the deadline or for Ctrl-C. */
async function lastReplies(ended: Promise<void>, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const patience = AbortSignal.any([AbortSignal.timeout(Math.ceil(timeoutMs)), signal]);
  const outOfPatience = Promise.withResolvers<void>();
  if (patience.aborted) outOfPatience.resolve();
  patience.addEventListener('abort', () => outOfPatience.resolve(), { once: true });
  await Promise.race([ended, outOfPatience.promise]);
}

function mismatchError(
  endpoint: Endpoint,
  { position, expected, actual }: { position: number; expected: number; actual: number },
): AppError {
  const hex = (byte: number): string => `0x${byte.toString(16).padStart(2, '0')}`;
  const what = `byte ${position.toLocaleString('en-US')} of a connection came back as ${hex(actual)}, not ${hex(expected)}`;
  return new AppError('ECHO_MISMATCH', `${formatHostPort(endpoint)}: ${what}; this is no faithful echo`);
}

function nowNs(): number {
  return performance.now() * 1e6;
}
