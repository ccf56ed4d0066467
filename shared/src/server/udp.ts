/**
 * A UDP listener for any service that answers datagrams: guards, limits, counts, summaries, drain. It knows nothing
 * of what is in them.
 *
 * Ownership: the listener owns the socket, the gate and one timer. Order of a stop: what has arrived is answered, the
 * last summaries are written, the socket is closed.
 */
import { randomInt } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import type { Log } from '../daemon/log.ts';
import type { MetricFamily } from '../daemon/metrics.ts';
import type { Listener, Service } from '../daemon/service.ts';
import { AppError } from '../errors.ts';
import { parseAddress } from '../inet/address.ts';
import { nativeGaps } from '../native/linux.ts';
import { steerToSecond } from '../native/reuse-port.ts';
import { type DropCounter, openDropCounter } from '../system/datagram-drops.ts';
import { createAccessList } from './access.ts';
import { type DatagramCounts, DatagramGate } from './datagram-gate.ts';
import type { Answer, BoundDatagramSocket, DatagramIo, DatagramSocketOptions } from './datagram-io.ts';
import { openBatchSocket } from './datagram-io-batch.ts';
import { adoptDgramSocket, openDgramSocket } from './datagram-io-dgram.ts';
import { inheritedError, listenError } from './listen-error.ts';
import { udpFamilies } from './udp-metrics.ts';
import type { UdpConfig } from './udp-settings.ts';

export interface UdpListenerOptions {
  readonly config: UdpConfig;
  readonly log: Log;
  /** Aborted to stop. */
  readonly signal: AbortSignal;
  readonly answer: Answer;
  /** A UDP socket to read from, bound already; host, port and reusePort are then the giver's. */
  readonly inheritedFd?: number | undefined;
  /** Monotonic clock in milliseconds. */
  readonly clock?: () => number;
}

/** Exact counts since the start. */
export interface UdpCounts extends DatagramCounts {
  /** Thrown away by the system because the receive buffer was full; `undefined` where nobody can tell. */
  readonly kernelDropped: number | undefined;
}

type IoKind = 'batch' | 'dgram';

/**
 * Listens and answers until the signal is aborted.
 *
 * @throws AppError ADDRESS_IN_USE, ADDRESS_NOT_AVAILABLE, PERMISSION_DENIED, NAME_NOT_FOUND, LISTEN_FAILED;
 * USAGE_INVALID when batches are asked for and can't be had
 */
export async function listenUdp(options: UdpListenerOptions): Promise<UdpListener> {
  const { config, inheritedFd } = options;
  const { host, port } = config;
  try {
    const { socket, io } = await (inheritedFd === undefined ? openSocket(config) : adoptSocket(config, inheritedFd));
    return new UdpListener(socket, io, options);
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (inheritedFd !== undefined) throw inheritedError('udp', inheritedFd, error);
    throw await listenError({ transport: 'udp', address: host, port }, error);
  }
}

async function openSocket(config: UdpConfig): Promise<{ socket: BoundDatagramSocket; io: IoKind }> {
  const address = parseAddress(await resolve(config.host));
  if (!address.ok) throw new Error(address.problem);
  const options: DatagramSocketOptions = { ...config, address: address.value };
  if (config.io !== 'dgram') {
    const opened = openBatchSocket(options);
    if (opened.available) return { socket: opened.socket, io: 'batch' };
    if (config.io === 'batch') {
      const message = `io: "batch" can't be had here: ${nativeGaps[opened.gap]}; choose auto or dgram with --io`;
      throw new AppError('USAGE_INVALID', message);
    }
  }
  return { socket: await openDgramSocket(options), io: 'dgram' };
}

/** Always read by node:dgram, which can adopt a descriptor. */
async function adoptSocket(config: UdpConfig, fd: number): Promise<{ socket: BoundDatagramSocket; io: IoKind }> {
  const { recvBufferBytes, sendBufferBytes } = config;
  return { socket: await adoptDgramSocket(fd, { recvBufferBytes, sendBufferBytes }), io: 'dgram' };
}

/** A host name's first address, as the system orders them. */
async function resolve(host: string): Promise<string> {
  return parseAddress(host).ok ? host : (await lookup(host)).address;
}

export class UdpListener implements Service<UdpConfig> {
  readonly listeners: readonly Listener[];
  readonly closed: Promise<void>;
  readonly #log: Log;
  readonly #clock: () => number;
  readonly #gate: DatagramGate;
  readonly #io: DatagramIo;
  readonly #drops: Promise<DropCounter>;
  readonly #timer: NodeJS.Timeout;
  readonly #receiveErrors = new Map<string, number>();
  #reportedAtMs: number;
  #kernelDropped: number | undefined;
  #kernelDroppedReported = 0;

  constructor(socket: BoundDatagramSocket, io: IoKind, options: UdpListenerOptions) {
    const { config, log, signal, answer, clock = () => performance.now() } = options;
    const { address, port, receiveBuffer, sendBuffer } = socket;
    this.#log = log;
    this.#clock = clock;
    this.#drops = openDropCounter(port);
    this.#reportedAtMs = clock();
    this.#gate = new DatagramGate({
      log,
      ownPort: port,
      seed: randomInt(2 ** 32),
      nowMs: clock(),
      ratePerSource: config.ratePerSource,
      maxSources: config.maxSources,
      access: createAccessList(config),
    });
    this.#io = socket.start({
      gate: this.#gate,
      answer,
      clock,
      onReceiveError: (code) => this.#receiveErrors.set(code, (this.#receiveErrors.get(code) ?? 0) + 1),
    });
    this.listeners = [
      {
        transport: 'udp',
        address,
        port,
        ...(options.inheritedFd === undefined ? {} : { inherited: true }),
        recvBufferBytes: receiveBuffer.effectiveBytes,
        sendBufferBytes: sendBuffer.effectiveBytes,
        ...(receiveBuffer.limitedBy === undefined ? {} : { recvBufferLimit: receiveBuffer.limitedBy }),
        io,
      },
    ];
    this.#timer = setInterval(() => void this.#report(), config.summaryIntervalMs);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    const stop = (): void => resolve(this.#stop());
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  }

  /** Exact counts since the start, with what the system threw away until now. */
  async readCounts(): Promise<UdpCounts> {
    const drops = await this.#drops;
    this.#kernelDropped = await drops.read();
    return { ...this.#gate.counts, kernelDropped: this.#kernelDropped };
  }

  async metrics(): Promise<readonly MetricFamily[]> {
    return udpFamilies(await this.readCounts());
  }

  reconfigure(config: UdpConfig): void {
    this.#gate.setLimits({ ratePerSource: config.ratePerSource, access: createAccessList(config) });
  }

  handOver(): string | undefined {
    return this.#io.fd === undefined ? 'node:dgram gives no descriptor to steer with' : steerToSecond(this.#io.fd);
  }

  async #report(): Promise<void> {
    const nowMs = this.#clock();
    const intervalMs = Math.max(1, Math.round(nowMs - this.#reportedAtMs));
    this.#reportedAtMs = nowMs;
    this.#gate.report(nowMs);
    for (const [code, count] of this.#receiveErrors) {
      this.#log.error({ event: 'receive-failed', code, count, intervalMs }, `reading failed ${count} times: ${code}`);
    }
    this.#receiveErrors.clear();
    await this.#reportKernelDrops(intervalMs);
  }

  async #reportKernelDrops(intervalMs: number): Promise<void> {
    const { kernelDropped = 0 } = await this.readCounts();
    const dropped = kernelDropped - this.#kernelDroppedReported;
    this.#kernelDroppedReported = kernelDropped;
    if (dropped <= 0) return;
    this.#log.warn(
      { event: 'receive-buffer-overflow', dropped, intervalMs },
      `the system threw ${dropped.toLocaleString('en-US')} datagrams away: the receive buffer was full (--recv-buffer)`,
    );
  }

  async #stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#io.drain();
    await this.#report();
    await this.#io.close();
  }
}
