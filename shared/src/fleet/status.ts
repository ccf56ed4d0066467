/** `status` and `reload`: how each service does, proven by a real exchange. */
import { exitCodes } from '../errors.ts';
import { formatStates, formatTroubles, statusColumns } from './report.ts';
import { type FleetContext, waitUntilUp } from './start.ts';
import { inspect, type ServiceState } from './state.ts';

export async function status(context: FleetContext): Promise<number> {
  const { workspace, supervisor } = context;
  const processes = await supervisor.list();
  const states = await Promise.all(workspace.services.map((service) => inspect(workspace, service, processes)));
  return report(context, states);
}

/** Restarts what runs with the environment of now; each service drains before it ends. */
export async function reload(context: FleetContext): Promise<number> {
  const { workspace, supervisor, complain } = context;
  const known = await supervisor.list();
  const running = workspace.services.filter(({ name }) => known.some((process) => process.name === name && process.status === 'online'));
  if (running.length === 0) {
    complain('Nothing is running; start it with: npx pnpm@12 start\n');
    return exitCodes.failed;
  }
  await supervisor.reload(running.map(({ name }) => name));
  return report(context, await waitUntilUp(workspace, supervisor, running));
}

function report({ print, complain }: FleetContext, states: readonly ServiceState[]): number {
  print(formatStates(statusColumns, states, Date.now()));
  complain(formatTroubles(states));
  return states.every(({ trouble }) => trouble === undefined) ? exitCodes.success : exitCodes.failed;
}
