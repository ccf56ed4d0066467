/** Settings that are each allowed, looked at together. */
import type { Resolved } from '@small-servers/shared/config/layers';
import type { Problem } from '@small-servers/shared/config/problems';
import { EXPOSURE_REMEDY, exposure } from './exposure.ts';
import type { settings } from './settings.ts';
import { readTokenFile, tokenFileProblem } from './token-file.ts';

/** What is wrong with them, if anything. */
export function checkConfig({ config, origins }: Resolved<typeof settings>): readonly Problem[] {
  const { tokenFile, host } = config;
  const exposed = exposure(host, config);
  if (exposed !== undefined) {
    return [{ subject: 'writable', origin: origins.writable, what: exposed, expected: EXPOSURE_REMEDY }];
  }
  try {
    if (tokenFile !== '') readTokenFile(tokenFile);
    return [];
  } catch (error) {
    return [tokenFileProblem(error as Error, origins.tokenFile)];
  }
}
