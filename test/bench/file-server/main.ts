/** The file servers under the same load in the same run. docs/performance/file-server.md says how to read the tables. */
import { fileURLToPath } from 'node:url';

import { placeOnCores } from '../support/cores.ts';
import { describeMachine, readMachine } from '../support/machine.ts';
import { reasonOf } from '../support/missing.ts';
import { type BenchOptions, choosePeers } from '../support/options.ts';
import { compileC } from '../support/programs.ts';
import { renderVerdicts, showProgress } from '../support/throughput-report.ts';
import { Workspace } from '../support/workspace.ts';
import { benchCases } from './cases.ts';
import { Content } from './content.ts';
import { type CaseFigures, type Contender, measureCase, startContender } from './measure.ts';
import { filePeers, OUR_PEER, REFERENCE_PEER } from './peers.ts';
import { renderCase, renderMemory } from './report.ts';
import { measureSlowReaders } from './slow-readers.ts';
import { judge } from './targets.ts';

export async function run(options: BenchOptions): Promise<void> {
  const chosen = choosePeers(filePeers, options, REFERENCE_PEER);
  using workspace = new Workspace();
  const placement = placeOnCores();
  const load = await compileC(fileURLToPath(new URL('load.c', import.meta.url)), workspace.path('load'));
  using content = await Content.make(load, workspace, placement);
  const machine = readMachine(new Date());
  const write = (text: string) => process.stdout.write(options.json ? '' : text);
  write(`${describeMachine(machine)}; ${placement.description}; ${content.description}\n`);
  write(`${options.rounds} rounds; ${options.seconds} s for small files; ratios within a round\n`);

  const contenders: Contender[] = [];
  const notStarted = new Map<string, string>();
  for (const peer of chosen) {
    try {
      contenders.push(await startContender(workspace, placement, peer, content.root));
    } catch (error) {
      notStarted.set(peer.name, reasonOf(error));
    }
  }
  const cases: CaseFigures[] = [];
  const common = { workspace, placement, contenders, notStarted, rounds: options.rounds, progress: showProgress };
  try {
    for (const benchCase of benchCases(load, content, options)) {
      const figures = await measureCase(benchCase, common);
      cases.push(figures);
      showProgress('');
      write(`\n${figures.name}\n\n${renderCase(figures)}`);
    }
  } finally {
    for (const { running } of contenders) await running.stop();
  }

  const single = chosen.filter((peer) => peer.forks !== true && peer.name !== 'python-http');
  const memory = await measureSlowReaders(load, content, workspace, placement, single, showProgress);
  showProgress('');
  write(`\nMemory of slow readers of 1 GiB\n\n${renderMemory(memory)}`);

  const verdicts = judge(cases, memory);
  write(`\nTargets of ${OUR_PEER}\n\n${renderVerdicts(verdicts)}`);
  if (options.json) {
    const report = {
      bench: 'file-server',
      machine,
      placement: placement.description,
      options,
      cases,
      memory,
      verdicts,
    };
    process.stdout.write(
      `${JSON.stringify(report, (_key, value) => (value instanceof Map ? Object.fromEntries(value) : value))}\n`,
    );
  }
}
