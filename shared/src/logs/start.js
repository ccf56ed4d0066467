/**
 * `pnpm logs`. As main.ts, but no TypeScript: to strip the types of a first file Node loads what strips types, a third
 * of the 0.1 s before the first line. The rest comes from the cache of compiled code (cli/compile-cache.ts).
 */
import { mkdirSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

// As in ecosystem.config.js and daemon/state-folder.ts.
const root = fileURLToPath(new URL('../../../', import.meta.url));
const run = resolve(root, process.env.SMALL_SERVERS_STATE ?? '', 'run');
try {
  mkdirSync(run, { recursive: true, mode: 0o700 });
  // The helper thread looks at the variable.
  process.env.NODE_COMPILE_CACHE ??= resolve(run, 'compile-cache');
  enableCompileCache(process.env.NODE_COMPILE_CACHE);
} catch {
  // Nothing that anybody has to know: only time is lost.
}
await import('./program.ts');
