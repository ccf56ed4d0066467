/**
 * The life of a daemon: read the configuration, check it, serve, drain, end. The order of a start is
 * that of `sshd` and OpenBSD's daemons: nothing is opened before everything is known to be right.
 */
import { type Invocation, reportProblems } from '../cli/program.ts';
import { formatHostPort } from '../config/endpoint.ts';
import { effectiveSettings, formatEffective, type Resolved } from '../config/layers.ts';
import { formatProblem } from '../config/problems.ts';
import type { Change } from '../config/reload.ts';
import type { ConfigOf, Settings } from '../config/settings.ts';
import { AppError, exitCodes } from '../errors.ts';
import { softDescriptorLimit } from '../server/descriptors.ts';
import { takeInheritedDescriptor } from './activation.ts';
import type { Admin } from './admin.ts';
import type { AdminSubject } from './admin-pages.ts';
import { readConfiguration } from './configuration.ts';
import type { Log } from './log.ts';
import { LogLevelControl } from './log-level.ts';
import { type ServiceManager, serviceManager } from './notify.ts';
import { ProcessMetrics } from './process-metrics.ts';
import type { DaemonDefinition } from './run.ts';
import { RunningConfiguration } from './running-configuration.ts';
import type { Service } from './service.ts';
import type { DaemonConfig } from './settings.ts';

/** Values are looked at together once each of them is right. */
async function checkedConfiguration<S extends Settings>(
  { service, settings, check }: DaemonDefinition<S>,
  invocation: Invocation,
): ReturnType<typeof readConfiguration<S>> {
  const read = await readConfiguration(service, settings, invocation);
  if (read.problems.length > 0 || check === undefined) return read;
  return { ...read, problems: await check(read.resolved) };
}

/** Resolves to the exit code. */
export async function runDaemon<S extends Settings>(
  definition: DaemonDefinition<S>,
  invocation: Invocation,
): Promise<number> {
  const { service, settings } = definition;
  const { extra } = invocation;
  const { resolved, problems } = await checkedConfiguration(definition, invocation);
  if (problems.length > 0) return reportProblems(service, problems);
  if (extra.has('print-config')) {
    const effective = extra.has('json')
      ? `${JSON.stringify(effectiveSettings(service, settings, resolved))}\n`
      : formatEffective(service, settings, resolved);
    process.stdout.write(effective);
    return exitCodes.success;
  }
  if (extra.has('check-config')) {
    process.stdout.write('configuration OK\n');
    return exitCodes.success;
  }
  return serve(definition, invocation, resolved);
}

/** pm2 holds a channel to each of its processes; a shell and systemd do not. */
const isSupervised = process.send !== undefined;

/** The settings of every daemon are in the table: `daemonCommand` asks for them. */
const daemonPart = <S extends Settings>(running: RunningConfiguration<S>): DaemonConfig =>
  running.config as unknown as DaemonConfig;

async function serve<S extends Settings>(
  definition: DaemonDefinition<S>,
  invocation: Invocation,
  resolved: Resolved<S>,
): Promise<number> {
  const { service: name, settings, createServer } = definition;
  const running = new RunningConfiguration(name, settings, resolved);
  // What only a running daemon needs is not loaded to check or to print its configuration.
  const { createLog } = await import('./log.ts');
  const { logLevel, logFile } = daemonPart(running);
  const log = createLog({ service: name, level: logLevel, file: logFile });
  const level = new LogLevelControl(log, logLevel);
  reportCrashes(log);
  const signal = stopOnSignals();

  const inheritedFd = takeInheritedDescriptor();
  const manager = serviceManager(log);
  const service = await createServer({ config: running.config, log, signal, inheritedFd });
  for (const { transport, address, port, ...buffers } of service.listeners) {
    const where = `${formatHostPort({ host: address, port })}/${transport}`;
    log.info({ event: 'listening', address, port, transport, ...buffers }, `${name} listens on ${where}`);
  }
  const processMetrics = new ProcessMetrics(name, softDescriptorLimit());
  const subject: AdminSubject = {
    readiness: () => ({
      service: name,
      pid: process.pid,
      state: signal.aborted ? 'draining' : 'ready',
      supervised: isSupervised,
      uptimeSeconds: Math.floor(process.uptime()),
      listeners: service.listeners,
      lastExchangeMs: service.lastExchangeMs?.(),
    }),
    metrics: async () => [...(await processMetrics.families()), ...((await service.metrics?.()) ?? [])],
    configuration: () => running.describe(),
    logLevel: () => level.state,
    setLogLevel: (next, ttlMs) => level.override(next, ttlMs),
  };
  const admin = await openAdminSocket(daemonPart(running), log, subject);
  reloadOnHangUp(definition, invocation, running, { service, level, log, manager });
  handOverOnRequest(service, log);
  tellSupervisor();
  manager.ready();

  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  manager.stopping();
  const startedMs = performance.now();
  const { drainTimeoutMs } = daemonPart(running);
  log.info({ event: 'draining', signal: signal.reason, drainTimeoutMs }, 'stopping');
  await service.closed;
  await admin.close();
  processMetrics.stop();
  log.info({ event: 'stopped', durationMs: Math.round(performance.now() - startedMs) }, 'stopped');
  return exitCodes.success;
}

/**
 * SIGHUP: reads every layer again and applies what can change live; anything wrong changes nothing. Looked at is both
 * what the next start would find, and what is in force until then: a mix of old and new, which nobody wrote down.
 */
function reloadOnHangUp<S extends Settings>(
  definition: DaemonDefinition<S>,
  invocation: Invocation,
  running: RunningConfiguration<S>,
  {
    service,
    level,
    manager,
    log,
  }: {
    readonly service: Service<ConfigOf<S>>;
    readonly level: LogLevelControl;
    readonly manager: ServiceManager;
    readonly log: Log;
  },
): void {
  const reject = (lines: readonly string[], details: object = {}, ending = ''): void => {
    log.error(
      { event: 'config-rejected', problems: lines, ...details },
      `nothing changed: ${lines.join('; ')}${ending}`,
    );
  };
  const reload = async (): Promise<void> => {
    const { resolved, problems } = await checkedConfiguration(definition, invocation);
    if (problems.length > 0) {
      reject(problems.map(formatProblem));
      return;
    }
    const merged = running.merge(resolved);
    const { changed, needsRestart } = merged;
    const mixed = needsRestart.length === 0 ? [] : ((await definition.check?.(merged.resolved)) ?? []);
    if (mixed.length > 0) {
      const ending = `; it would be so until a restart, which these need: ${listed(needsRestart)}`;
      reject(mixed.map(formatProblem), { needsRestart }, ending);
      return;
    }
    service.reconfigure?.(merged.resolved.config);
    running.apply(merged);
    level.configure(daemonPart(running).logLevel);
    const message = `changed: ${listed(changed)}; waits for a restart: ${listed(needsRestart)}`;
    log.info({ event: 'config-reloaded', changed, needsRestart }, message);
  };
  // One at a time: a second SIGHUP in the middle of the first is answered after it.
  let last = Promise.resolve();
  process.on('SIGHUP', () => {
    last = last.then(async () => {
      manager.reloading();
      // Whatever a reload meets, the service goes on as it was.
      await reload().catch((error: Error) => {
        reject([error.message], error instanceof AppError ? {} : { stack: error.stack });
      });
      manager.ready();
    });
  });
}

function listed(changes: readonly Change[]): string {
  return changes.map(({ name, from, to }) => `${name} ${from || 'none'} -> ${to || 'none'}`).join(', ') || 'nothing';
}

async function openAdminSocket({ adminSocket }: DaemonConfig, log: Log, subject: AdminSubject): Promise<Admin> {
  if (adminSocket === 'off') return { close: async () => {} };
  const { openAdmin } = await import('./admin.ts');
  return openAdmin({ path: adminSocket, log, subject, supervised: isSupervised });
}

/** The first SIGINT or SIGTERM asks for a stop; a second one ends the process at once. */
function stopOnSignals(): AbortSignal {
  const stop = new AbortController();
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(128 + number);
      stop.abort(signal);
    });
  }
  return stop.signal;
}

/** SIGUSR2, which the fleet's reload sends before it stops this process: new peers go to its successor. */
function handOverOnRequest(service: Service, log: Log): void {
  process.on('SIGUSR2', () => {
    const problem = service.handOver?.();
    const message = problem === undefined ? 'new peers go to the next process' : `no hand-over: ${problem}`;
    log.info({ event: 'handing-over', problem }, message);
  });
}

/** The record before the end; Node then prints the stack and exits as it always does. */
function reportCrashes(log: Log): void {
  process.on('uncaughtExceptionMonitor', (error) => {
    log.fatal({ event: 'crashed', code: error.name }, `crashed: ${error.message}`);
  });
}

/** pm2's `wait_ready` and systemd-like parents listen for this; an open channel must not keep us alive. */
function tellSupervisor(): void {
  process.send?.('ready');
  process.channel?.unref();
}
