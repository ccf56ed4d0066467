/**
 * Turns on Node's cache of compiled modules, types stripped, for everything that is imported after this. To be
 * imported first, by a `main.ts` that then loads its program with `import()`.
 *
 * The cache lies in the checkout's private `run/`, never in the system's place for temporary files, where another
 * user could have put code for us to run. Where `run/` can't be written, programs start without it, 100 ms later.
 */
import { mkdirSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { stateFolder } from '../daemon/state-folder.ts';

const run = join(stateFolder, 'run');
try {
  mkdirSync(run, { recursive: true, mode: 0o700 });
  enableCompileCache(join(run, 'compile-cache'));
} catch {
  // Nothing that anybody has to know: only time is lost.
}
