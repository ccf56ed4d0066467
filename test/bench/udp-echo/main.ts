/** The UDP echo servers under the same load in the same run. docs/performance/udp-echo.md says how to read the tables. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { placeOnCores } from '../support/cores.ts';
import { describeMachine, readMachine } from '../support/machine.ts';
import { type BenchOptions, choosePeers } from '../support/options.ts';
import { type CaseFigures, type LoadCase, measureThroughput } from '../support/throughput.ts';
import {
  judgeLead,
  judgeRatio,
  renderCase,
  renderDisturbance,
  renderVerdicts,
  showProgress,
  type Verdict,
} from '../support/throughput-report.ts';
import { Workspace } from '../support/workspace.ts';
import { echoPeers, OUR_PEERS, PLAIN_PEER, REFERENCE_PEER } from './peers.ts';

const loadCases: readonly LoadCase[] = [
  { name: '64 B x 50 flows', load: [50, 64], targetRatio: 0.95 },
  { name: '1400 B x 50 flows', load: [50, 1400], targetRatio: 0.95 },
  { name: '64 B x 1 flow', load: [1, 64], targetRatio: 0.9 },
  { name: '1400 B x 1 flow', load: [1, 1400], targetRatio: 0.9 },
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
    freePort: freeUdpPort,
    isReady: answersUdp,
  };
  const cases = await measureThroughput(workspace, placement, setup, options, showProgress);
  showProgress('');
  for (const figures of cases) write(`\n${figures.case.name}\n\n${renderCase(figures)}${renderDisturbance(figures)}`);

  const verdicts = judge(cases);
  write(`\nTargets\n\n${renderVerdicts(verdicts)}`);
  if (options.json) {
    const report = { bench: 'udp-echo', machine, placement: placement.description, options, cases, verdicts };
    process.stdout.write(
      `${JSON.stringify(report, (_key, value) => (value instanceof Map ? Object.fromEntries(value) : value))}\n`,
    );
  }
}

function judge(cases: readonly CaseFigures[]): Verdict[] {
  const contest = { ourPeer: OUR_PEERS.batch, referencePeer: REFERENCE_PEER };
  return [...cases.map((figures) => judgeRatio(figures, contest)), judgeLead(cases, OUR_PEERS.dgram, PLAIN_PEER)];
}

/** A UDP port of the loopback that is free now. A peer takes it an instant later. */
async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

const ANSWER_TIMEOUT_MS = 100;

/** Whether a datagram to this port of the loopback comes back. */
async function answersUdp(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  socket.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.send('ready?');
  try {
    await once(socket, 'message', { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    return true;
  } catch {
    return false;
  } finally {
    socket.close();
  }
}
