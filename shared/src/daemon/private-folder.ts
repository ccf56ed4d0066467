/** Folders for sockets and pid files, which nobody else may put anything into. */
import { mkdir, stat } from 'node:fs/promises';
import { AppError } from '../errors.ts';

/**
 * Makes the folder (mode 0700) with its parents if it is missing.
 *
 * @throws AppError PERMISSION_DENIED when it exists and belongs to another user: a socket in there
 * could be theirs by now
 */
export async function makePrivateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const { uid } = await stat(path);
  const own = process.getuid?.();
  if (own !== undefined && own !== 0 && uid !== own) {
    throw new AppError('PERMISSION_DENIED', `${path} belongs to user ${uid}; remove it or set SMALL_SERVERS_STATE`);
  }
}
