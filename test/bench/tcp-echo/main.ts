/** The TCP echo servers under the same load in the same run. docs/performance.md says how to read the tables. */
import { fileURLToPath } from 'node:url';
import { placeOnCores } from '../support/cores.ts';
import { describeMachine, readMachine } from '../support/machine.ts';
import { type BenchOptions, choosePeers } from '../support/options.ts';
import { acceptsTcp, freeTcpPort } from '../support/process.ts';
import { type LoadCase, measureThroughput } from '../support/throughput.ts';
import { renderCase, renderDisturbance, renderVerdicts, showProgress } from '../support/throughput-report.ts';
import { Workspace } from '../support/workspace.ts';
import { measureIdleMemory, renderIdleMemory } from './idle-memory.ts';
import { echoPeers, OUR_PEER, REFERENCE_PEER } from './peers.ts';
import { judge } from './targets.ts';

const loadCases: readonly LoadCase[] = [
  { name: '64 B x 50 connections', load: [50, 64], targetRatio: 0.75 },
  { name: '16 KiB x 50 connections', load: [50, 16 * 1024], targetRatio: 0.75 },
  { name: '128 KiB x 8 connections', load: [8, 128 * 1024], targetRatio: 0.85 },
];

export async function run(options: BenchOptions): Promise<void> {
  const chosen = choosePeers(echoPeers, options, REFERENCE_PEER);
  using workspace = new Workspace();
  const placement = placeOnCores();
  const machine = readMachine(new Date());
  const write = (text: string) => process.stdout.write(options.json ? '' : text);
  write(`${describeMachine(machine)}; ${placement.description}\n`);
  write(`${options.rounds} rounds of ${options.seconds} s; ratio: to ${REFERENCE_PEER} in the same round\n`);

  const setup = {
    peers: chosen,
    referencePeer: REFERENCE_PEER,
    cases: loadCases,
    loadSource: fileURLToPath(new URL('load.c', import.meta.url)),
    freePort: freeTcpPort,
    isReady: acceptsTcp,
  };
  const cases = await measureThroughput(workspace, placement, setup, options, showProgress);
  showProgress('');
  for (const figures of cases) write(`\n${figures.case.name}\n\n${renderCase(figures)}${renderDisturbance(figures)}`);

  const withMemory = chosen.filter((peer) => peer.forks !== true);
  const idle = await measureIdleMemory(workspace, withMemory, showProgress);
  showProgress('');
  write(`\nMemory of an idle connection, after one message each\n\n${renderIdleMemory(idle)}`);

  const verdicts = judge(cases, idle);
  write(`\nTargets of ${OUR_PEER}\n\n${renderVerdicts(verdicts)}`);
  if (options.json) {
    const report = { bench: 'tcp-echo', machine, placement: placement.description, options, cases, idle, verdicts };
    process.stdout.write(
      `${JSON.stringify(report, (_key, value) => (value instanceof Map ? Object.fromEntries(value) : value))}\n`,
    );
  }
}
