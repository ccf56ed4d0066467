/**
 * File operations for a file system in memory (tmpfs), where nothing waits for a device: a trip to a thread and back
 * takes ten times as long as what is done there, so the loop does it itself. What takes long even so, moving much
 * data or giving back the memory of a large file, is left to the threads.
 */
import fs from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { type FileOperations, realOperations } from './operations.ts';

/** What the loop copies, or gives back, in well under a millisecond. */
const SMALL_BYTES = 128 * 1024;

/** Whether that name is not the last one of a large file. */
function freesLittle(path: Buffer): boolean {
  const stats = fs.lstatSync(path, { throwIfNoEntry: false });
  return stats === undefined || stats.size <= SMALL_BYTES || stats.nlink > 1;
}

/** Names that are read before others have their turn: a thousand take about a millisecond. */
const NAMES_PER_TURN = 1_024;

async function* names(path: Buffer): AsyncGenerator<string> {
  // The types know no path of bytes here; the function does.
  const directory = fs.opendirSync(path as unknown as string, { encoding: 'latin1', bufferSize: 256 });
  try {
    let count = 0;
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      yield entry.name;
      count += 1;
      if (count % NAMES_PER_TURN === 0) await setImmediate();
    }
  } finally {
    directory.closeSync();
  }
}

export const memoryOperations: FileOperations = {
  ...realOperations,
  hasDisk: false,
  open: async (path, flags, mode) => fs.openSync(path, flags, mode),
  stat: async (descriptor) => fs.fstatSync(descriptor, { bigint: true }),
  lstat: async (path) => fs.lstatSync(path, { bigint: true }),
  write: async (descriptor, bytes, offset) =>
    bytes.length > SMALL_BYTES
      ? realOperations.write(descriptor, bytes, offset)
      : fs.writeSync(descriptor, bytes, 0, bytes.length, offset),
  changeMode: async (descriptor, mode) => fs.fchmodSync(descriptor, mode),
  syncData: async () => {},
  sync: async () => {},
  link: async (from, to) => fs.linkSync(from, to),
  rename: async (from, to) => (freesLittle(to) ? fs.renameSync(from, to) : realOperations.rename(from, to)),
  unlink: async (path, isSpare = false) =>
    isSpare || freesLittle(path) ? fs.unlinkSync(path) : realOperations.unlink(path),
  makeDirectory: async (path, mode) => fs.mkdirSync(path, mode),
  removeDirectory: async (path) => fs.rmdirSync(path),
  names,
};
