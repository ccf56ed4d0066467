#!/usr/bin/env node
/** The compile cache is on before the program is loaded: that halves the time to its first line. */
import '@small-servers/shared/cli/compile-cache';

await import('./program.ts');
