/** The same for each of several paths: one that fails does not keep the others from their turn. */
import type { ClientContext } from '@small-servers/shared/cli/client-command';
import type { Settings } from '@small-servers/shared/config/settings';
import { exitCodes } from '@small-servers/shared/errors';
import type { FilePath } from '../protocol/path.ts';
import { displayPath } from './display-name.ts';
import { errorFields } from './failed-files.ts';
import { Refusal } from './failures.ts';

/**
 * Resolves to the exit code. What the server refuses is told of the path; anything else (nobody listens, a broken
 * protocol) would befall the next path as well and is thrown.
 */
export async function forEachPath(
  { json, print, warn, signal }: ClientContext<Settings, unknown>,
  paths: readonly FilePath[],
  work: (path: FilePath) => Promise<void>,
): Promise<number> {
  let failed = 0;
  for (const path of paths) {
    try {
      await work(path);
    } catch (error) {
      if (!(error instanceof Refusal) || signal.aborted || error.retry === 'auth') throw error;
      failed += 1;
      if (json) print(`${JSON.stringify({ path: path.text, error: errorFields(error) })}\n`);
      else warn(`${displayPath(path)}: ${error.message}`);
    }
  }
  return failed > 0 ? exitCodes.failed : exitCodes.success;
}
