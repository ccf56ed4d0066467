/** Services that answer below `run/` without being this pm2's: started by hand, or under another pm2 (PM2_HOME). */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { askReadiness } from '../daemon/admin-client.ts';
import { adminSocketPath } from './round-trip.ts';
import type { SupervisedProcess } from './supervisor.ts';
import type { Workspace } from './workspace.ts';

export interface ElsewhereProcess {
  readonly name: string;
  readonly pid: number;
}

/** In the order of the fleet. A process is found by any of its socket's names, and given once. */
export async function findElsewhere(
  workspace: Workspace,
  ours: readonly SupervisedProcess[],
): Promise<readonly ElsewhereProcess[]> {
  const entries = await readdir(workspace.runFolder);
  const known = new Set(ours.map(({ pid }) => pid));
  const found = await Promise.all(
    workspace.services.map(async ({ name }) => {
      const own = entries.filter((entry) => entry.startsWith(`${name}.`) && entry.endsWith('.sock'));
      const paths = new Set([
        adminSocketPath(workspace, name),
        ...own.map((entry) => join(workspace.runFolder, entry)),
      ]);
      const answers = await Promise.all([...paths].map(askReadiness));
      const pids = new Set(answers.flatMap((answer) => (answer?.service === name ? [answer.pid] : [])));
      return [...pids].filter((pid) => !known.has(pid)).map((pid) => ({ name, pid }));
    }),
  );
  return found.flat();
}

/** What to know of them, and what to do; '' when there are none. */
export function formatElsewhere(processes: readonly ElsewhereProcess[]): string {
  if (processes.length === 0) return '';
  const who = processes.map(({ name, pid }) => `${name} (pid ${pid})`).join(', ');
  return (
    `${who}: served without this pm2, so by hand or under another one.\n` +
    'Another pm2 is reached with the PM2_HOME that it was started with; what runs by hand ends with kill PID.\n'
  );
}
