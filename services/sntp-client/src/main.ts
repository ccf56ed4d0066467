import { runProgram } from '@small-servers/shared/cli/program';
import { daemonCommand } from '@small-servers/shared/daemon/run';
import manifest from '../package.json' with { type: 'json' };
import { plotCommand } from './plot-command.ts';
import { queryCommand } from './query-command.ts';
import { serversCommand } from './servers-command.ts';
import { settings } from './settings.ts';
import { createServer } from './watch.ts';

const watch = daemonCommand('watch', {
  service: 'sntp-client',
  describe: 'poll the servers for as long as it runs, and log offset and drift',
  settings,
  examples: [
    ['sntp-client', 'poll the default servers with NTS'],
    ['sntp-client watch --servers ntp://192.0.2.1,nts://ntp.example', 'servers of your own'],
  ],
  createServer,
});

await runProgram({
  name: 'sntp-client',
  version: manifest.version,
  describe: manifest.description,
  commands: [watch, queryCommand, serversCommand, plotCommand],
});
