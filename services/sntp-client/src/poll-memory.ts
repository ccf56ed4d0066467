/**
 * When each server was asked last, remembered over restarts: a supervisor that restarts a crashing
 * process a hundred times must not make it ask a hundred times.
 *
 *     { "version": 1, "servers": { "nts://time.example": { "lastPollAt": "...", "notBefore": "...", ... } } }
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makePrivateFolder } from '@small-servers/shared/daemon/private-folder';
import { systemCode } from '@small-servers/shared/errors';

export interface RememberedPoll {
  /** ISO 8601, by the local wall clock. */
  readonly lastPollAt: string;
  /** The server is not asked before this time. */
  readonly notBefore: string;
  readonly address?: string | undefined;
  /** Word of the result (`accepted`, `timed-out`), left out while the poll is under way. */
  readonly result?: string | undefined;
  readonly reason?: string | undefined;
  readonly offsetSeconds?: number | undefined;
  readonly boundSeconds?: number | undefined;
  readonly delaySeconds?: number | undefined;
  readonly stratum?: number | undefined;
}

export interface PollMemory {
  recall(server: string): RememberedPoll | undefined;
  /** Resolves when it is on disk, or has failed to get there. */
  remember(server: string, poll: RememberedPoll): Promise<void>;
}

const VERSION = 1;

/** Forgets at exit: for `--state-file off`, and tests. */
export function volatileMemory(): PollMemory {
  const polls = new Map<string, RememberedPoll>();
  return {
    recall: (server) => polls.get(server),
    remember: async (server, poll) => void polls.set(server, poll),
  };
}

/** What a file remembers. A file that is missing, or that no program of ours wrote, remembers nothing. */
export async function readPolls(path: string): Promise<ReadonlyMap<string, RememberedPoll>> {
  try {
    const { version, servers } = JSON.parse(await readFile(path, 'utf8')) as { version?: unknown; servers?: unknown };
    if (version !== VERSION || typeof servers !== 'object' || servers === null) return new Map();
    return new Map(Object.entries(servers).filter(([, poll]) => isPoll(poll)));
  } catch {
    return new Map();
  }
}

function isPoll(value: unknown): value is RememberedPoll {
  const { lastPollAt, notBefore } = (value ?? {}) as Partial<Record<string, unknown>>;
  return [lastPollAt, notBefore].every((time) => typeof time === 'string' && Number.isFinite(Date.parse(time)));
}

/**
 * A memory in a file that is replaced as a whole. Polls that are remembered while a write is under way
 * share the next one.
 *
 * @param onFailure called with the system's error when the file can't be written, once until it can again
 */
export async function fileMemory(
  path: string,
  names: readonly string[],
  onFailure: (error: Error) => void,
): Promise<PollMemory> {
  const known = await readPolls(path);
  // Servers that are configured no more are forgotten.
  const polls = new Map([...known].filter(([name]) => names.includes(name)));
  let failing = false;

  const write = async (): Promise<void> => {
    const temporary = `${path}.${process.pid}`;
    try {
      await makePrivateFolder(dirname(path));
      const body = JSON.stringify({ version: VERSION, servers: Object.fromEntries(polls) });
      await writeFile(temporary, `${body}\n`, { mode: 0o600 });
      await rename(temporary, path);
      failing = false;
    } catch (error) {
      if (!failing) onFailure(error as Error);
      failing = true;
      if (systemCode(error) === undefined) throw error;
    }
  };
  let running: Promise<void> | undefined;
  let queued: Promise<void> | undefined;
  const save = (): Promise<void> => {
    if (running === undefined) {
      running = write().finally(() => {
        running = undefined;
      });
      return running;
    }
    queued ??= running.then(() => {
      queued = undefined;
      return save();
    });
    return queued;
  };

  return {
    recall: (server) => polls.get(server),
    remember: (server, poll) => {
      polls.set(server, poll);
      return save();
    },
  };
}
