/** Folders for logs, sockets and pid files: made where they are missing, and some for nobody else to put anything into. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError, systemCode } from '../errors.ts';

/**
 * Makes a folder with its parents, if it is missing. One after the other: what Node has for it (`recursive`) never ends
 * where a parent can't be made and the system says that it isn't there, as below /proc.
 *
 * @throws AppError PERMISSION_DENIED
 */
export async function makeFolder(path: string, mode = 0o777): Promise<void> {
  try {
    await makeOne(path, mode).catch(async (error: unknown) => {
      if (systemCode(error) !== 'ENOENT' || dirname(path) === path) throw error;
      await makeFolder(dirname(path), mode);
      await makeOne(path, mode);
    });
  } catch (error) {
    if (error instanceof AppError) throw error;
    const why = systemCode(error) === 'EEXIST' ? 'is no folder' : `can't be made (${systemCode(error)})`;
    const message = `${path} ${why}; set SMALL_SERVERS_STATE to a folder that this user may write to`;
    throw new AppError('PERMISSION_DENIED', message, { cause: error });
  }
}

async function makeOne(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (systemCode(error) !== 'EEXIST' || !(await stat(path)).isDirectory()) throw error;
  }
}

/**
 * Makes the folder (mode 0700) with its parents if it is missing.
 *
 * @throws AppError PERMISSION_DENIED when it can't be made, and when it exists and belongs to another user but root: a
 * socket in there could be theirs by now
 */
export async function makePrivateFolder(path: string): Promise<void> {
  await makeFolder(path, 0o700);
  const { uid } = await stat(path);
  const own = process.getuid?.();
  // root's folders (/tmp) are safe: root could take the socket anyway, and others can't remove it there.
  if (own !== undefined && own !== 0 && uid !== own && uid !== 0) {
    throw new AppError('PERMISSION_DENIED', `${path} belongs to user ${uid}; remove it or set SMALL_SERVERS_STATE`);
  }
}
