/**
 * `reload`: every running service replaced without refusing a connection.
 *
 * The new process listens beside the old one on the same port (SO_REUSEPORT). When it is proven, the old
 * one is told to end: it closes its listener, finishes what is in flight and exits. A new process that
 * does not come up is removed, and the old one serves on.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive } from '../daemon/process-alive.ts';
import { exitCodes } from '../errors.ts';
import { findElsewhere, formatElsewhere } from './elsewhere.ts';
import { lastLines, sizeBytes } from './log-tail.ts';
import { formatStates, formatTroubles, statusColumns } from './report.ts';
import type { FleetContext } from './start.ts';
import { inspect, type ServiceState } from './state.ts';
import type { SupervisedProcess, Supervisor } from './supervisor.ts';
import type { FleetService, Workspace } from './workspace.ts';

const PATIENCE_MS = 20_000;
const LOOK_AGAIN_MS = 150;
const SHOWN_LOG_LINES = 10;

/** Longer than a handshake takes over any network that a person would use. */
const HAND_OVER_MS = 500;

export async function reload(context: FleetContext): Promise<number> {
  const { workspace, supervisor, print, complain } = context;
  const known = await supervisor.list();
  const running = workspace.services.filter(({ name }) =>
    known.some((process) => process.name === name && process.status === 'online'),
  );
  if (running.length === 0) {
    const elsewhere = await findElsewhere(workspace, known);
    const hint =
      elsewhere.length === 0 ? 'Nothing is running; start it with: npx pnpm@12 start' : 'Nothing was reloaded.';
    complain(`${hint}\n${formatElsewhere(elsewhere)}`);
    return exitCodes.failed;
  }
  const states: ServiceState[] = [];
  // One after the other: a machine that is short of memory holds one service twice, not all of them.
  for (const service of running) states.push(await replace(context, service, known));
  print(formatStates(statusColumns, states, Date.now()));
  complain(formatTroubles(states));
  return states.every(({ trouble }) => trouble === undefined) ? exitCodes.success : exitCodes.failed;
}

/** Puts a new process in the place of all that a service has; the state is that of the process that serves then. */
async function replace(
  { workspace, supervisor, complain }: FleetContext,
  service: FleetService,
  known: readonly SupervisedProcess[],
): Promise<ServiceState> {
  const old = known.filter(({ name }) => name === service.name).map(({ id }) => id);
  const logEnd = await sizeBytes(service.logFile);
  await supervisor.startBeside(service.app);
  const state = await waitForNew(workspace, supervisor, service, old);
  if (state.trouble === undefined) {
    await handOver(known.filter(({ id }) => old.includes(id)));
    await supervisor.remove(old);
    return state;
  }
  const lines = await lastLines(service.logFile, logEnd, SHOWN_LOG_LINES);
  if (state.process !== undefined) await supervisor.remove([state.process.id]);
  const shown = lines.map((line) => `  ${line}\n`).join('');
  complain(`${service.name}: the new process did not come up (${state.trouble}), the old one serves on:\n${shown}`);
  return state;
}

/** Asks the old processes to send new peers on, and gives those already on their way time to be accepted. */
async function handOver(old: readonly SupervisedProcess[]): Promise<void> {
  for (const { pid } of old) if (pid > 0 && isAlive(pid)) process.kill(pid, 'SIGUSR2');
  await delay(HAND_OVER_MS);
}

/** Looks at the new process until it serves, has ended, or patience is over. */
async function waitForNew(
  workspace: Workspace,
  supervisor: Supervisor,
  service: FleetService,
  old: readonly number[],
): Promise<ServiceState> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const fresh = (await supervisor.list()).filter(({ id }) => !old.includes(id));
    const state = await inspect(workspace, service, fresh);
    const ended = (state.process?.restarts ?? 0) > 0 || state.process?.status !== 'online';
    if (state.trouble === undefined || ended || performance.now() > deadlineMs) return state;
    await delay(LOOK_AGAIN_MS);
  }
}
