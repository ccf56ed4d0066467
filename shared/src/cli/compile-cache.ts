/**
 * Compiled code, kept from one run to the next: to strip types and to compile is most of what a short command does
 * (docs/decisions/0722-compile-cache.md).
 */
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

/**
 * Inside the checkout, where only those can write who can change the code itself. In the system's place for temporary
 * files, Node's own choice, others might put something there first.
 */
const folder = fileURLToPath(new URL('../../../node_modules/.cache/compiled', import.meta.url));

/** To be called before anything else is imported. Where the folder can't be written nothing is kept, and all works. */
export function keepCompiledCode(): void {
  enableCompileCache(folder);
}
