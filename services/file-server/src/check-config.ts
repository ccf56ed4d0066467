/** Settings that are each allowed, looked at together. */
import type { Resolved } from '@small-servers/shared/config/layers';
import type { Problem } from '@small-servers/shared/config/problems';
import { EXPOSURE_REMEDY, exposure } from './exposure.ts';
import type { settings } from './settings.ts';
import { readTokenFile } from './token-file.ts';

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
    const what = `can't be used: ${(error as Error).message}`;
    const expected = 'expected a file that only its owner may read, with lines of "sha256:" and 64 hex digits';
    return [{ subject: 'token-file', origin: origins.tokenFile, what, expected }];
  }
}
