/** `start`: every service up and proven by a real exchange, or the reason why not. */
import { setTimeout as delay } from 'node:timers/promises';
import { exitCodes } from '../errors.ts';
import { askConfiguration, whyTaken } from './configured-address.ts';
import { findElsewhere, formatElsewhere } from './elsewhere.ts';
import { lastLines, sizeBytes } from './log-tail.ts';
import { formatNotes, formatStates, startColumns } from './report.ts';
import { inspect, type ServiceState } from './state.ts';
import type { SupervisedProcess, Supervisor } from './supervisor.ts';
import { describeUnapplied } from './unapplied.ts';
import type { FleetService, Workspace } from './workspace.ts';

export interface FleetContext {
  readonly workspace: Workspace;
  readonly supervisor: Supervisor;
  print(text: string): void;
  complain(text: string): void;
}

/** A first start compiles every file; a slow machine under load takes seconds for it. */
const PATIENCE_MS = 20_000;
const LOOK_AGAIN_MS = 150;
const SHOWN_LOG_LINES = 10;

export async function start({ workspace, supervisor, print, complain }: FleetContext): Promise<number> {
  const { services } = workspace;
  const before = await supervisor.list();
  const missing = services.filter(({ name }) => before.find((known) => known.name === name)?.status !== 'online');
  const logEnds = new Map(await Promise.all(services.map(logEnd)));
  const taken = await takenPorts(missing);
  if (taken.length > 0) {
    const kept = missing.length < services.length ? 'What was running runs on; nothing else' : 'Nothing';
    complain(`${taken.join('')}${kept} was started.\n${formatElsewhere(await findElsewhere(workspace, before))}`);
    return exitCodes.failed;
  }
  await startAnew(supervisor, missing, before);

  const kept = services.filter((service) => !missing.includes(service));
  const unapplied = await describeUnapplied(workspace, kept, before);
  const states = await waitUntilUp(workspace, supervisor, services);
  print(formatStates(startColumns, states, Date.now()));
  print(formatNotes(states));
  complain(unapplied);
  const failed = states.filter(({ trouble }) => trouble !== undefined);
  for (const state of failed) complain(await explain(state, logEnds.get(state.service.name) ?? 0));
  await giveUpOn(supervisor, failed);
  if (failed.length > 0) return exitCodes.failed;

  const already = missing.length === 0 ? 'Everything was running already. ' : '';
  print(`\n${already}Logs: ${workspace.logsFolder}/<service>.log   Stop: npx pnpm@12 stop\n`);
  return exitCodes.success;
}

/** One line for each service whose port somebody else has. A wrong configuration is left to its own words. */
async function takenPorts(services: readonly FleetService[]): Promise<readonly string[]> {
  const reasons = await Promise.all(
    services.map(async (service) => {
      const { address } = await askConfiguration(service);
      const why = address && (await whyTaken(service, address));
      return why === undefined ? [] : [`${service.name}: ${why}\n`];
    }),
  );
  return reasons.flat();
}

/**
 * With the environment of now. What pm2 knows already and does not run is forgotten first, because pm2
 * starts it again with the variables of its first start, those since mended or unset included.
 */
async function startAnew(
  supervisor: Supervisor,
  services: readonly FleetService[],
  known: readonly SupervisedProcess[],
): Promise<void> {
  if (services.length === 0) return;
  const stale = known.filter(({ name }) => services.some((service) => service.name === name)).map(({ id }) => id);
  if (stale.length > 0) await supervisor.remove(stale);
  await supervisor.start(services.map(({ name }) => name));
}

async function logEnd({ name, logFile }: FleetService): Promise<readonly [string, number]> {
  return [name, await sizeBytes(logFile)];
}

/** Looks until every service serves, or those that do not have no prospect, or patience is over. */
export async function waitUntilUp(
  workspace: Workspace,
  supervisor: Supervisor,
  services: readonly FleetService[],
): Promise<readonly ServiceState[]> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  const firstRestarts = new Map<string, number>();
  for (;;) {
    const processes = await supervisor.list();
    for (const { name, restarts } of processes) {
      if (!firstRestarts.has(name)) firstRestarts.set(name, restarts);
    }
    const states = await Promise.all(services.map((service) => inspect(workspace, service, processes)));
    const waitingFor = states.filter(({ trouble }) => trouble !== undefined);
    const hopeless = waitingFor.every(({ service, process }) => {
      // pm2 restarts at once what crashes at once: the second attempt says no more than the first.
      const crashed = (process?.restarts ?? 0) > (firstRestarts.get(service.name) ?? 0);
      return crashed || (process?.status !== 'online' && process?.status !== 'launching');
    });
    if (hopeless || performance.now() > deadlineMs) return states;
    await delay(LOOK_AGAIN_MS);
  }
}

async function explain({ service, trouble }: ServiceState, logStart: number): Promise<string> {
  const lines = await lastLines(service.logFile, logStart, SHOWN_LOG_LINES);
  const shown = lines.map((line) => `  ${line}\n`).join('');
  const log =
    lines.length > 0 ? `its last log lines (${service.logFile}):\n${shown}` : `nothing new in ${service.logFile}\n`;
  return `\n${service.name} did not come up (${trouble}); ${log}`;
}

/** What can't start is not left to restart for ever behind the back of the person who was told so. */
async function giveUpOn(supervisor: Supervisor, failed: readonly ServiceState[]): Promise<void> {
  const looping = failed.filter(({ process }) => process !== undefined && process.status !== 'stopped');
  if (looping.length > 0) await supervisor.stop(looping.map(({ service }) => service.name));
}
