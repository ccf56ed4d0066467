/** `status`: how each service does, proven by a real exchange, and what moves on it. */
import { setTimeout as delay } from 'node:timers/promises';
import { processSocketPath } from '../daemon/admin-socket.ts';
import { exitCodes } from '../errors.ts';
import { findElsewhere, formatElsewhere } from './elsewhere.ts';
import { lookAt } from './look.ts';
import { formatNotes, formatStates, formatTroubles, statusColumns } from './report.ts';
import { adminSocketPath } from './round-trip.ts';
import type { FleetContext } from './start.ts';
import { inspect } from './state.ts';
import type { SupervisedProcess } from './supervisor.ts';
import { ratesBetween, type Traffic } from './traffic.ts';
import { formatTraffic } from './traffic-table.ts';
import type { Workspace } from './workspace.ts';

/** Rates are over this time at least. */
const RATE_WINDOW_MS = 1_000;

export async function status({ workspace, supervisor, print, complain }: FleetContext): Promise<number> {
  const processes = await supervisor.list();
  const [before] = await Promise.all([lookAtAll(workspace, processes), delay(RATE_WINDOW_MS)]);
  // Before the exchanges, which would be counted.
  const after = await lookAtAll(workspace, processes);
  const states = await Promise.all(workspace.services.map((service) => inspect(workspace, service, processes)));
  print(formatStates(statusColumns, states, Date.now()));
  print(formatNotes(states));
  const traffic = formatTraffic(
    [...after].map(([name, now]) => {
      const earlier = before.get(name);
      return { name, traffic: now, rates: earlier && ratesBetween(earlier, now) };
    }),
  );
  if (traffic !== '') print(`\n${traffic}`);
  complain(formatTroubles(states));
  const unknown = await findElsewhere(workspace, processes);
  // What pm2 restarted in the meantime is ours too; asking again is for the rare case that there is a doubt.
  const since = unknown.length === 0 ? [] : await supervisor.list();
  complain(formatElsewhere(unknown.filter(({ pid }) => !since.some((process) => process.pid === pid))));
  return states.every(({ trouble }) => trouble === undefined) ? exitCodes.success : exitCodes.failed;
}

/**
 * The services that answer, in the order of the fleet: the very processes that pm2 names, for somebody else may have
 * the known name of a socket.
 */
async function lookAtAll(
  workspace: Workspace,
  processes: readonly SupervisedProcess[],
): Promise<ReadonlyMap<string, Traffic>> {
  const looks = await Promise.all(
    workspace.services.map(async ({ name }) => {
      const pid = processes.find((process) => process.name === name)?.pid;
      const traffic = pid && (await lookAt(processSocketPath(adminSocketPath(workspace, name), pid)));
      return traffic ? ([[name, traffic]] as const) : [];
    }),
  );
  return new Map(looks.flat());
}
