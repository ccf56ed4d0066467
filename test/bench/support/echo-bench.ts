/** What the benches of echo servers have in common: a head, tables of the load, and a report for programs. */
import { placeOnCores } from './cores.ts';
import { describeMachine, readMachine } from './machine.ts';
import { type BenchOptions, choosePeers } from './options.ts';
import { type CaseFigures, type EchoPeer, measureThroughput, type ThroughputSetup } from './throughput.ts';
import { renderCase, renderDisturbance, showProgress } from './throughput-report.ts';
import { Workspace } from './workspace.ts';

/** What there is when the load was measured. */
export interface EchoRun {
  readonly workspace: Workspace;
  /** The peers that were asked for. */
  readonly chosen: readonly EchoPeer[];
  readonly cases: readonly CaseFigures[];
  /** For a person: nothing with `--json`. */
  write(text: string): void;
}

/**
 * Measures every case, and prints its table.
 *
 * @param setup `peers` are all there are; the options choose among them
 * @param finish prints what else there is, and resolves to what else belongs into the report of `--json`
 */
export async function runEchoBench(
  bench: string,
  options: BenchOptions,
  setup: ThroughputSetup,
  finish: (run: EchoRun) => object | Promise<object>,
): Promise<void> {
  const { referencePeer } = setup;
  const chosen = choosePeers(setup.peers, options, referencePeer);
  using workspace = new Workspace();
  const placement = placeOnCores();
  const machine = readMachine(new Date());
  const write = (text: string) => void process.stdout.write(options.json ? '' : text);
  write(`${describeMachine(machine)}; ${placement.description}\n`);
  write(`${options.rounds} rounds of ${options.seconds} s; ratio: to ${referencePeer} in the same round\n`);

  const cases = await measureThroughput(workspace, placement, { ...setup, peers: chosen }, options, showProgress);
  showProgress('');
  for (const figures of cases) write(`\n${figures.case.name}\n\n${renderCase(figures)}${renderDisturbance(figures)}`);

  const more = await finish({ workspace, chosen, cases, write });
  if (!options.json) return;
  const report = { bench, machine, placement: placement.description, options, cases, ...more };
  process.stdout.write(
    `${JSON.stringify(report, (_key, value) => (value instanceof Map ? Object.fromEntries(value) : value))}\n`,
  );
}
