/**
 * Which process holds a partial file. On a reload two processes have the same root for a while, and what the older one
 * is still writing is no leftover to the younger.
 *
 * An instance is named `<pid>-<start>-<random>`: a pid alone might be another process by now.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Of this process; several stores may be open in one. */
const open = new Set<string>();

export interface Instance {
  readonly name: string;
  close(): void;
}

export const instancePattern = '[0-9]+-[0-9]+-[0-9a-f]{8}';

export function openInstance(): Instance {
  const name = `${process.pid}-${startOf(process.pid) ?? 0}-${randomBytes(4).toString('hex')}`;
  open.add(name);
  return { name, close: () => open.delete(name) };
}

/** Whether the one of that name may still be writing. */
export function isOpen(name: string): boolean {
  const [pid = '', start] = name.split('-');
  const number = Number(pid);
  if (number === process.pid && start === `${startOf(number) ?? 0}`) return open.has(name);
  const startNow = startOf(number);
  if (startNow !== undefined) return `${startNow}` === start;
  return process.platform !== 'linux' && exists(number);
}

/** When a process started, in clock ticks since the machine did; undefined if it is gone, or where there is no /proc. */
function startOf(pid: number): number | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // proc(5): field 22. The second is the program's name in parentheses, which may itself hold spaces and parentheses.
    return Number(line.slice(line.lastIndexOf(')') + 2).split(' ')[19]);
  } catch {
    return undefined;
  }
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
