/** What the daemon is configured with, for the commands beside it: the same layers but for its flags. */
import type { Problem } from '@small-servers/shared/config/problems';
import { resolveSettings } from '@small-servers/shared/config/layers';
import { readConfiguration } from '@small-servers/shared/daemon/run';
import { settings, type WatchConfig } from './settings.ts';

export interface Configured {
  readonly config: WatchConfig;
  readonly problems: readonly Problem[];
}

export async function readConfigured(environment: NodeJS.ProcessEnv = process.env): Promise<Configured> {
  const { file, problems: fileProblems } = await readConfiguration(undefined);
  const { config, problems } = resolveSettings('sntp-client', settings, { flags: [], environment, file });
  return { config, problems: [...fileProblems, ...problems] };
}
