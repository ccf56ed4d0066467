/** A folder on its way, here or there: lanes at work, a record or a line for each file, and a sum at the end. */
import type { ClientContext } from '@small-servers/shared/cli/client-command';
import { showProgress } from '@small-servers/shared/client/progress';
import type { Settings } from '@small-servers/shared/config/settings';
import { AppError, exitCodes } from '@small-servers/shared/errors';
import type { FilePath } from '../protocol/path.ts';
import { displayPath } from './display-name.ts';
import { about, FailedFiles } from './failed-files.ts';
import type { Lanes } from './lanes.ts';
import type { TransferMeter } from './meter.ts';

/** Where what becomes of a file is told. */
export interface FolderReport {
  readonly failed: FailedFiles;
  /** Prints what `describe` makes, with `--json` alone; without, nobody makes it. */
  record(describe: () => object): void;
}

interface FolderRun {
  readonly path: FilePath;
  readonly lanes: Lanes;
  readonly meter: TransferMeter;
  /** What became of files, as it stands in the summary. */
  readonly counts: object;
  /** The same for a person. */
  sentence(failed: number): string;
  /** Resolves when everything was found and handed to the lanes. */
  find(report: FolderReport): Promise<void>;
}

/** Resolves to the exit code. @throws what ended everything early */
export async function runFolder(
  { json, print, warn, terminal }: Pick<ClientContext<Settings, unknown>, 'json' | 'print' | 'warn' | 'terminal'>,
  { path, lanes, meter, counts, sentence, find }: FolderRun,
): Promise<number> {
  const failed = new FailedFiles(json ? () => {} : warn);
  const record = (describe: () => object): void => {
    if (json) print(`${JSON.stringify(describe())}\n`);
  };
  const wipe = showProgress({ terminal, fraction: () => meter.fraction, label: () => meter.label() });
  const running = lanes.run();
  try {
    await find({ failed, record });
    meter.isOpen = false;
  } catch (error) {
    lanes.stop(error as Error);
  } finally {
    lanes.close();
    await running;
    wipe();
  }
  const { bytes, elapsedMs } = meter;
  record(() => ({ summary: { ...counts, failed: failed.count, bytes, durationMs: Math.round(elapsedMs) } }));
  if (!json) print(sentence(failed.count));
  if (lanes.fatal !== undefined) throw about(displayPath(path), lanes.fatal, goesOn(lanes.fatal));
  return failed.count > 0 ? exitCodes.failed : exitCodes.success;
}

/** What is whole has its name, and is passed over the next time. */
function goesOn(error: Error): string {
  const isInterrupted = error instanceof AppError && error.code === 'TRANSFER_INTERRUPTED';
  return isInterrupted ? '; the same command goes on where this one stopped' : '';
}
