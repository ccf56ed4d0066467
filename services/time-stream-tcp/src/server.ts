/** The time stream server: sessions on the listener that all services share. */
import { systemClock } from '@small-servers/shared/clock/clock';
import { systemTimers } from '@small-servers/shared/clock/timers';
import { RecordAllowance } from '@small-servers/shared/daemon/record-allowance';
import type { ServiceContext } from '@small-servers/shared/daemon/run';
import type { Service } from '@small-servers/shared/daemon/service';
import { listenTcp } from '@small-servers/shared/server/tcp';
import { formatClients } from './client-list.ts';
import { Counters } from './counters.ts';
import { timeFamilies } from './metrics.ts';
import { wireText } from './protocol.ts';
import { reportServerStep } from './records.ts';
import { Session, type SessionHost } from './session.ts';
import type { settings, TimeStreamConfig } from './settings.ts';
import { SteadyClock } from './steady-clock.ts';
import { Watchers } from './watchers.ts';
import { Zone } from './zones.ts';

/** LIST of many clients takes milliseconds: the same text serves for twenty times as long as it took to make. */
const LIST_SHARE = 20;

export interface Surroundings {
  /** Where `--print` goes; left out where nobody can watch. */
  readonly print?: ((line: string) => void) | undefined;
}

/** Listens and takes stamps until the signal is aborted; every connection is then ended at once. */
export async function createServer(
  context: ServiceContext<typeof settings>,
  { print }: Surroundings = {},
): Promise<Service<TimeStreamConfig>> {
  const { log, signal, inheritedFd } = context;
  let { config } = context;
  let zone = new Zone(config.clientZone);
  const clock = new SteadyClock(systemClock);
  const timers = systemTimers;
  const counters = new Counters();
  const startedMs = clock.now().monoMs;
  const watchers = new Watchers({ clock, timers, counters, startedMs });
  const sessions = new Set<Session>();
  clock.onStep((stepMs) => {
    counters.serverSteps += 1;
    reportServerStep(log, stepMs);
  });

  const clients = (): Session[] => [...sessions].filter(({ client }) => client.track.stamps > 0);
  let listed: { bytes: Uint8Array; untilMs: number } = { bytes: Buffer.alloc(0), untilMs: Number.NEGATIVE_INFINITY };
  const list = (): Uint8Array => {
    const now = clock.now();
    if (now.monoMs < listed.untilMs) return listed.bytes;
    const rows = clients().map(({ connection: { id: conn, peer }, client: { track, lastStampMs } }) => ({
      conn,
      peer,
      track,
      lastStampMs,
    }));
    const bytes = Buffer.from(wireText(formatClients(rows, now)));
    const madeMs = clock.now().monoMs;
    listed = { bytes, untilMs: madeMs + LIST_SHARE * (madeMs - now.monoMs) };
    return bytes;
  };

  const host: SessionHost = {
    clock,
    timers,
    log,
    counters,
    watchers,
    startedMs,
    sessions,
    badLineRecords: new RecordAllowance(),
    list,
    print: config.print ? print : undefined,
    get config() {
      return config;
    },
    get zone() {
      return zone;
    },
  };
  if (config.print && print === undefined) {
    log.warn({ event: 'print-ignored' }, '--print is for the foreground: under pm2 the log stays JSON');
  }

  const listener = await listenTcp({
    config,
    log,
    signal,
    inheritedFd,
    serve: (connection) => new Session(connection, host),
  });
  const drain = (): void => {
    for (const session of sessions) session.drain();
  };
  if (signal.aborted) drain();
  else signal.addEventListener('abort', drain, { once: true });

  return {
    listeners: listener.listeners,
    closed: listener.closed,
    handOver: () => listener.handOver(),
    metrics: () => {
      const now = clock.now();
      const open = clients();
      return [
        ...listener.metrics(),
        ...timeFamilies(counters, {
          summaries: open.map(({ client }) => client.track.summary(now)),
          wrong: open.filter(({ client }) => client.isWrong).length,
          watchers: watchers.size,
        }),
      ];
    },
    reconfigure: (next) => {
      zone = new Zone(next.clientZone);
      config = next;
      listener.reconfigure(next);
    },
  };
}
