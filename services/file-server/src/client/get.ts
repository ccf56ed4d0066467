/** What `get` does: one file, one file to standard output, or a folder. */
import { lstatSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { ClientContext } from '@small-servers/shared/cli/client-command';
import { formatRate } from '@small-servers/shared/client/latency-limits';
import { showProgress } from '@small-servers/shared/client/progress';
import type { Endpoint } from '@small-servers/shared/config/endpoint';
import { exitCodes } from '@small-servers/shared/errors';
import type { FilePath } from '../protocol/path.ts';
import type { RemoteEntry } from '../protocol/reply-entry.ts';
import type { Connection } from './connection.ts';
import { counted, LeftOut } from './counted.ts';
import { displayName, displayPath } from './display-name.ts';
import { judgeExisting } from './existing.ts';
import { about, errorFields } from './failed-files.ts';
import { interrupted, localFailure, refused } from './failures.ts';
import { askEntry, FetchJob } from './fetch.ts';
import type { FetchPlan, FetchPolicy, FetchResult } from './fetch-plan.ts';
import { StreamFetch } from './fetch-stream.ts';
import { fetchTree } from './fetch-tree.ts';
import { type Job, Lanes } from './lanes.ts';
import { formatBytes, TransferMeter } from './meter.ts';
import { type FolderReport, runFolder } from './run-folder.ts';
import { again, closing, connector, handOver, type KeptConnection, keepOpen } from './session.ts';
import type { getSettings } from './settings.ts';
import { TargetFolder } from './target-folder.ts';

interface GetOperands {
  readonly endpoint: Endpoint;
  readonly path: FilePath;
  readonly local: string | undefined;
}

type GetContext = ClientContext<typeof getSettings, GetOperands>;

type Connect = () => Promise<Connection>;

/** One for the whole command: what one of its connections found out about the server holds for all of them. */
function connectorOf({ config, operands, signal }: GetContext): Connect {
  return connector(operands.endpoint, config, signal);
}

/** One file to a name here. */
export async function fetchFile(context: GetContext): Promise<number> {
  // What is wrong here is told before anybody else is asked.
  const place = placeOf(context.operands);
  const connect = connectorOf(context);
  return saveFile(context, place, await askFile(context, connect), connect);
}

async function saveFile(
  context: GetContext,
  { folder, name }: LocalPlace,
  entry: RemoteEntry,
  connect: Connect,
): Promise<number> {
  const { config, operands, json, signal, print } = context;
  const plan: FetchPlan = { path: operands.path, entry, folderNames: [], name };
  const target = new TargetFolder(folder);
  const meter = new TransferMeter();
  const found = lstatSync(target.at(target.directory([]), name), { throwIfNoEntry: false });
  const verdict = judgeExisting(found, entry, config.existing);
  if (verdict.kind === 'refuse') {
    const hint = found?.isDirectory()
      ? `; to put the file into it, give ${join(folder, displayName(name))}/ as LOCAL`
      : '';
    throw localFailure(`${displayName(name)}: ${verdict.why}${hint}`);
  }
  let result: FetchResult = { plan, resumedBytes: 0 };
  if (verdict.kind === 'fetch') {
    const policy = policyOf(context, target, meter, config.fsync === 'never' ? 'never' : 'each');
    await runOne(context, meter, new FetchJob(plan, policy, (finished) => (result = finished)), connect);
  }
  target.close();
  if (result.error !== undefined) throw about(displayPath(operands.path), withPart(result, signal));
  const outcome = verdict.kind === 'keep' ? 'kept' : 'fetched';
  print(json ? `${JSON.stringify(fileRecord(result, outcome))}\n` : fileSentence(result, outcome, meter));
  return exitCodes.success;
}

/** One file to standard output; what there is to say goes elsewhere. */
export async function fetchToStandardOutput(context: GetContext): Promise<number> {
  const { config, operands } = context;
  const connect = connectorOf(context);
  const entry = await askFile(context, connect);
  const plan: FetchPlan = { path: operands.path, entry, folderNames: [], name: Buffer.from('-') };
  const meter = new TransferMeter();
  const job = new StreamFetch(plan, config.verify, context.output, (count) => {
    meter.bytes += count;
  });
  await runOne(context, meter, job, connect);
  if (job.error !== undefined) throw about(displayPath(operands.path), job.error);
  return exitCodes.success;
}

/** A folder and what is in it, to a folder here. */
export async function fetchFolder(context: GetContext): Promise<number> {
  const connect = connectorOf(context);
  const first = keepOpen(connect);
  return closing(first, async () => {
    // Asked before anything is made here. A file is a tree of one.
    const top = await askPath(context, first);
    if (top.kind !== 'file') return saveFolder(context, handOver(first, connect));
    first.close();
    return saveFile(context, placeOf(context.operands), top, connect);
  });
}

async function saveFolder(context: GetContext, connect: Connect): Promise<number> {
  const { config, operands, signal } = context;
  const { path, local } = operands;
  const target = new TargetFolder(local ?? path.names.at(-1)?.toString() ?? '.');
  const meter = new TransferMeter();
  const counts = { fetched: 0, kept: 0, skipped: 0 };
  const leftOut = new LeftOut();
  const lanes = new Lanes({
    lanes: config.parallel,
    connect,
    retries: config.retries,
    signal,
  });
  const policy = policyOf(
    context,
    target,
    meter,
    ({ auto: 'large', each: 'each', never: 'never' } as const)[config.fsync],
  );
  const options = { root: path, existing: config.existing, maxFiles: config.maxFiles, retries: config.retries };
  const find = ({ failed, record }: FolderReport): Promise<void> =>
    fetchTree(lanes, options, policy, {
      planned: ({ sizeBytes }) => {
        meter.totalFiles += 1;
        meter.totalBytes += sizeBytes;
      },
      kept: (plan) => {
        counts.kept += 1;
        record(() => fileRecord({ plan, resumedBytes: 0 }, 'kept'));
      },
      skipped: (plan) => {
        counts.skipped += 1;
        leftOut.add(plan.path);
        record(() => fileRecord({ plan, resumedBytes: 0 }, 'skipped'));
      },
      finished: (result) => {
        meter.files += 1;
        if (result.error === undefined) counts.fetched += 1;
        else if (lanes.fatal === undefined || result.part !== undefined) {
          failed.add(displayPath(result.plan.path), withPart(result, signal));
        }
        record(() => fileRecord(result, result.error === undefined ? 'fetched' : 'failed'));
      },
    });
  const sentence = (failed: number): string => folderSentence(counts, leftOut, failed, meter);
  return runFolder(context, { path, lanes, meter, counts, sentence, find }).finally(() => target.close());
}

async function askPath({ config, operands, signal }: GetContext, connect: KeptConnection): Promise<RemoteEntry> {
  try {
    const entry = await again({ retries: config.retries, signal }, async () =>
      askEntry(await connect(), operands.path),
    );
    if (entry.kind === 'other') throw refused('DENIED', 'it is a link, a FIFO, a device or a socket');
    return entry;
  } catch (error) {
    throw about(displayPath(operands.path), error as Error);
  }
}

async function askFile(context: GetContext, connect: Connect): Promise<RemoteEntry> {
  const { operands } = context;
  const first = keepOpen(connect);
  const entry = await closing(first, () => askPath(context, first));
  if (entry.kind === 'file') return entry;
  throw about(displayPath(operands.path), refused('ISDIR', 'it is a folder; give -r for what is in it'));
}

interface LocalPlace {
  readonly folder: string;
  readonly name: Buffer;
}

/**
 * LOCAL may be a folder, a name, or left out. One file makes no folders, as with cp and curl: one that is missing is
 * likelier misspelt than wanted.
 *
 * @throws AppError LOCAL_FILE_FAILED
 */
function placeOf({ path, local }: GetOperands): LocalPlace {
  const own = path.names.at(-1) ?? Buffer.alloc(0);
  if (local === undefined) return { folder: '.', name: own };
  if (isFolder(local)) return { folder: local, name: own };
  const folder = local.endsWith('/') ? local : dirname(local);
  if (folder !== local && isFolder(folder)) return { folder, name: Buffer.from(basename(local)) };
  throw localFailure(`${folder}: there is no such folder to put the file into; make it first (mkdir -p)`);
}

function isFolder(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  } catch (error) {
    throw localFailure(path, error);
  }
}

function policyOf(
  { config, signal }: GetContext,
  target: TargetFolder,
  meter: TransferMeter,
  fsync: FetchPolicy['fsync'],
): FetchPolicy {
  const onBytes = (count: number): void => {
    meter.bytes += count;
  };
  return { target, verify: config.verify, fsync, signal, onBytes };
}

async function runOne(
  { config, signal, terminal }: GetContext,
  meter: TransferMeter,
  job: Job,
  connect: Connect,
): Promise<void> {
  meter.totalFiles = 1;
  meter.totalBytes = job.weightBytes;
  meter.isOpen = false;
  const lanes = new Lanes({ lanes: 1, connect, retries: config.retries, signal });
  const wipe = showProgress({ terminal, fraction: () => meter.fraction, label: () => meter.label() });
  await lanes.add(job).catch(() => {});
  lanes.close();
  await lanes.run().finally(wipe);
}

/** The error, and what the next run finds. */
function withPart({ error, plan, part }: FetchResult, signal: AbortSignal): Error {
  const cause = signal.aborted ? interrupted() : (error as Error);
  if (part === undefined) return cause;
  const amount = `${formatBytes(part.bytes)} of ${formatBytes(plan.entry.sizeBytes)}`;
  return about('', cause, `; ${amount} are kept as ${part.name}, and the same command goes on behind them`);
}

function fileRecord({ plan, resumedBytes, error, part }: FetchResult, outcome: string): object {
  const { path, entry } = plan;
  return {
    path: path.text,
    outcome,
    bytes: entry.sizeBytes,
    resumedBytes,
    etag: entry.etag,
    ...(part === undefined ? {} : { part }),
    ...(error === undefined ? {} : { error: errorFields(error) }),
  };
}

function fileSentence({ plan, resumedBytes }: FetchResult, outcome: string, meter: TransferMeter): string {
  const size = formatBytes(plan.entry.sizeBytes);
  const name = displayName(plan.name);
  if (outcome === 'kept') return `${name}: ${size}, is here already\n`;
  const moved = plan.entry.sizeBytes - resumedBytes;
  const resumed = resumedBytes === 0 ? '' : `, ${formatBytes(resumedBytes)} of it before`;
  return `${name}: ${size}${resumed}, ${figures(moved, meter)}\n`;
}

function folderSentence(
  { fetched, kept }: { fetched: number; kept: number },
  leftOut: LeftOut,
  failed: number,
  meter: TransferMeter,
): string {
  const others = [
    kept === 0 ? '' : `${kept} here already`,
    leftOut.words,
    failed === 0 ? '' : `${failed} failed`,
  ].filter((part) => part !== '');
  return `${counted(fetched, 'file')}, ${formatBytes(meter.bytes)}, ${figures(meter.bytes, meter)}${others.map((part) => `; ${part}`).join('')}\n`;
}

/** `in 1.20 s (430.1 MiB/s)` */
export function figures(bytes: number, { elapsedMs }: TransferMeter): string {
  return `in ${(elapsedMs / 1000).toFixed(2)} s (${formatRate((bytes * 1000) / Math.max(1, elapsedMs))})`;
}
