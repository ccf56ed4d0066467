/**
 * What a thousand clients with ten stamps a second cost, beside a readline server that parses the same stamps.
 * docs/performance/time-stream-tcp.md says how to read the tables.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Placement, placeOnCores } from '../support/cores.ts';
import { describeMachine, readMachine } from '../support/machine.ts';
import { type BenchOptions, choosePeers } from '../support/options.ts';
import { acceptsTcp, freeTcpPort, type RunningPeer, runLoad, startPeer } from '../support/process.ts';
import { compileC } from '../support/programs.ts';
import { ratiosPerRound, spreadOf, turnOrder } from '../support/rounds.ts';
import { renderTable } from '../support/table.ts';
import { showProgress } from '../support/throughput-report.ts';
import { Workspace } from '../support/workspace.ts';
import { OUR_PEERS, REFERENCE_PEER, type TimePeer, timePeers } from './peers.ts';

const CLIENTS = 1_000;
const RATE = 10;

/** Untimed at the start of every run: connections are accepted. */
const WARM_UP_MS = 1_000;
/** After the timed part, so that it ends before the clients leave. */
const COOL_DOWN_MS = 500;

const forms = ['iso', 'plain'] as const;

interface Figures {
  /** Processor time of the server for one stamp, in microseconds. */
  readonly cpuUs: number;
  /** Of one core. */
  readonly cpuShare: number;
  /** With all clients connected. */
  readonly residentBytes: number;
  /** The part of the time in which other processes kept the server from its core. */
  readonly lostShare: number;
}

interface Contender {
  readonly peer: TimePeer;
  readonly port: number;
  readonly running: RunningPeer;
}

export async function run(options: BenchOptions): Promise<void> {
  const chosen = choosePeers(timePeers, options, REFERENCE_PEER);
  using workspace = new Workspace();
  const placement = placeOnCores();
  const machine = readMachine(new Date());
  const write = (text: string) => process.stdout.write(options.json ? '' : text);
  write(`${describeMachine(machine)}; ${placement.description}\n`);
  write(`${CLIENTS} clients, ${RATE} stamps/s each; ${options.rounds} rounds of ${options.seconds} s\n`);

  const load = await compileC(fileURLToPath(new URL('load.c', import.meta.url)), workspace.path('load'));
  const contenders = await Promise.all(chosen.map((peer) => start(workspace, placement, peer)));
  const idleBytes = new Map(contenders.map(({ peer, running }) => [peer.name, residentBytes(running.pid)]));
  const report = [];
  for (const form of forms) {
    const figures = new Map(contenders.map(({ peer }) => [peer.name, new Map<number, Figures>()]));
    // One more round than was asked for: in the first one just-in-time compilers compile, and it is thrown away.
    for (let round = -1; round < options.rounds; round++) {
      for (const contender of turnOrder(contenders, round + 1)) {
        showProgress(`${form}: round ${round + 1} of ${options.rounds}, ${contender.peer.name}`);
        const result = await measure(workspace, placement, load, contender, form, options.seconds * 1000);
        if (round >= 0) figures.get(contender.peer.name)?.set(round, result);
      }
    }
    showProgress('');
    write(`\n${form}\n\n${render(figures, idleBytes)}`);
    report.push({ form, figures });
  }
  for (const { running } of contenders) await running.stop();
  if (options.json) {
    const asJson = (_key: string, value: unknown) => (value instanceof Map ? Object.fromEntries(value) : value);
    process.stdout.write(
      `${JSON.stringify({ bench: 'time-stream-tcp', machine, options, report, idleBytes }, asJson)}\n`,
    );
  }
}

async function start(workspace: Workspace, placement: Placement, peer: TimePeer): Promise<Contender> {
  const port = await freeTcpPort();
  const command = placement.server(peer.command(workspace, port));
  return { peer, port, running: await startPeer(workspace, command, () => acceptsTcp(port)) };
}

/** One run. A server that did not take each of the stamps has no figures. */
async function measure(
  workspace: Workspace,
  placement: Placement,
  load: string,
  { peer, port, running }: Contender,
  form: string,
  timedMs: number,
): Promise<Figures> {
  const durationMs = WARM_UP_MS + timedMs + COOL_DOWN_MS;
  const args = ['127.0.0.1', port, CLIENTS, RATE, form, durationMs].map(String);
  const takenBefore = await peer.taken(workspace, port);
  const loading = runLoad(workspace, placement.load({ program: load, args }));
  await delay(WARM_UP_MS);
  const before = { at: performance.now(), cpu: running.cpuSeconds(), waited: running.waitedSeconds() };
  await delay(timedMs);
  const seconds = (performance.now() - before.at) / 1000;
  const cpuSeconds = running.cpuSeconds() - before.cpu;
  const waitedSeconds = running.waitedSeconds() - before.waited;
  const resident = residentBytes(running.pid);
  const { sent } = JSON.parse(await loading) as { sent: number };
  const taken = await settledCount(() => peer.taken(workspace, port), takenBefore + sent);
  if (taken - takenBefore !== sent) throw new Error(`${peer.name} took ${taken - takenBefore} of ${sent} stamps`);
  return {
    cpuUs: (cpuSeconds / (seconds * CLIENTS * RATE)) * 1e6,
    cpuShare: cpuSeconds / seconds,
    residentBytes: resident,
    lostShare: Math.min(waitedSeconds, seconds - cpuSeconds) / seconds,
  };
}

/** The last stamps may still be under way when the load has ended. */
async function settledCount(read: () => Promise<number>, expected: number): Promise<number> {
  let count = await read();
  for (let tries = 0; count !== expected && tries < 50; tries++) {
    await delay(20);
    count = await read();
  }
  return count;
}

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

const MiB = 2 ** 20;

function render(
  figures: ReadonlyMap<string, ReadonlyMap<number, Figures>>,
  idleBytes: ReadonlyMap<string, number>,
): string {
  const cpu = (name: string) => new Map([...(figures.get(name) ?? [])].map(([round, { cpuUs }]) => [round, cpuUs]));
  const reference = cpu(REFERENCE_PEER);
  const rows = [...figures].map(([name, rounds]) => {
    const all = [...rounds.values()];
    const spread = spreadOf(all.map(({ cpuUs }) => cpuUs));
    const ratio = spreadOf(ratiosPerRound(cpu(name), reference));
    const resident = spreadOf(all.map(({ residentBytes: bytes }) => bytes)).median;
    return [
      OUR_PEERS.includes(name) ? `**${name}**` : name,
      `${spread.median.toFixed(1)} (${spread.min.toFixed(1)} to ${spread.max.toFixed(1)})`,
      `${(spreadOf(all.map(({ cpuShare }) => cpuShare)).median * 100).toFixed(1)}%`,
      `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)} to ${ratio.max.toFixed(2)})`,
      `${(resident / MiB).toFixed(0)} MiB`,
      `${((resident - (idleBytes.get(name) ?? 0)) / CLIENTS / 1024).toFixed(1)} KiB`,
      `${(Math.max(...all.map(({ lostShare }) => lostShare)) * 100).toFixed(0)}%`,
    ];
  });
  return renderTable(
    [
      { title: 'server', align: 'left' },
      { title: 'CPU µs a stamp', align: 'right' },
      { title: 'of a core', align: 'right' },
      { title: `of ${REFERENCE_PEER}`, align: 'right' },
      { title: 'resident', align: 'right' },
      { title: 'a client', align: 'right' },
      { title: 'most lost', align: 'right' },
    ],
    rows,
  );
}
