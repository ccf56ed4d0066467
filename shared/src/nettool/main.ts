import manifest from '../../package.json' with { type: 'json' };
import { runProgram } from '../cli/program.ts';
import { PROGRAM } from './verb.ts';
import { verbs } from './verbs.ts';

await runProgram({
  name: PROGRAM,
  version: manifest.version,
  describe: 'The socket toolbox: names, addresses, ports, options and errors of this host and others',
  commands: verbs,
});
