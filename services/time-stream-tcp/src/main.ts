import { runProgram } from '@small-servers/shared/cli/program';
import { daemonCommand } from '@small-servers/shared/daemon/run';
import manifest from '../package.json' with { type: 'json' };
import { foregroundPrinter } from './print.ts';
import { send } from './send-command.ts';
import { createServer } from './server.ts';
import { settings } from './settings.ts';
import { watch } from './watch-command.ts';

const serve = daemonCommand('serve', {
  service: 'time-stream-tcp',
  describe: "take clients' time and tell what their clocks are worth; send our own",
  settings,
  examples: [
    ['time-stream-tcp', 'listen on 127.0.0.1:7037'],
    ['time-stream-tcp serve --print --log-level warn', 'watch stamps come in'],
    ['time-stream-tcp serve --host :: --client-zone Europe/Berlin', 'for clients that send no zone'],
  ],
  createServer: (context) => createServer(context, { print: foregroundPrinter() }),
});

await runProgram({
  name: 'time-stream-tcp',
  version: manifest.version,
  describe: manifest.description,
  commands: [serve, send, watch],
});
