/** What a debug log costs a server whose connections are short, by the way the log is written. */
import { fileURLToPath } from 'node:url';
import { placeOnCores } from '../support/cores.ts';
import { describeMachine, readMachine } from '../support/machine.ts';
import { type BenchOptions, choosePeers } from '../support/options.ts';
import { acceptsTcp, freeTcpPort } from '../support/process.ts';
import { type EchoPeer, type LoadCase, measureThroughput } from '../support/throughput.ts';
import { renderCase, renderDisturbance, showProgress } from '../support/throughput-report.ts';
import { Workspace } from '../support/workspace.ts';

/** The same server with a log that holds nothing back: below its level no record is made. */
const REFERENCE = 'no-log';
const TARGET_RATIO = 0.9;

const loadCases: readonly LoadCase[] = [
  { name: 'connections of 64 B, 50 at a time', load: [50, 64], targetRatio: TARGET_RATIO },
];

const ways = [REFERENCE, 'info', 'info-file', 'discard', 'file', 'batched', 'each-line', 'async-4k', 'worker'];

const peers: readonly EchoPeer[] = ways.map((name) => ({
  name,
  command: (workspace, port) => ({
    program: process.execPath,
    args: [fileURLToPath(new URL('server.ts', import.meta.url)), String(port), name, workspace.path(`${name}.log`)],
  }),
}));

export async function run(options: BenchOptions): Promise<void> {
  const chosen = choosePeers(peers, options, REFERENCE);
  using workspace = new Workspace();
  const placement = placeOnCores();
  const machine = readMachine(new Date());
  const write = (text: string) => process.stdout.write(options.json ? '' : text);
  write(`${describeMachine(machine)}; ${placement.description}\n`);
  write(`${options.rounds} rounds of ${options.seconds} s; ratio: to ${REFERENCE} in the same round\n`);
  const setup = {
    peers: chosen,
    referencePeer: REFERENCE,
    cases: loadCases,
    loadSource: fileURLToPath(new URL('connect-load.c', import.meta.url)),
    freePort: freeTcpPort,
    isReady: acceptsTcp,
  };
  const cases = await measureThroughput(workspace, placement, setup, options, showProgress);
  showProgress('');
  for (const figures of cases) write(`\n${figures.case.name}\n\n${renderCase(figures)}${renderDisturbance(figures)}`);
  if (options.json) {
    const report = { bench: 'log-writing', machine, placement: placement.description, options, cases };
    process.stdout.write(
      `${JSON.stringify(report, (_key, value) => (value instanceof Map ? Object.fromEntries(value) : value))}\n`,
    );
  }
}
