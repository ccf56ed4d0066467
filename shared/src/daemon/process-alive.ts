import { readFileSync } from 'node:fs';

/**
 * Whether a process of this number runs; one of another user counts. A zombie does not: it has ended, and
 * only its number is kept until its parent asks, which the first process of a container may never do.
 */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return !isZombie(pid);
}

function isZombie(pid: number): boolean {
  try {
    // `4711 (name, with any character) Z 1 ...`
    return /\) [ZX] [^)]*$/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
