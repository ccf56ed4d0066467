/** The root scripts `start`, `stop`, `reload`, `status`, `top` and `preflight`. */
import { join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { type Command, reportProblems, runProgram } from '../cli/program.ts';
import { alone } from './lock.ts';
import { preflight } from './preflight.ts';
import { reload } from './reload.ts';
import { type FleetContext, start } from './start.ts';
import { status } from './status.ts';
import { stop } from './stop.ts';
import { Supervisor } from './supervisor.ts';
import { top } from './top.ts';
import { openWorkspace } from './workspace.ts';

type Act = (context: FleetContext) => Promise<number>;

/** For what changes the fleet: two of these at once would not see each other's processes. */
const locked =
  (act: Act): Act =>
  (context) =>
    alone(join(context.workspace.runFolder, 'fleet.lock'), () => act(context));

function fleetCommand(name: string, describe: string, act: Act): Command {
  return {
    name,
    describe,
    operands: [],
    settings: {},
    extraFlags: {},
    examples: [],
    run: async ({ program, problems }) => {
      if (problems.length > 0) return reportProblems(program, problems);
      const workspace = await openWorkspace();
      return act({
        workspace,
        supervisor: new Supervisor(workspace),
        print: (text) => void process.stdout.write(text),
        complain: (text) => void process.stderr.write(text),
      });
    },
  };
}

await runProgram({
  name: 'fleet',
  version: manifest.version,
  describe: 'starts, stops and watches the services of ecosystem.config.js under pm2',
  commands: [
    fleetCommand('status', 'how each service does, with a real round trip', status),
    fleetCommand('top', 'the traffic of every service as it moves; q quits', top),
    fleetCommand('start', 'start what is not running and prove that each service answers', locked(start)),
    fleetCommand('stop', 'drain and end every service, and pm2', locked(stop)),
    fleetCommand('reload', 'replace every service without refusing a connection', locked(reload)),
    fleetCommand('preflight', 'what a start needs: runtime, folders, limits, clock, ports', preflight),
  ],
});
