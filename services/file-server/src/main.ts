#!/usr/bin/env node
import { keepCompiledCode } from '@small-servers/shared/cli/compile-cache';

keepCompiledCode();
// Imported when the cache is on: what stands above is compiled anew each time.
await import('./program.ts');
