import { runProgram } from '@small-servers/shared/cli/program';
import { daemonCommand } from '@small-servers/shared/daemon/run';
import manifest from '../package.json' with { type: 'json' };
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
  // What only the server needs is loaded when it serves: a client command is over sooner than that.
  check: async (resolved) => (await import('./check-config.ts')).checkConfig(resolved),
  createServer: async (context) => (await import('./server.ts')).createServer(context),
});

await runProgram({
  name: 'file-server',
  version: manifest.version,
  describe: manifest.description,
  commands: [serve, ...clientCommands],
});
