import { runProgram } from '@small-servers/shared/cli/program';
import { daemonCommand } from '@small-servers/shared/daemon/run';
import manifest from '../package.json' with { type: 'json' };
import { checkConfig } from './check-config.ts';
import { clientCommands } from './client/commands.ts';
import { settings } from './settings.ts';

const serve = daemonCommand('serve', {
  service: 'file-server',
  describe: 'serve the files of one folder',
  settings,
  examples: [
    ['file-server serve --root .', 'this folder, to read'],
    ['file-server serve --root /srv/drop --writable --token-file tokens --host ::', 'to a network, changes by token'],
  ],
  check: checkConfig,
  // What only the server needs is loaded when it serves: a client command is over sooner than that.
  createServer: async (context) => (await import('./server.ts')).createServer(context),
});

await runProgram({
  name: 'file-server',
  version: manifest.version,
  describe: manifest.description,
  commands: [serve, ...clientCommands],
});
