/** The TCP echo servers under the same load in the same run. docs/performance.md says how to read the tables. */
import { fileURLToPath } from 'node:url';
import { runEchoBench } from '../support/echo-bench.ts';
import type { BenchOptions } from '../support/options.ts';
import { acceptsTcp, freeTcpPort } from '../support/process.ts';
import type { LoadCase } from '../support/throughput.ts';
import { renderVerdicts, showProgress } from '../support/throughput-report.ts';
import { measureIdleMemory, renderIdleMemory } from './idle-memory.ts';
import { echoPeers, OUR_PEER, REFERENCE_PEER } from './peers.ts';
import { judge } from './targets.ts';

const loadCases: readonly LoadCase[] = [
  { name: '64 B x 50 connections', load: [50, 64], targetRatio: 0.75 },
  { name: '16 KiB x 50 connections', load: [50, 16 * 1024], targetRatio: 0.75 },
  { name: '128 KiB x 8 connections', load: [8, 128 * 1024], targetRatio: 0.85 },
];

export function run(options: BenchOptions): Promise<void> {
  const setup = {
    peers: echoPeers,
    referencePeer: REFERENCE_PEER,
    cases: loadCases,
    loadSource: fileURLToPath(new URL('load.c', import.meta.url)),
    freePort: freeTcpPort,
    isReady: acceptsTcp,
  };
  return runEchoBench('tcp-echo', options, setup, async ({ workspace, chosen, cases, write }) => {
    const withMemory = chosen.filter((peer) => peer.forks !== true);
    const idle = await measureIdleMemory(workspace, withMemory, showProgress);
    showProgress('');
    write(`\nMemory of an idle connection, after one message each\n\n${renderIdleMemory(idle)}`);

    const verdicts = judge(cases, idle);
    write(`\nTargets of ${OUR_PEER}\n\n${renderVerdicts(verdicts)}`);
    return { idle, verdicts };
  });
}
