/** A folder with everything in it: folders are made ahead of what goes into them. */
import { type FilePath, pathOf } from '../protocol/path.ts';
import type { Connection } from './connection.ts';
import { Refusal } from './failures.ts';
import type { Lanes } from './lanes.ts';
import { type LocalEntry, readFolder } from './local-tree.ts';
import { PutJob } from './put-job.ts';
import type { PutPolicy, PutResult } from './put-plan.ts';
import { again } from './session.ts';

export interface PutTreeOptions {
  readonly root: FilePath;
  readonly localRoot: string;
  /** For folders: they do not wait behind the content of files. */
  readonly connect: () => Promise<Connection>;
  readonly retries: number;
}

export interface PutTreeEvents {
  planned(sizeBytes: number): void;
  /** A link, FIFO, device or socket. */
  skipped(path: FilePath): void;
  /** A folder that can't be made there or read here: nothing in it is sent. */
  folderFailed(path: FilePath, error: Error): void;
  finished(result: PutResult): void;
}

/** Resolves when all was found and handed to the lanes. @throws what ends the connections */
export async function putTree(
  lanes: Lanes,
  options: PutTreeOptions,
  policy: PutPolicy,
  events: PutTreeEvents,
): Promise<void> {
  const { root, localRoot } = options;
  const top: LocalEntry = { names: [], localPath: Buffer.from(localRoot), kind: 'directory', sizeBytes: 0 };
  const folders: LocalEntry[] = [top];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const at = (names: readonly Buffer[]): FilePath => pathOf([...root.names, ...names]);
    let entries: readonly LocalEntry[];
    try {
      entries = readFolder(folder.localPath, folder.names);
    } catch (error) {
      events.folderFailed(at(folder.names), error as Error);
      continue;
    }
    const inner = entries.filter(({ kind }) => kind === 'directory');
    const made = await makeFolders(
      options,
      policy.signal,
      inner.map(({ names }) => at(names)),
    );
    // From the end, so that the first is the next.
    for (const [index, error] of [...made.entries()].toReversed()) {
      const entry = inner[index] as LocalEntry;
      if (error === undefined) folders.push(entry);
      else events.folderFailed(at(entry.names), error);
    }
    for (const { names, localPath, kind, sizeBytes } of entries) {
      if (kind === 'other') events.skipped(at(names));
      if (kind !== 'file') continue;
      events.planned(sizeBytes);
      const plan = { path: at(names), localPath, sizeBytes, followLinks: false };
      await lanes.add(new PutJob(plan, policy, events.finished));
    }
  }
}

/** Makes folders that may be there; what keeps one from being made, in their order. */
async function makeFolders(
  { connect, retries }: PutTreeOptions,
  signal: AbortSignal,
  paths: readonly FilePath[],
): Promise<readonly (Error | undefined)[]> {
  if (paths.length === 0) return [];
  return again({ retries, signal }, async () => {
    const connection = await connect();
    const outcomes = await Promise.allSettled(paths.map(({ text }) => connection.ask(`MKDIR ${text}`)));
    return outcomes.map((outcome) => {
      if (outcome.status === 'fulfilled') return undefined;
      if (!(outcome.reason instanceof Refusal)) throw outcome.reason;
      return outcome.reason.refusal === 'EXISTS' ? undefined : outcome.reason;
    });
  });
}
