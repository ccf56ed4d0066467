/** What `put` does: one file, standard input, or a folder. */
import { fstatSync, statSync } from 'node:fs';
import type { ClientContext } from '@small-servers/shared/cli/client-command';
import { showProgress } from '@small-servers/shared/client/progress';
import { type Endpoint, formatHostPort } from '@small-servers/shared/config/endpoint';
import { AppError, exitCodes } from '@small-servers/shared/errors';
import { type FilePath, pathOf } from '../protocol/path.ts';
import { chooseSha256 } from '../store/sha256.ts';
import type { Connection } from './connection.ts';
import { counted, LeftOut } from './counted.ts';
import { displayName, displayPath } from './display-name.ts';
import { about, errorFields } from './failed-files.ts';
import { interrupted, localFailure, Refusal } from './failures.ts';
import { figures } from './get.ts';
import { Lanes } from './lanes.ts';
import { formatBytes, TransferMeter } from './meter.ts';
import { makeWithParents } from './mkdir-command.ts';
import { PutJob } from './put-job.ts';
import type { PutPlan, PutPolicy, PutResult } from './put-plan.ts';
import { cutStream, putStream } from './put-stream.ts';
import { putTree } from './put-tree.ts';
import { type FolderReport, runFolder } from './run-folder.ts';
import { again, closing, connector, type KeptConnection, keepOpen, withConnection } from './session.ts';
import type { putSettings } from './settings.ts';
import { UploadNotes, uploadNotesFolder } from './upload-notes.ts';

interface PutOperands {
  readonly endpoint: Endpoint;
  readonly local: string;
  readonly path: FilePath;
}

type PutContext = ClientContext<typeof putSettings, PutOperands>;

type Connect = () => Promise<Connection>;

/** One for the whole command: what one of its connections found out about the server holds for all of them. */
function connectorOf({ config, operands, signal }: PutContext): Connect {
  return connector(operands.endpoint, config, signal);
}

/** One file. */
export async function putFile(context: PutContext): Promise<number> {
  const { operands, json, print, signal, terminal } = context;
  const { local, path } = operands;
  const plan: PutPlan = { path, localPath: local, sizeBytes: sizeOf(local), followLinks: true };
  const meter = new TransferMeter();
  meter.totalFiles = 1;
  meter.totalBytes = plan.sizeBytes;
  meter.isOpen = false;
  const lanes = lanesOf(context, 1, connectorOf(context));
  const finished = Promise.withResolvers<PutResult>();
  const wipe = showProgress({ terminal, fraction: () => meter.fraction, label: () => meter.label() });
  await lanes.add(new PutJob(plan, policyOf(context, meter), finished.resolve)).catch(() => {});
  lanes.close();
  await lanes.run().finally(wipe);
  const result = await finished.promise;
  if (result.error !== undefined)
    throw about(subjectOf(result), failure(result, signal), missingFolder(context.operands, result.error));
  print(json ? `${JSON.stringify(fileRecord(result))}\n` : fileSentence(result, meter));
  return exitCodes.success;
}

/** Standard input, to its end. */
export async function putStandardInput(context: PutContext): Promise<number> {
  const { operands, json, print, config, signal, input, terminal } = context;
  const { path, endpoint } = operands;
  // Node reads a folder as if it were empty.
  if (input.fd !== undefined && fstatSync(input.fd).isDirectory()) throw localFailure('standard input: it is a folder');
  const meter = new TransferMeter();
  const onBytes = (count: number): void => {
    meter.bytes += count;
  };
  const makeDigest = chooseSha256(process).maker;
  const wipe = showProgress({ terminal, fraction: () => 0, label: () => formatBytes(meter.bytes) });
  try {
    const { bytes, etag } = await withConnection(connector(endpoint, config, signal), (connection) =>
      putStream(connection, path, input, { existing: config.existing, makeDigest, onBytes }),
    );
    const record = { path: path.text, outcome: 'stored', bytes, etag };
    print(
      json ? `${JSON.stringify(record)}\n` : `${displayPath(path)}: ${formatBytes(bytes)}, ${figures(bytes, meter)}\n`,
    );
    return exitCodes.success;
  } catch (error) {
    const cause = signal.aborted ? interrupted() : cutStream(error as Error);
    throw about(displayPath(path), cause, missingFolder(operands, error));
  } finally {
    wipe();
  }
}

/** A folder and what is in it. */
export async function putFolder(context: PutContext): Promise<number> {
  const { config, operands, signal } = context;
  const { path, local } = operands;
  if (statSync(local, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw localFailure(`${local}: it is no folder`);
  const dial = connectorOf(context);
  const connect = keepOpen(dial);
  return closing(connect, async () => {
    await again({ retries: config.retries, signal }, async () => makeTop(await connect(), path)).catch((error) => {
      throw about(displayPath(path), error);
    });
    return putInto(context, connect, dial);
  });
}

/** What is in a folder, into one that is there. */
function putInto(context: PutContext, connect: KeptConnection, dial: Connect): Promise<number> {
  const { config, operands, signal } = context;
  const { path, local } = operands;
  const meter = new TransferMeter();
  const counts = { stored: 0, same: 0, kept: 0, skipped: 0 };
  const leftOut = new LeftOut();
  const lanes = lanesOf(context, config.parallel, dial);
  const policy = policyOf(context, meter);
  const find = ({ failed, record }: FolderReport): Promise<void> =>
    putTree(lanes, { root: path, localRoot: local, connect, retries: config.retries }, policy, {
      planned: (sizeBytes) => {
        meter.totalFiles += 1;
        meter.totalBytes += sizeBytes;
      },
      skipped: (skipped) => {
        counts.skipped += 1;
        leftOut.add(skipped);
        record(() => ({ path: skipped.text, outcome: 'skipped' }));
      },
      folderFailed: (folder, error) => {
        failed.add(displayPath(folder), error);
        record(() => ({ path: folder.text, outcome: 'failed', error: errorFields(error) }));
      },
      finished: (result) => {
        meter.files += 1;
        if (result.outcome !== 'failed') counts[result.outcome] += 1;
        else if (lanes.fatal === undefined || result.isResumable === true) {
          failed.add(subjectOf(result), failure(result, signal));
        }
        record(() => fileRecord(result));
      },
    });
  const sentence = (failed: number): string => folderSentence(counts, leftOut, failed, meter);
  return runFolder(context, { path, lanes, meter, counts, sentence, find });
}

/** The root needs no making; that somebody answers is known before several connections depend on it. */
async function makeTop(connection: Connection, path: FilePath): Promise<void> {
  if (path.names.length > 0) await makeWithParents(connection, path);
  else await connection.ask('PING');
}

function lanesOf({ config, signal }: PutContext, lanes: number, connect: Connect): Lanes {
  return new Lanes({ lanes, connect, retries: config.retries, signal });
}

function policyOf({ config, operands, signal }: PutContext, meter: TransferMeter): PutPolicy {
  return {
    target: formatHostPort(operands.endpoint),
    existing: config.existing,
    digestFirst: config.digestFirst,
    notes: new UploadNotes(uploadNotesFolder()),
    makeDigest: chooseSha256(process).maker,
    signal,
    onBytes: (count) => {
      meter.bytes += count;
    },
  };
}

/** What cannot be looked at here is told when it is opened. */
function sizeOf(path: string): number {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw localFailure(`${path}: there is no such file`);
  if (stats.isDirectory()) throw localFailure(`${path}: it is a folder; give -r to send what is in it`);
  return stats.size;
}

/** What is wrong here is wrong with the file here. */
function subjectOf({ plan, error }: PutResult): string {
  const isLocal = error instanceof AppError && error.code === 'LOCAL_FILE_FAILED';
  return isLocal ? displayName(Buffer.from(plan.localPath)) : displayPath(plan.path);
}

/** What can be done when there is no folder for the file; nothing otherwise. */
function missingFolder({ path }: PutOperands, error: unknown): string {
  const isMissing = error instanceof Refusal && error.refusal === 'NOTFOUND' && path.names.length > 1;
  if (!isMissing) return '';
  const folder = displayPath(pathOf(path.names.slice(0, -1)));
  return `; the folder ${folder} is not there: file-server mkdir -p makes it`;
}

function failure({ error, isResumable }: PutResult, signal: AbortSignal): Error {
  const cause = signal.aborted ? interrupted() : (error as Error);
  return isResumable === true
    ? about('', cause, '; the server keeps what came, and the same command goes on behind it')
    : cause;
}

function fileRecord({ plan, outcome, resumedBytes, etag, error, isResumable }: PutResult): object {
  return {
    path: plan.path.text,
    outcome,
    bytes: plan.sizeBytes,
    resumedBytes,
    ...(etag === undefined ? {} : { etag }),
    ...(error === undefined ? {} : { resumable: isResumable ?? false, error: errorFields(error) }),
  };
}

const outcomes = { same: 'is there already, the same', kept: 'is there already and stays as it is' } as const;

function fileSentence({ plan, outcome, resumedBytes }: PutResult, meter: TransferMeter): string {
  const start = `${displayPath(plan.path)}: ${formatBytes(plan.sizeBytes)}`;
  if (outcome === 'same' || outcome === 'kept') return `${start}, ${outcomes[outcome]}\n`;
  const resumed = resumedBytes === 0 ? '' : `, ${formatBytes(resumedBytes)} of it before`;
  return `${start}${resumed}, ${figures(plan.sizeBytes - resumedBytes, meter)}\n`;
}

function folderSentence(
  { stored, same, kept }: Readonly<Record<'stored' | 'same' | 'kept', number>>,
  leftOut: LeftOut,
  failed: number,
  meter: TransferMeter,
): string {
  const others = [
    same === 0 ? '' : `${same} there already, the same`,
    kept === 0 ? '' : `${kept} there already`,
    leftOut.words,
    failed === 0 ? '' : `${failed} failed`,
  ].filter((part) => part !== '');
  return `${counted(stored, 'file')}, ${formatBytes(meter.bytes)}, ${figures(meter.bytes, meter)}${others.map((part) => `; ${part}`).join('')}\n`;
}
