/** A folder with everything in it: the listing goes on while what it listed is fetched. */
import { lstatSync } from 'node:fs';
import { type FilePath, pathBelow } from '../protocol/path.ts';
import type { RemoteEntry } from '../protocol/reply-entry.ts';
import { type Existing, judgeExisting } from './existing.ts';
import { localFailure } from './failures.ts';
import { FetchJob } from './fetch.ts';
import type { FetchPlan, FetchPolicy, FetchResult } from './fetch-plan.ts';
import type { Lanes } from './lanes.ts';
import { listTree } from './listing.ts';

/** Few: the first file is asked for after the first page, and while the server makes one it sends no file. */
const PAGE_ENTRIES = 300;

export interface TreeOptions {
  readonly root: FilePath;
  readonly existing: Existing;
  readonly maxFiles: number;
  readonly retries: number;
}

export interface TreeEvents {
  /** A file that is to be fetched. */
  planned(entry: RemoteEntry): void;
  /** One that is here already. */
  kept(plan: FetchPlan): void;
  /** A link, FIFO, device or socket. */
  skipped(plan: FetchPlan): void;
  finished(result: FetchResult): void;
}

/** Resolves when all was listed and handed to the lanes. @throws what ends the listing */
export async function fetchTree(
  lanes: Lanes,
  { root, existing, maxFiles, retries }: TreeOptions,
  policy: FetchPolicy,
  events: TreeEvents,
): Promise<void> {
  let folder: { readonly text: string; readonly names: readonly Buffer[] } | undefined;
  const source = { connect: () => lanes.connection(), retries, signal: policy.signal, pageEntries: PAGE_ENTRIES };
  for await (const entries of listTree(source, root, maxFiles)) {
    for (const entry of entries) {
      const { names, text } = entry.path;
      // The files of a folder come one after the other, and share its names.
      const folderText = text.slice(0, text.lastIndexOf('/') + 1);
      if (folder?.text !== folderText) folder = { text: folderText, names: names.slice(0, -1) };
      const name = names.at(-1) as Buffer;
      const plan = { path: pathBelow(root, entry.path), entry, folderNames: folder.names, name };
      try {
        const job = planEntry(plan, existing, policy, events);
        if (job !== undefined && !lanes.offer(job)) await lanes.add(job);
      } catch (error) {
        if (lanes.fatal !== undefined) throw lanes.fatal;
        events.finished({ plan, resumedBytes: 0, error: error as Error });
      }
    }
  }
}

function planEntry(plan: FetchPlan, existing: Existing, policy: FetchPolicy, events: TreeEvents): FetchJob | undefined {
  const { entry, folderNames, name } = plan;
  const { target } = policy;
  if (entry.kind === 'directory') {
    target.directory([...folderNames, name]);
    return undefined;
  }
  if (entry.kind === 'other') {
    events.skipped(plan);
    return undefined;
  }
  const folder = target.directory(folderNames);
  const found = folder.isNew ? undefined : lstatSync(target.at(folder, name), { throwIfNoEntry: false });
  const verdict = judgeExisting(found, entry, existing);
  if (verdict.kind === 'refuse') throw localFailure(verdict.why);
  if (verdict.kind === 'keep') {
    events.kept(plan);
    return undefined;
  }
  events.planned(entry);
  return new FetchJob(plan, policy, events.finished);
}
