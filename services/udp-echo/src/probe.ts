/** The probe: sends datagrams on schedule, recognizes each one that comes back, measures. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:dgram';
import { connectionError } from '@small-servers/shared/client/connect';
import { plannedMessages, runOpenLoop } from '@small-servers/shared/client/open-loop';
import { type Endpoint, formatHostPort } from '@small-servers/shared/config/endpoint';
import { systemCode } from '@small-servers/shared/errors';
import { ProbeCodec } from './probe-datagram.ts';
import type { ProbeConfig } from './probe-settings.ts';
import { openProbeSocket } from './probe-socket.ts';
import { type ProbeFigures, ProbeTally } from './probe-tally.ts';

export interface ProbeReport extends ProbeFigures {
  readonly target: string;
  readonly sizeBytes: number;
  readonly durationMs: number;
  /** Datagrams that came back in time, a second. */
  readonly ratePerSecond: number;
  /** How late this program itself sent at worst; large values mean the rate is too high for it. */
  readonly maxSendLatenessMs: number;
}

export interface Probe {
  readonly sent: number;
  /** Datagrams that have come back so far, each one once. */
  readonly returned: number;
  /** How many datagrams are asked for; Infinity for no end. */
  readonly planned: number;
  run(): Promise<ProbeReport>;
}

/**
 * @throws AppError CONNECTION_REFUSED when nothing listens there; NAME_NOT_FOUND, HOST_UNREACHABLE, CONNECTION_LOST
 * when nothing can be sent
 */
export function createProbe(endpoint: Endpoint, config: ProbeConfig, signal: AbortSignal): Probe {
  const { sizeBytes, durationMs, timeoutMs } = config;
  const rate = config.intervalMs > 0 ? 1000 / config.intervalMs : config.rate;
  const planned = plannedMessages({ ...config, rate });
  const tally = new ProbeTally(timeoutMs);

  const run = async (): Promise<ProbeReport> => {
    const codec = new ProbeCodec(sizeBytes, randomBytes(8).readBigUInt64BE());
    const socket = await openProbeSocket(endpoint);
    const ended = watch(socket, endpoint, codec, tally);
    try {
      const startMs = performance.now();
      const { sent, maxLatenessMs } = await runOpenLoop({
        rate,
        count: planned,
        durationMs: durationMs === 0 ? Number.POSITIVE_INFINITY : durationMs,
        signal: AbortSignal.any([signal, ended.failed]),
        send: () => {
          const sequence = tally.send();
          // The buffer is written again for the next one; the system has a copy by then, or libuv a queue of ours.
          socket.send(Buffer.from(codec.encode({ sequence, sentAtNs: nowNs() })), ended.onSent);
        },
      });
      const sendingMs = performance.now() - startMs;
      await ended.allBack(sent, timeoutMs, signal);
      const figures = tally.figures();
      return {
        target: formatHostPort(endpoint),
        sizeBytes,
        ...figures,
        durationMs: Math.round(performance.now() - startMs),
        ratePerSecond: Math.round((figures.received / Math.max(sendingMs, 1)) * 1e4) / 10,
        maxSendLatenessMs: Math.round(maxLatenessMs * 1000) / 1000,
      };
    } finally {
      socket.close();
    }
  };
  return {
    planned,
    get sent() {
      return tally.sent;
    },
    get returned() {
      return tally.back;
    },
    run,
  };
}

interface Watched {
  /** Aborted when nothing can be sent there. */
  readonly failed: AbortSignal;
  readonly onSent: (error: Error | null) => void;
  /** Waits until as many are back as were sent, or for the time-out; throws what made the probe fail. */
  allBack(sent: number, timeoutMs: number, signal: AbortSignal): Promise<void>;
}

/** Errors of sending or receiving that come and go with the path; each costs a datagram, which counts as lost. */
const passing = new Set(['ENOBUFS', 'EAGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN', 'EPERM']);

function watch(socket: Socket, endpoint: Endpoint, codec: ProbeCodec, tally: ProbeTally): Watched {
  const stopped = new AbortController();
  let failure: Error | undefined;
  let onProgress = (): void => {};
  const fail = (error: Error): void => {
    const code = systemCode(error) ?? '';
    // A server that restarts refuses for a moment; one that never answered is not there.
    const passes = passing.has(code) || (code === 'ECONNREFUSED' && tally.back > 0);
    if (passes || failure !== undefined) return;
    failure = connectionError(endpoint, error);
    stopped.abort();
    onProgress();
  };
  socket.on('message', (bytes) => {
    const returned = codec.decode(bytes);
    if (returned.kind === 'intact') tally.intact(returned.sequence, nowNs() - returned.sentAtNs);
    else if (returned.kind === 'corrupted') tally.damaged();
    else tally.foreign();
    onProgress();
  });
  socket.on('error', fail);
  return {
    failed: stopped.signal,
    onSent: (error) => {
      if (error !== null) fail(error);
    },
    allBack: async (sent, timeoutMs, signal) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, timeoutMs);
      onProgress = (): void => {
        if (failure !== undefined || tally.back >= sent) resolve();
      };
      onProgress();
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
      clearTimeout(timer);
      if (failure !== undefined) throw failure;
    },
  };
}

/** Nanoseconds on the monotonic clock, whole; exact up to 104 days after the start of the process. */
function nowNs(): number {
  return Math.round(performance.now() * 1e6);
}
