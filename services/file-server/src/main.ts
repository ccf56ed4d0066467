/** The commands, in the order in which `--help` lists them. Each is loaded when it is asked for: it is over the sooner. */
import { runProgram } from '@small-servers/shared/cli/program';
import manifest from '../package.json' with { type: 'json' };

await runProgram({
  name: 'file-server',
  version: manifest.version,
  describe: manifest.description,
  commands: [
    { name: 'serve', load: async () => (await import('./serve-command.ts')).serve },
    { name: 'ls', load: async () => (await import('./client/ls-command.ts')).ls },
    { name: 'stat', load: async () => (await import('./client/stat-command.ts')).stat },
    { name: 'get', load: async () => (await import('./client/get-command.ts')).get },
    { name: 'put', load: async () => (await import('./client/put-command.ts')).put },
    { name: 'rm', load: async () => (await import('./client/rm-command.ts')).rm },
    { name: 'mv', load: async () => (await import('./client/mv-command.ts')).mv },
    { name: 'mkdir', load: async () => (await import('./client/mkdir-command.ts')).mkdir },
    { name: 'sum', load: async () => (await import('./client/sum-command.ts')).sum },
    { name: 'probe', load: async () => (await import('./client/probe-command.ts')).probe },
  ],
});
