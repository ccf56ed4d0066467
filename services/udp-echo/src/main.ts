import { runProgram } from '@small-servers/shared/cli/program';
import { daemonCommand } from '@small-servers/shared/daemon/run';
import manifest from '../package.json' with { type: 'json' };
import { probe } from './probe-command.ts';
import { createServer } from './server.ts';
import { settings } from './settings.ts';

const serve = daemonCommand('serve', {
  service: 'udp-echo',
  describe: 'send every datagram back to its sender (RFC 862)',
  settings,
  examples: [
    ['udp-echo', 'listen on 127.0.0.1:7007'],
    ['udp-echo serve --host :: --port 7', 'every address, the well-known port'],
    ['udp-echo serve --host :: --allow 10.0.0.0/8 --allow fd00::/8', 'for the own network only'],
  ],
  createServer,
});

await runProgram({
  name: 'udp-echo',
  version: manifest.version,
  describe: manifest.description,
  commands: [serve, probe],
});
