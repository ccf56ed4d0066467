/**
 * A TCP listener for any service: admission, ids, time limits, refusals, drain. It knows nothing of
 * what is spoken on the connections.
 *
 * Ownership: the listener owns the server socket, the table of connections and one timer. A connection
 * leaves the table when its socket has closed, and `closed` resolves when the table is empty after a
 * stop. Order of a stop: the server socket first (the system refuses from then on), then connections as
 * they fall quiet, at the deadline the rest, then the sum of the refusals.
 */
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer as createNetServer, type Server, type Socket } from 'node:net';
import type { Log } from '../daemon/log.ts';
import type { MetricFamily } from '../daemon/metrics.ts';
import type { Listener, Service } from '../daemon/service.ts';
import { systemCode } from '../errors.ts';
import { parseAddress } from '../inet/address.ts';
import { steerToSecond } from '../native/reuse-port.ts';
import { type BufferReport, bindTcp, setBufferSizes } from '../native/socket-options.ts';
import { type AccessList, createAccessList } from './access.ts';
import { Admission, type AdmissionLimits, admissionLimits } from './admission.ts';
import { softDescriptorLimit } from './descriptors.ts';
import { inheritedError, listenError } from './listen-error.ts';
import { formatEndpoint } from './peer.ts';
import type { RefusalReason } from './reasons.ts';
import { REFUSAL_INTERVAL_MS, RefusalLog } from './refusals.ts';
import { sourceOf } from './source.ts';
import { Connection, type Serve } from './tcp-connection.ts';
import { EndedConnections, tcpFamilies } from './tcp-metrics.ts';
import type { TcpConfig } from './tcp-settings.ts';

export interface TcpListenerOptions {
  /** Limits and time-outs may later be replaced by `reconfigure`. */
  readonly config: TcpConfig & { readonly drainTimeoutMs: number };
  readonly log: Log;
  /** Aborted to stop: nothing new comes in and what is in flight may end. */
  readonly signal: AbortSignal;
  readonly serve: Serve;
  /** Descriptors that a connection may take, its socket among them: so many fewer are let in. 1 unless told. */
  readonly descriptorsEach?: number;
  /** A TCP socket to listen on, bound already; host, port and reusePort are then the giver's. */
  readonly inheritedFd?: number | undefined;
  /** Monotonic clock in milliseconds. */
  readonly clock?: () => number;
}

/** How often connections are looked at: fine enough for the shortest time limit, never more than 10 Hz. */
function lookIntervalMs({ idleTimeoutMs, maxLifetimeMs }: TcpConfig): number {
  const shortest = Math.min(idleTimeoutMs || Number.POSITIVE_INFINITY, maxLifetimeMs || Number.POSITIVE_INFINITY);
  return Math.min(1_000, Math.max(100, shortest / 10));
}

const DRAIN_LOOK_INTERVAL_MS = 50;

/**
 * Listens and serves until the signal is aborted.
 *
 * @throws AppError ADDRESS_IN_USE, ADDRESS_NOT_AVAILABLE, PERMISSION_DENIED, NAME_NOT_FOUND, LISTEN_FAILED
 */
export async function listenTcp(options: TcpListenerOptions): Promise<TcpListener> {
  const { log, config, inheritedFd } = options;
  const { host, port, backlog, reusePort, noDelay, keepAliveMs, recvBufferBytes, sendBufferBytes } = config;
  const server = createNetServer({
    allowHalfOpen: true,
    pauseOnConnect: true,
    noDelay,
    keepAlive: keepAliveMs > 0,
    keepAliveInitialDelay: keepAliveMs,
  });
  const request = {
    receiveBufferBytes: recvBufferBytes || undefined,
    sendBufferBytes: sendBufferBytes || undefined,
  };
  try {
    // Sized before it listens: only then do buffer sizes decide the window that a handshake agrees on. (An inherited
    // socket may listen already, and then peers that connect from now on get them.)
    let buffers: BufferReport;
    if (inheritedFd === undefined) {
      const { address } = await lookup(host);
      const bound = bindTcp({ host: address, port, reusePort }, request);
      buffers = bound.buffers;
      server.listen({ handle: bound.socket, backlog });
    } else {
      buffers = setBufferSizes(inheritedFd, request);
      server.listen({ fd: inheritedFd, backlog });
    }
    await once(server, 'listening');
    if (server.address() === null) throw new Error('it is a Unix socket');
    reportBuffers(log, buffers);
    return new TcpListener(server, options, buffers);
  } catch (error) {
    server.close();
    if (inheritedFd !== undefined) throw inheritedError('tcp', inheritedFd, error);
    throw await listenError({ transport: 'tcp', address: host, port }, error);
  }
}

/** A size that was asked for and not given is never passed over in silence. */
function reportBuffers(log: Log, buffers: BufferReport): void {
  if (buffers.available) {
    for (const [kind, size] of [
      ['receive', buffers.receive],
      ['send', buffers.send],
    ] as const) {
      const { requestedBytes, effectiveBytes, limitedBy } = size;
      if (limitedBy === undefined) continue;
      const message = `${kind} buffer: ${limitedBy} cut ${requestedBytes} bytes down; the system reports ${effectiveBytes}`;
      log.warn({ event: 'buffer-limited', buffer: kind, requestedBytes, effectiveBytes, limitedBy }, message);
    }
  } else if (Object.values(buffers.request).some((bytes) => bytes !== undefined)) {
    const { gap, message } = buffers;
    log.warn({ event: 'buffer-unset', gap, ...buffers.request }, `socket buffers are the system's own: ${message}`);
  }
}

type ListenerConfig = TcpListenerOptions['config'];

export class TcpListener implements Service<ListenerConfig> {
  readonly listeners: readonly Listener[];
  readonly closed: Promise<void>;
  readonly #options: TcpListenerOptions;
  readonly #server: Server;
  readonly #clock: () => number;
  readonly #admission: Admission;
  readonly #refusals: RefusalLog;
  readonly #connections = new Set<Connection>();
  /** Slow ones as the last look found them, those open longest last. */
  #slow: Connection[] = [];
  /** Closed to make room and not yet gone: their places are given away already. */
  readonly #yielded = new Set<Connection>();
  readonly #ended = new EndedConnections();
  readonly #finish: () => void;
  readonly #refusalTimer: NodeJS.Timeout;
  #config: ListenerConfig;
  #access: AccessList;
  #lookTimer: NodeJS.Timeout;
  #drainStartedMs: number | undefined;
  #accepted = 0;
  #acceptErrors = 0;
  #acceptErrorLogged = false;

  constructor(server: Server, options: TcpListenerOptions, buffers: BufferReport) {
    const { config, log, signal } = options;
    this.#options = options;
    this.#config = config;
    this.#server = server;
    this.#clock = options.clock ?? (() => performance.now());
    this.#admission = new Admission(this.#admissionLimits());
    this.#access = createAccessList(config);
    this.#refusals = new RefusalLog(log, this.#clock);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#finish = resolve;

    const { address, port } = server.address() as { address: string; port: number };
    const sizes = buffers.available
      ? { recvBufferBytes: buffers.receive.effectiveBytes, sendBufferBytes: buffers.send.effectiveBytes }
      : {};
    const inherited = options.inheritedFd === undefined ? {} : { inherited: true };
    this.listeners = [{ transport: 'tcp', address, port, ...inherited, ...sizes }];
    server.on('connection', (socket) => this.#accept(socket));
    // accept(2) failing is the machine's trouble (ENFILE, ENOBUFS): the listener stays and tries again.
    server.on('error', (error) => this.#acceptFailed(error));
    this.#lookTimer = setInterval(() => this.#look(), lookIntervalMs(config));
    this.#refusalTimer = setInterval(() => {
      this.#refusals.report();
      this.#acceptErrorLogged = false;
    }, REFUSAL_INTERVAL_MS);
    if (signal.aborted) this.#drain();
    else signal.addEventListener('abort', () => this.#drain(), { once: true });
  }

  /** Connections open now. */
  get open(): number {
    return this.#admission.open;
  }

  get counts() {
    return { accepted: this.#accepted, closed: this.#ended.closed, refused: this.#refusals.counts };
  }

  metrics(): readonly MetricFamily[] {
    const openBytes = { in: 0, out: 0 };
    for (const { bytes } of this.#connections) {
      openBytes.in += bytes.in;
      openBytes.out += bytes.out;
    }
    return tcpFamilies({
      accepted: this.#accepted,
      open: this.open,
      maxConnections: this.#admission.limits.maxConnections,
      acceptErrors: this.#acceptErrors,
      refused: this.#refusals.counts,
      ended: this.#ended,
      openBytes,
    });
  }

  /** New limits hold from the next connection and the next look on; nobody is thrown out by a lower cap. */
  reconfigure(config: ListenerConfig): void {
    this.#config = config;
    this.#admission.limits = this.#admissionLimits();
    this.#access = createAccessList(config);
    if (this.#drainStartedMs !== undefined) return;
    clearInterval(this.#lookTimer);
    this.#lookTimer = setInterval(() => this.#look(), lookIntervalMs(config));
  }

  #admissionLimits(): AdmissionLimits {
    return admissionLimits(this.#config, softDescriptorLimit(), this.#options.descriptorsEach);
  }

  handOver(): string | undefined {
    const { fd } = (this.#server as unknown as { _handle: { fd: number } })._handle;
    return steerToSecond(fd);
  }

  #accept(socket: Socket): void {
    // A peer that reset before it was accepted has no address any more.
    const { remoteAddress, remotePort = 0 } = socket;
    const source = remoteAddress === undefined ? 'unknown' : sourceOf(remoteAddress);
    const peer = remoteAddress === undefined ? 'unknown' : formatEndpoint(remoteAddress, remotePort);
    const refusal = this.#admits(remoteAddress) ? this.#enter(source) : 'denied';
    if (refusal !== undefined) {
      this.#refusals.refuse(peer, source, refusal);
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    this.#accepted += 1;
    const { log, serve } = this.#options;
    const connection = new Connection({
      accepted: socket,
      id: this.#accepted.toString(36),
      peer,
      source,
      mode: this.#config.io,
      serve,
      log,
      nowMs: this.#clock(),
      clock: this.#clock,
      onClosed: (closed, end) => {
        this.#connections.delete(closed);
        if (!this.#yielded.delete(closed)) this.#admission.leave(source);
        this.#ended.count(end);
        this.#finishIfEmpty();
      },
    });
    this.#connections.add(connection);
  }

  /** Takes a place, that of a slow peer if there is no other, or says why there is none. */
  #enter(source: string): RefusalReason | undefined {
    const refusal = this.#admission.enter(source);
    if (refusal !== 'max-connections' && refusal !== 'fd-limit') return refusal;
    return this.#makeRoom() ? this.#admission.enter(source) : refusal;
  }

  /** Slow peers hold their places only as long as nobody else wants them. */
  #makeRoom(): boolean {
    for (let slow = this.#slow.pop(); slow !== undefined; slow = this.#slow.pop()) {
      if (!slow.isSlow) continue;
      this.#admission.leave(slow.source);
      this.#yielded.add(slow);
      slow.abort('too-slow');
      return true;
    }
    return false;
  }

  /** A peer that is gone already has no address to judge; it costs one record and nothing more. */
  #admits(remoteAddress: string | undefined): boolean {
    if (this.#access.open || remoteAddress === undefined) return true;
    const address = parseAddress(remoteAddress);
    return address.ok && this.#access.allows(address.value);
  }

  /** Counted each time, logged once an interval: it may come as fast as the loop turns. */
  #acceptFailed(error: Error): void {
    this.#acceptErrors += 1;
    if (this.#acceptErrorLogged) return;
    this.#acceptErrorLogged = true;
    const failed = this.#acceptErrors;
    this.#options.log.error({ event: 'accept-failed', code: systemCode(error), failed }, error.message);
  }

  /** One look at every connection; a table of 10,000 takes a few milliseconds. */
  #look(): void {
    const nowMs = this.#clock();
    const drainedForMs = this.#drainStartedMs === undefined ? undefined : nowMs - this.#drainStartedMs;
    for (const connection of this.#connections) {
      connection.checkTime(nowMs, this.#config);
      if (drainedForMs === undefined) continue;
      if (drainedForMs >= this.#config.drainTimeoutMs) connection.abort('drain-deadline');
      else connection.closeIfQuiet(nowMs);
    }
    this.#slow = [...this.#connections].filter(({ isSlow }) => isSlow).reverse();
  }

  #drain(): void {
    this.#server.close();
    this.#drainStartedMs = this.#clock();
    clearInterval(this.#lookTimer);
    this.#lookTimer = setInterval(() => this.#look(), DRAIN_LOOK_INTERVAL_MS);
    for (const connection of this.#connections) connection.drain();
    this.#look();
    this.#finishIfEmpty();
  }

  #finishIfEmpty(): void {
    if (this.#drainStartedMs === undefined || this.#connections.size > 0) return;
    clearInterval(this.#lookTimer);
    clearInterval(this.#refusalTimer);
    this.#refusals.report();
    this.#finish();
  }
}
