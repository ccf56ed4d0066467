/** Folders for sockets and pid files, which nobody else may put anything into. */
import { mkdir, stat } from 'node:fs/promises';
import { AppError } from '../errors.ts';

/**
 * Makes the folder (mode 0700) with its parents if it is missing.
 *
 * @throws AppError PERMISSION_DENIED when it exists and belongs to another user but root: a socket in
 * there could be theirs by now
 */
export async function makePrivateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const { uid } = await stat(path);
  const own = process.getuid?.();
  // root's folders (/tmp) are safe: root could take the socket anyway, and others can't remove it there.
  if (own !== undefined && own !== 0 && uid !== own && uid !== 0) {
    throw new AppError('PERMISSION_DENIED', `${path} belongs to user ${uid}; remove it or set SMALL_SERVERS_STATE`);
  }
}
