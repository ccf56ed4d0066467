/** `file-server serve`: what a command line needs to know of the daemon. The server is loaded when it is run. */
import { daemonCommand } from '@small-servers/shared/daemon/run';
import { settings } from './settings.ts';

export const serve = daemonCommand('serve', {
  service: 'file-server',
  describe: 'serve the files of one folder',
  settings,
  examples: [
    ['file-server serve --root .', 'this folder, to read'],
    ['file-server serve --root /srv/drop --writable --token-file tokens --host ::', 'to a network, changes by token'],
  ],
  check: async (resolved) => (await import('./check-config.ts')).checkConfig(resolved),
  createServer: async (context) => (await import('./server.ts')).createServer(context),
});
