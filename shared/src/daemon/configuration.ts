/** Every layer of a daemon's configuration, read from where it is: flags, environment, file. */
import { readFile } from 'node:fs/promises';
import type { Invocation } from '../cli/program.ts';
import { type FileSection, readSection } from '../config/file.ts';
import { type Resolved, resolveSettings } from '../config/layers.ts';
import type { Problem } from '../config/problems.ts';
import type { Settings } from '../config/settings.ts';

/** Read when `--config` is not given; a service finds its own section in it. */
export const CONFIG_VARIABLE = 'SMALL_SERVERS_CONFIG';

/** At the start, and again at each SIGHUP: the file may then say something new. */
export async function readConfiguration<S extends Settings>(
  service: string,
  settings: S,
  { flags, extra, problems }: Invocation,
): Promise<{ readonly resolved: Resolved<S>; readonly problems: readonly Problem[] }> {
  const { file, problem } = await readFileLayer(service, extra.get('config'));
  const resolved = resolveSettings(service, settings, { flags, environment: process.env, file });
  return { resolved, problems: [...problems, ...(problem === undefined ? [] : [problem]), ...resolved.problems] };
}

async function readFileLayer(
  service: string,
  flag: string | undefined,
): Promise<{ file?: FileSection; problem?: Problem }> {
  const path = flag ?? process.env[CONFIG_VARIABLE];
  if (path === undefined) return {};
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const origin = flag === undefined ? `variable ${CONFIG_VARIABLE}` : 'flag --config';
    const what = `can't be read: ${(error as Error).message}`;
    return { problem: { subject: path || 'config', origin, what, expected: 'expected a readable file' } };
  }
  return { file: readSection({ path, text }, service) };
}
