import { runProgram } from '@small-servers/shared/cli/program';
import { daemonCommand } from '@small-servers/shared/daemon/run';
import manifest from '../package.json' with { type: 'json' };
import { probe } from './probe-command.ts';
import { createServer } from './server.ts';
import { settings } from './settings.ts';

const serve = daemonCommand('serve', {
  service: 'echo-tcp',
  describe: 'send every byte back (RFC 862)',
  settings,
  examples: [
    ['echo-tcp', 'listen on 127.0.0.1:7007'],
    ['echo-tcp serve --host :: --port 7', 'every address, the well-known port'],
  ],
  createServer,
});

await runProgram({
  name: 'echo-tcp',
  version: manifest.version,
  describe: manifest.description,
  commands: [serve, probe],
});
