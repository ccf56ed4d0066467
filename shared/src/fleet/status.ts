/** `status`: how each service does, proven by a real exchange, and what moves on it. */
import { setTimeout as delay } from 'node:timers/promises';
import { exitCodes } from '../errors.ts';
import { findElsewhere, formatElsewhere } from './elsewhere.ts';
import { lookAt } from './look.ts';
import { formatNotes, formatStates, formatTroubles, statusColumns } from './report.ts';
import { adminSocketPath } from './round-trip.ts';
import type { FleetContext } from './start.ts';
import { inspect } from './state.ts';
import { ratesBetween, type Traffic } from './traffic.ts';
import { formatTraffic } from './traffic-table.ts';
import type { Workspace } from './workspace.ts';

/** Rates are over this time at least; asking pm2 takes most of it anyway. */
const RATE_WINDOW_MS = 1_000;

export async function status({ workspace, supervisor, print, complain }: FleetContext): Promise<number> {
  const [before, processes] = await Promise.all([lookAtAll(workspace), supervisor.list(), delay(RATE_WINDOW_MS)]);
  // Before the exchanges, which would be counted.
  const after = await lookAtAll(workspace);
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

/** The services that answer, in the order of the fleet. */
async function lookAtAll(workspace: Workspace): Promise<ReadonlyMap<string, Traffic>> {
  const looks = await Promise.all(
    workspace.services.map(async ({ name }) => [name, await lookAt(adminSocketPath(workspace, name))] as const),
  );
  return new Map(looks.filter((look): look is readonly [string, Traffic] => look[1] !== undefined));
}
