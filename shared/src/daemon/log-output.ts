/** Where the lines of a log go: stdout, or a file that loses none however the process ends. */
import { writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { redirect } from '../native/shared-file.ts';
import { addLeftBehind, keepLines } from './kept-lines.ts';
import { LineWriter } from './line-writer.ts';
import { LogFile } from './log-file.ts';

export interface LogOutput {
  write(line: string, urgent: boolean): void;
  flushSync(): unknown;
}

/** Called when lines can be written again, with how many were lost meanwhile. */
type OnLost = (lines: number) => void;

const STDOUT = 1;
const STDERR = 2;

/** A log in which nothing happens is moved to its new file by this. */
const LOOK_EVERY_MS = 1_000;

/** stdout. That it can't be written to must not end the service. */
export function standardOutput(onLost: OnLost): LogOutput {
  const writer = new LineWriter({ write: (bytes) => writeSync(STDOUT, bytes), onLost });
  process.on('exit', () => writer.flushSync());
  return writer;
}

/**
 * A file (docs/decisions/0301-log-file.md). Where memory that outlives the process can't be had, each line is written
 * as it comes, which takes more time and loses no more.
 *
 * @throws AppError LOG_UNWRITABLE
 */
export function fileOutput(logFile: string, onLost: OnLost): LogOutput & { readonly recovered: number } {
  const file = new LogFile(resolve(logFile));
  const recovered = recover(file);
  const kept = keepLines(file.path);
  const settle = (): void => {
    kept?.writingTo(file.inode);
    takeStandardStreams(file.fd);
  };
  settle();
  file.onReopened = settle;
  const writer = new LineWriter({
    write: (bytes) => file.write(bytes),
    onLost,
    ...(kept === undefined ? { eachLine: true } : { store: kept }),
  });
  setInterval(() => file.reopenIfMoved(), LOOK_EVERY_MS).unref();
  process.on('exit', () => {
    // What could not be written is left to the next process.
    if (writer.flushSync()) kept?.remove();
  });
  return {
    write: (line, urgent) => writer.write(line, urgent),
    flushSync: () => writer.flushSync(),
    recovered,
  };
}

/** How many lines of ended processes were added. */
function recover(file: LogFile): number {
  let lines = 0;
  try {
    addLeftBehind(file.path, (left) => {
      lines += file.complete(left);
    });
  } catch {
    // A full disk: they are kept, for the start after this one.
  }
  return lines;
}

/**
 * What is printed past the log, such as Node's last words on an error of its own, goes to the same file. pm2 would
 * pass it on, but drops what it has not written when the process ends, and knows nothing of a renamed file.
 */
function takeStandardStreams(fd: number): void {
  if (process.env.pm_id === undefined) return;
  for (const stream of [STDOUT, STDERR]) redirect(fd, stream);
}
