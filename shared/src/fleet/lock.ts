/**
 * One `start`, `stop` or `reload` at a time. Two at once would each find no pm2 and begin one, and the processes of one
 * of them would belong to nobody.
 */
import { randomUUID } from 'node:crypto';
import { link, readFile, unlink, writeFile } from 'node:fs/promises';
import { AppError, systemCode } from '../errors.ts';

/** Runs `work` while nobody else holds the lock. @throws AppError SUPERVISOR_FAILED if somebody does */
export async function alone<T>(lockFile: string, work: () => Promise<T>): Promise<T> {
  await take(lockFile);
  try {
    return await work();
  } finally {
    await unlink(lockFile).catch(() => {});
  }
}

async function take(lockFile: string): Promise<void> {
  if (await make(lockFile)) return;
  const holder = Number(await readFile(lockFile, 'utf8').catch(() => ''));
  if (isRunning(holder)) {
    throw new AppError('SUPERVISOR_FAILED', `another start, stop or reload is under way (pid ${holder}): ${lockFile}`);
  }
  // Who held it was killed.
  await unlink(lockFile).catch(() => {});
  if (!(await make(lockFile))) throw new AppError('SUPERVISOR_FAILED', 'another start, stop or reload came first');
}

/** Whether the file was not there. It appears with the pid in it: an empty one would look like one of the dead. */
async function make(lockFile: string): Promise<boolean> {
  const own = `${lockFile}.${randomUUID()}`;
  await writeFile(own, String(process.pid), { mode: 0o600 });
  try {
    await link(own, lockFile);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(own);
  }
}

function isRunning(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}
