/** `stop`: every service drained and ended, and pm2's own daemon with them. */
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive } from '../daemon/process-alive.ts';
import { exitCodes } from '../errors.ts';
import { findElsewhere, formatElsewhere } from './elsewhere.ts';
import type { FleetContext } from './start.ts';

const PATIENCE_MS = 10_000;
const LOOK_AGAIN_MS = 50;

export async function stop({ workspace, supervisor, print, complain }: FleetContext): Promise<number> {
  const daemonPid = await supervisor.daemonPid();
  if (daemonPid === undefined) {
    const elsewhere = await findElsewhere(workspace, []);
    print(elsewhere.length === 0 ? 'Nothing was running.\n' : 'Nothing was stopped.\n');
    complain(formatElsewhere(elsewhere));
    return elsewhere.length === 0 ? exitCodes.success : exitCodes.failed;
  }
  const processes = await supervisor.list();
  const ours = processes.filter(({ name }) => workspace.services.some((service) => service.name === name));
  // With PM2_HOME set, other people's processes may live under the same pm2; it then stays.
  const shared = ours.length < processes.length;
  if (!shared) await supervisor.kill();
  else if (ours.length > 0) await supervisor.remove(ours.map(({ name }) => name));

  const pids = [...ours.map(({ pid }) => pid), ...(shared ? [] : [daemonPid])].filter((pid) => pid > 0);
  const left = await waitUntilGone(pids);
  if (left.length > 0) {
    complain(`still running: process ${left.join(', ')}; end it with kill -9\n`);
    return exitCodes.failed;
  }
  const names = ours.map(({ name }) => name).join(', ') || 'no service';
  print(`Stopped ${names}${shared ? '; pm2 stays for the processes that are not ours' : ' and pm2'}.\n`);
  return exitCodes.success;
}

async function waitUntilGone(pids: readonly number[]): Promise<readonly number[]> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const left = pids.filter(isAlive);
    if (left.length === 0 || performance.now() > deadlineMs) return left;
    await delay(LOOK_AGAIN_MS);
  }
}
