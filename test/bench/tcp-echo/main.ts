/** The TCP echo servers under the same load in the same run. docs/performance.md says how to read the tables. */
import { placeOnCores } from '../support/cores.ts';
import { describeMachine, readMachine } from '../support/machine.ts';
import { type BenchOptions, choosePeers } from '../support/options.ts';
import { renderTable } from '../support/table.ts';
import { Workspace } from '../support/workspace.ts';
import { measureIdleMemory, renderIdleMemory } from './idle-memory.ts';
import { echoPeers, OUR_PEER, REFERENCE_PEER } from './peers.ts';
import { judge, renderVerdicts } from './targets.ts';
import { type CaseFigures, measureThroughput } from './throughput.ts';

export async function run(options: BenchOptions): Promise<void> {
  const chosen = choosePeers(echoPeers, options, REFERENCE_PEER);
  using workspace = new Workspace();
  const placement = placeOnCores();
  const machine = readMachine(new Date());
  const write = (text: string) => process.stdout.write(options.json ? '' : text);
  write(`${describeMachine(machine)}; ${placement.description}\n`);
  write(`${options.rounds} rounds of ${options.seconds} s; ratio: to ${REFERENCE_PEER} in the same round\n`);

  const cases = await measureThroughput(workspace, placement, chosen, options, showProgress);
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

/** One line that is written over, on a terminal only. */
function showProgress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}

function renderDisturbance({ runs, disturbedRuns }: CaseFigures): string {
  if (disturbedRuns === 0) return '';
  return `\n${disturbedRuns} of ${runs} runs were disturbed by other work on the machine: mistrust the ratios.\n`;
}

function renderCase({ peers, missing }: CaseFigures): string {
  const fastestFirst = peers.toSorted((a, b) => b.messagesPerSecond.median - a.messagesPerSecond.median);
  return renderTable(
    [
      { title: 'server', align: 'left' },
      { title: 'messages/s', align: 'right' },
      { title: 'ratio', align: 'right' },
      { title: 'min', align: 'right' },
      { title: 'max', align: 'right' },
      { title: 'CPU µs', align: 'right' },
      { title: 'p50 µs', align: 'right' },
      { title: 'p99 µs', align: 'right' },
    ],
    fastestFirst.map((row) => [
      row.peer,
      String(Math.round(row.messagesPerSecond.median)),
      ...[row.ratio?.median, row.ratio?.min, row.ratio?.max].map((ratio) => ratio?.toFixed(2) ?? '-'),
      row.cpuUsPerMessage?.toFixed(1) ?? '-',
      String(Math.round(row.p50Us)),
      String(Math.round(row.p99Us)),
    ]),
    missing,
  );
}
