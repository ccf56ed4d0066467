#!/usr/bin/env node
/** JavaScript for the sake of a quick start: shared/src/cli/compile-cache.js says why. */
import '@small-servers/shared/cli/compile-cache';

await import('./main.ts');
