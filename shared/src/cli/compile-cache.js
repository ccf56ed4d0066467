/**
 * Turns on Node's cache of compiled modules, types stripped, for everything that is imported after this. To be
 * imported first, by a file that then loads its program with `import()`.
 *
 * No TypeScript, like the `bin.js` of each program, which is all that comes before it: to strip the types of a first
 * file Node loads what strips types, a third of the 0.1 s before the first line. What the cache has is stripped.
 *
 * The cache lies in the private `run/`, never in the system's place for temporary files, where another user could have
 * put code for us to run. Where `run/` can't be written, programs start without it, 0.1 s later.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

// As in ecosystem.config.js and daemon/state-folder.ts.
const root = fileURLToPath(new URL('../../../', import.meta.url));
const run = resolve(root, process.env.SMALL_SERVERS_STATE ?? '', 'run');
try {
  makeFolder(run);
  // Threads look at the variable.
  process.env.NODE_COMPILE_CACHE ??= resolve(run, 'compile-cache');
  enableCompileCache(process.env.NODE_COMPILE_CACHE);
} catch {
  // Nothing that anybody has to know: only time is lost.
}

/** With its parents, one after the other: what Node has for it (`recursive`) never ends below /proc. */
function makeFolder(path) {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}
