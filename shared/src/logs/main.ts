import manifest from '../../package.json' with { type: 'json' };
import { runProgram } from '../cli/program.ts';
import { show } from './show-command.ts';
import { stats } from './stats-command.ts';

await runProgram({
  name: 'pnpm logs',
  version: manifest.version,
  describe: 'Reads the logs of the fleet: live and rotated, of all services, in the order of time.',
  commands: [show, stats],
});
