/** What the daemon is configured with, for the commands beside it: the same layers but for its flags. */
import type { Problem } from '@small-servers/shared/config/problems';
import { readConfiguration } from '@small-servers/shared/daemon/configuration';
import { settings, type WatchConfig } from './settings.ts';

export interface Configured {
  readonly config: WatchConfig;
  readonly problems: readonly Problem[];
}

export async function readConfigured(): Promise<Configured> {
  const noFlags = { program: 'sntp-client', operands: [], flags: [], extra: new Map<string, string>(), problems: [] };
  const { resolved, problems } = await readConfiguration('sntp-client', settings, noFlags);
  return { config: resolved.config, problems };
}
