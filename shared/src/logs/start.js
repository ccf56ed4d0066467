/** `pnpm logs`, in JavaScript for the sake of its start: see cli/compile-cache.js. */
import '../cli/compile-cache.js';

await import('./program.ts');
