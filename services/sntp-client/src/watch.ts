/** The daemon: a watcher over this machine's clock, network and state folder. */

import { systemClock } from '@small-servers/shared/clock/clock';
import { systemTimers } from '@small-servers/shared/clock/timers';
import type { ServiceContext } from '@small-servers/shared/daemon/run';
import type { Service } from '@small-servers/shared/daemon/service';
import { systemEnvironment, trustedCertificates } from './environment.ts';
import { metricsOf } from './metrics.ts';
import { fileMemory, volatileMemory } from './poll-memory.ts';
import { ServerProbe } from './probe.ts';
import { formatServerName } from './server-name.ts';
import { policyOf, type settings } from './settings.ts';
import { Watcher } from './watcher.ts';

/** From one request of a first burst to the next; public servers take less for an attack. */
const BURST_INTERVAL_MS = 2_000;

export async function createServer({ config, log, signal }: ServiceContext<typeof settings>): Promise<Service> {
  const ca = await trustedCertificates(config.ntsCa);
  const environment = systemEnvironment(config.timestamps);
  const options = { timeoutMs: config.timeoutMs, burstIntervalMs: BURST_INTERVAL_MS, policy: policyOf(config), ca };
  const names = [...new Set(config.servers.map(formatServerName))];
  const servers = config.servers
    .filter(
      (name, index) =>
        config.servers.findIndex((other) => formatServerName(other) === formatServerName(name)) === index,
    )
    .map((name) => ({ name: formatServerName(name), prober: new ServerProbe(name, environment, options) }));
  const memory =
    config.stateFile === 'off'
      ? volatileMemory()
      : await fileMemory(config.stateFile, names, ({ message }) =>
          log.warn({ event: 'state-unwritable', path: config.stateFile }, `polls are not remembered: ${message}`),
        );
  log.info({ event: 'watching', servers: names }, `polls ${names.length} servers`);
  const watcher = new Watcher({
    servers,
    limits: { minPollSeconds: config.minPollMs / 1000, maxPollSeconds: config.maxPollMs / 1000 },
    log,
    clock: systemClock,
    timers: systemTimers,
    memory,
    random: Math.random,
  });
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const stop = (): void => resolve(watcher.stop());
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  return {
    listeners: [],
    closed,
    lastExchangeMs: () => watcher.lastExchangeMs,
    metrics: () => metricsOf(watcher),
  };
}
