#!/usr/bin/env node
import manifest from '../../package.json' with { type: 'json' };
import { runProgram } from '../cli/program.ts';
import { verbs } from './verbs.ts';

await runProgram({
  name: 'nettool',
  version: manifest.version,
  describe: 'The socket toolbox: names, addresses, ports, options and errors of this host and others',
  commands: verbs,
});
