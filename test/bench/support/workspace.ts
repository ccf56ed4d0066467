/** Everything that a bench would leave behind: its temporary folder and the processes it started. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Open it with `using`. It is cleared at the end of the block, and also when the bench is interrupted: the clearing
 * is synchronous so that it can run while the process exits.
 */
export class Workspace implements Disposable {
  readonly folder: string;
  readonly #children = new Set<ChildProcess>();
  readonly #clear = () => this[Symbol.dispose]();

  /** @param parent where the folder is made: a file system in memory for a bench that moves large files */
  constructor(parent = tmpdir()) {
    this.folder = mkdtempSync(join(parent, 'small-servers-bench-'));
    process.once('exit', this.#clear);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, exitFor);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Takes charge of a process that was spawned with `detached: true`, so that it leads a group of its own. */
  adopt(child: ChildProcess): void {
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
  }

  [Symbol.dispose](): void {
    process.off('exit', this.#clear);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, exitFor);
    for (const child of this.#children) killGroup(child);
    this.#children.clear();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Ends a process and what it forked (socat and xinetd fork for every connection). */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // ESRCH: all of them are gone already.
  }
}

function exitFor(signal: NodeJS.Signals): void {
  process.exit(128 + constants.signals[signal]);
}
