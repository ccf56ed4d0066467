#!/usr/bin/env node
/** JavaScript for the sake of a quick start: shared/src/cli/compile-cache.js says why. */
import '../cli/compile-cache.js';

await import('./main.ts');
