/** `status`: how each service does, proven by a real exchange. */
import { exitCodes } from '../errors.ts';
import { formatStates, formatTroubles, statusColumns } from './report.ts';
import type { FleetContext } from './start.ts';
import { inspect } from './state.ts';

export async function status({ workspace, supervisor, print, complain }: FleetContext): Promise<number> {
  const processes = await supervisor.list();
  const states = await Promise.all(workspace.services.map((service) => inspect(workspace, service, processes)));
  print(formatStates(statusColumns, states, Date.now()));
  complain(formatTroubles(states));
  return states.every(({ trouble }) => trouble === undefined) ? exitCodes.success : exitCodes.failed;
}
