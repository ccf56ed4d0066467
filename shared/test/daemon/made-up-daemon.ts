/** A daemon that serves nothing, run as a process of its own: its reloads are what is looked at. */
import { runProgram } from '../../src/cli/program.ts';
import { text, toggle } from '../../src/config/kinds.ts';
import { setting } from '../../src/config/settings.ts';
import { daemonCommand } from '../../src/daemon/run.ts';
import { daemonSettings } from '../../src/daemon/settings.ts';

const word = text({ allowed: 'a word', placeholder: 'WORD' });

const settings = {
  guard: setting(toggle(), { default: false, group: 'Service', help: 'who guards the door', live: true }),
  door: setting(toggle(), { default: false, group: 'Service', help: 'whether the door is open' }),
  greeting: setting(word, { default: 'hello', group: 'Service', help: 'what is said', live: true }),
  ...daemonSettings('made-up'),
} as const;

const serve = daemonCommand('serve', {
  service: 'made-up',
  describe: 'serve nothing',
  settings,
  examples: [],
  check: ({ config, origins }) => {
    if (config.greeting === 'unheard-of') throw new Error('the check itself failed');
    if (!config.door || config.guard) return [];
    return [{ subject: 'door', origin: origins.door, what: 'is open to all', expected: 'expected a guard' }];
  },
  createServer: async ({ log, signal, config }) => {
    log.info({ event: 'greeted' }, config.greeting);
    return {
      listeners: [],
      closed: new Promise((resolve) => {
        // A signal alone keeps no process alive.
        const alive = setInterval(() => {}, 60_000);
        signal.addEventListener('abort', () => {
          clearInterval(alive);
          resolve();
        });
      }),
      reconfigure: ({ greeting }) => {
        if (greeting === 'unspeakable') throw new Error('nobody can say that');
        log.info({ event: 'greeted' }, greeting);
      },
    };
  },
});

await runProgram({ name: 'made-up', version: '0', describe: 'serve nothing', commands: [serve] });
