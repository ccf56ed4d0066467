/** Server and load on a core each, so that neither takes time from the other. */
import { readFileSync } from 'node:fs';

import { findProgram } from './programs.ts';

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** Variables beside those of the bench itself. */
  readonly variables?: Readonly<Record<string, string>>;
}

export interface Placement {
  /** How it was done, for the line that describes the machine. */
  readonly description: string;
  server(command: Command): Command;
  load(command: Command): Command;
}

/** Pins with taskset where there are two cores and taskset; otherwise leaves placing to the kernel and says so. */
export function placeOnCores(): Placement {
  const taskset = findProgram('taskset');
  const cores = allowedCores();
  const [loadCore, serverCore] = [cores.at(0), cores.at(-1)];
  if (taskset === undefined || cores.length < 2) {
    const why = taskset === undefined ? 'taskset is not installed' : 'there is one core only';
    const asIs = (command: Command) => command;
    return { description: `server and load not pinned (${why})`, server: asIs, load: asIs };
  }
  const pinned = (core: number | undefined) => (command: Command) => ({
    ...command,
    program: taskset,
    args: ['-c', String(core), command.program, ...command.args],
  });
  return {
    description: `server on core ${serverCore}, load on core ${loadCore}`,
    server: pinned(serverCore),
    load: pinned(loadCore),
  };
}

/** The cores this process may run on, ascending; none where the kernel does not say. */
function allowedCores(): number[] {
  let status: string;
  try {
    status = readFileSync('/proc/self/status', 'utf8');
  } catch {
    return [];
  }
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [first = Number.NaN, last = first] = range.split('-').map(Number);
    return Number.isNaN(first) ? [] : Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
