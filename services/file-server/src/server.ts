/** The file server: a session for each connection, one store behind them all, and a stop that loses nothing. */

import { formatProblem } from '@small-servers/shared/config/problems';
import type { Log } from '@small-servers/shared/daemon/log';
import { gauge } from '@small-servers/shared/daemon/metrics';
import type { ServiceContext } from '@small-servers/shared/daemon/run';
import type { Service } from '@small-servers/shared/daemon/service';
import { AppError } from '@small-servers/shared/errors';
import { listenTcp } from '@small-servers/shared/server/tcp';
import { BLOCK_BYTES, BlockPool } from './block-pool.ts';
import { Departures } from './departures.ts';
import { DigestCache } from './digest-cache.ts';
import { EXPOSURE_REMEDY, exposure } from './exposure.ts';
import { Session, type SessionContext, type SessionLimits } from './session.ts';
import { DESCRIPTORS_EACH, type FileConfig, type settings } from './settings.ts';
import { type DiskStore, openDiskStore } from './store/disk-store.ts';
import type { FileStore } from './store/store.ts';
import { readTokenFile, tokenFileProblem } from './token-file.ts';
import type { Token } from './tokens.ts';
import { Transfers } from './transfers.ts';
import { Turn } from './turn.ts';

/** Content under way, all connections together: 32 MiB. Ten transfers at full speed; those beyond go on in small blocks. */
const MAX_BLOCKS = 32;

const MAX_KEPT_PARTIALS = 1_000;
const MAX_DIGESTS = 20_000;

/** How often sessions are looked at: fine enough for the shortest time limit, never more than 10 Hz. */
function lookIntervalMs({ firstCommandTimeoutMs, authTimeoutMs, stallTimeoutMs }: SessionLimits): number {
  const limitsMs = [firstCommandTimeoutMs, authTimeoutMs, stallTimeoutMs].filter((ms) => ms > 0);
  return Math.min(1_000, Math.max(100, Math.min(...limitsMs) / 10));
}

/** Listens and serves files until the signal is aborted. @throws AppError as `openDiskStore` and `listenTcp` */
export async function createServer(context: ServiceContext<typeof settings>): Promise<Service<FileConfig>> {
  const { config, log } = context;
  const turn = new Turn(monotonicMs);
  const store = await openStore(config, turn);
  log.info({ event: 'store-opened', root: config.root, ...store.describe() }, `${config.root} is served`);
  const service = await serveStore(context, store, monotonicMs, turn);
  return {
    ...service,
    reconfigure: (next) => {
      service.reconfigure?.(next);
      store.keepPartialsFor(next.keepUploadsMs);
    },
  };
}

/** A client that comes back for its upload is believed when the connection before it was silent for so long. */
const HOLDER_IDLE_MS = 5_000;

const monotonicMs = (): number => performance.now();

function openStore(
  { root, writable, maxFileSizeBytes, maxTotalSizeBytes, keepUploadsMs }: FileConfig,
  turn: Turn,
): Promise<DiskStore> {
  return openDiskStore({
    turn,
    root,
    writable,
    maxFileBytes: maxFileSizeBytes,
    maxTotalBytes: maxTotalSizeBytes,
    keepPartialMs: keepUploadsMs,
    maxKeptPartials: MAX_KEPT_PARTIALS,
    holderIdleMs: HOLDER_IDLE_MS,
    maxDigests: MAX_DIGESTS,
  });
}

/** Any store behind the protocol: the tests' is one in memory. */
export async function serveStore(
  { config: started, log, signal, inheritedFd }: ServiceContext<typeof settings>,
  store: FileStore,
  clock: () => number = monotonicMs,
  turn: Turn = new Turn(clock),
): Promise<Service<FileConfig>> {
  const transfers = new Transfers(log, clock);
  const blocks = new BlockPool(MAX_BLOCKS);
  const sessions = new Set<Session>();
  /** What goes on for connections that are gone. */
  const unfinished = new Set<Promise<void>>();
  let limits = limitsOf(started, readTokens(started));
  const shared: SessionContext = {
    store,
    get limits() {
      return limits;
    },
    log,
    transfers,
    digests: new DigestCache(MAX_DIGESTS),
    blocks,
    turn,
    departures: new Departures(),
    clock,
    onClosed: (session) => sessions.delete(session),
    afterwards: (work) => {
      const settled = work.catch((error: unknown) => logDefect(log, error)).finally(() => unfinished.delete(settled));
      unfinished.add(settled);
    },
  };

  const listener = await listenTcp({
    config: started,
    log,
    signal,
    inheritedFd,
    descriptorsEach: DESCRIPTORS_EACH,
    serve: (connection) => {
      const session = new Session(shared, connection);
      sessions.add(session);
      return session;
    },
  }).catch(async (error: unknown) => {
    await store.close();
    throw error;
  });
  const address = listener.listeners[0]?.address ?? '';
  refuseExposure(address, started);
  const look = (): void => {
    const nowMs = clock();
    for (const session of sessions) session.checkTime(nowMs);
    timer = setTimeout(look, lookIntervalMs(limits));
  };
  let timer = setTimeout(look, lookIntervalMs(limits));

  const closed = listener.closed.then(async () => {
    clearTimeout(timer);
    while (unfinished.size > 0) await Promise.all(unfinished);
    await store.close();
  });
  return {
    listeners: listener.listeners,
    closed,
    handOver: () => listener.handOver(),
    metrics: () => [
      ...listener.metrics(),
      ...transfers.metrics(),
      gauge(
        'small_servers_file_block_bytes',
        'Memory that file content under way takes in blocks',
        blocks.lentBlocks * BLOCK_BYTES,
      ),
    ],
    reconfigure: (next) => {
      refuseExposure(address, next);
      const tokens = readTokens(next);
      listener.reconfigure(next);
      limits = limitsOf(next, tokens);
      clearTimeout(timer);
      look();
    },
  };
}

function limitsOf(config: FileConfig, tokens: readonly Token[]): SessionLimits {
  return { ...config, tokens };
}

/** `checkConfig` read it a moment ago, and it may be written anew since. @throws AppError USAGE_INVALID */
function readTokens({ tokenFile }: FileConfig): readonly Token[] {
  try {
    return tokenFile === '' ? [] : readTokenFile(tokenFile);
  } catch (error) {
    throw new AppError('USAGE_INVALID', formatProblem(tokenFileProblem(error as Error, tokenFile)));
  }
}

/** A socket from the supervisor has an address of its own, whatever --host says. */
function refuseExposure(address: string, config: FileConfig): void {
  const exposed = exposure(address, config);
  if (exposed === undefined) return;
  const problem = { subject: 'writable', origin: 'the inherited socket', what: exposed, expected: EXPOSURE_REMEDY };
  throw new AppError('USAGE_INVALID', formatProblem(problem));
}

function logDefect(log: Log, error: unknown): void {
  const { stack, message } = error instanceof Error ? error : new Error(String(error));
  log.error({ event: 'internal-error', stack }, message);
}
