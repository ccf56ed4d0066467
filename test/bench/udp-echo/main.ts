/** The UDP echo servers under the same load in the same run. docs/performance/udp-echo.md says how to read the tables. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { runEchoBench } from '../support/echo-bench.ts';
import type { BenchOptions } from '../support/options.ts';
import type { CaseFigures, LoadCase } from '../support/throughput.ts';
import { judgeLead, judgeRatio, renderVerdicts, type Verdict } from '../support/throughput-report.ts';
import { echoPeers, OUR_PEERS, PLAIN_PEER, REFERENCE_PEER } from './peers.ts';

const loadCases: readonly LoadCase[] = [
  { name: '64 B x 50 flows', load: [50, 64], targetRatio: 0.95 },
  { name: '1400 B x 50 flows', load: [50, 1400], targetRatio: 0.95 },
  { name: '64 B x 1 flow', load: [1, 64], targetRatio: 0.9 },
  { name: '1400 B x 1 flow', load: [1, 1400], targetRatio: 0.9 },
];

export function run(options: BenchOptions): Promise<void> {
  const setup = {
    peers: echoPeers,
    referencePeer: REFERENCE_PEER,
    cases: loadCases,
    loadSource: fileURLToPath(new URL('load.c', import.meta.url)),
    freePort: freeUdpPort,
    isReady: answersUdp,
  };
  return runEchoBench('udp-echo', options, setup, ({ cases, write }) => {
    const verdicts = judge(cases);
    write(`\nTargets\n\n${renderVerdicts(verdicts)}`);
    return { verdicts };
  });
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
