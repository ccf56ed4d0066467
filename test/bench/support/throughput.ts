/** Messages per second of every peer, in turn, and the ratio to the reference in the same round. */
import type { Command, Placement } from './cores.ts';
import { reasonOf } from './missing.ts';
import type { BenchOptions } from './options.ts';
import { type RunningPeer, runLoad, startPeer } from './process.ts';
import { compileC } from './programs.ts';
import { ratiosPerRound, type Spread, spreadOf, turnOrder } from './rounds.ts';
import type { Workspace } from './workspace.ts';

export interface LoadCase {
  readonly name: string;
  /** What the load generator takes between the port and the times: how many connections or flows, of what size. */
  readonly load: readonly number[];
  /** The least ratio to the reference that is asked of our server. */
  readonly targetRatio: number;
}

export interface EchoPeer {
  readonly name: string;
  /** How it is started on a port of the loopback; throws PeerMissing when it cannot be. */
  command(workspace: Workspace, port: number): Promise<Command> | Command;
  /** It forks a process for every connection: there is no one process whose time and memory tell anything. */
  readonly forks?: true;
}

/** What one bench of echo servers is made of. */
export interface ThroughputSetup {
  readonly peers: readonly EchoPeer[];
  /** The peer that ratios refer to. */
  readonly referencePeer: string;
  readonly cases: readonly LoadCase[];
  /** The C source of the load generator: `load HOST PORT ...LOAD DURATION_MS WARMUP_MS` prints a LoadResult. */
  readonly loadSource: string;
  /** A port of the loopback that is free. */
  freePort(): Promise<number>;
  /** Whether a server answers on it. */
  isReady(port: number): Promise<boolean>;
}

/** What a load generator prints. */
interface LoadResult {
  /** Those of the warm-up as well. */
  readonly allMessages: number;
  readonly seconds: number;
  /** Time that other processes took from the generator. */
  readonly waitedSeconds: number;
  readonly messagesPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** A run of the load, and what it cost the server. */
interface RunResult extends LoadResult {
  readonly cpuUsPerMessage: number;
  /** The part of the time in which other processes kept the server or the generator from its core, from 0 to 1. */
  readonly lostShare: number;
}

export interface PeerFigures {
  readonly peer: string;
  readonly messagesPerSecond: Spread;
  /** To the reference in the same round; undefined when the reference is missing. */
  readonly ratio: Spread | undefined;
  /**
   * Processor time of the server for one message, in microseconds, median over the rounds. It hardly changes when
   * other work takes part of a core, as the rate does. Undefined for servers that fork for every connection.
   */
  readonly cpuUsPerMessage: number | undefined;
  /** Round trips in microseconds, median over the rounds. */
  readonly p50Us: number;
  readonly p99Us: number;
}

export interface CaseFigures {
  readonly case: LoadCase;
  readonly peers: readonly PeerFigures[];
  /** Runs whose figures went in, and those of them that other work disturbed even at the last attempt. */
  readonly runs: number;
  readonly disturbedRuns: number;
  /** Peers without figures, by name, with the reason. */
  readonly missing: ReadonlyMap<string, string>;
}

interface Contender {
  readonly name: string;
  readonly forks: boolean;
  readonly port: number;
  readonly running: RunningPeer;
}

/** Untimed at the start of every run: connections grow their windows, and just-in-time compilers compile. */
const WARM_UP_MS = 300;

/** A run that lost more of its time than this to other processes is taken again. */
const DISTURBED_SHARE = 0.05;
const MOST_ATTEMPTS = 4;

export async function measureThroughput(
  workspace: Workspace,
  placement: Placement,
  setup: ThroughputSetup,
  options: BenchOptions,
  progress: (line: string) => void,
): Promise<CaseFigures[]> {
  const { loadSource, cases, referencePeer } = setup;
  const load = await compileC(loadSource, workspace.path('load'));
  const { contenders, missing } = await startAll(workspace, placement, setup);
  try {
    const figures: CaseFigures[] = [];
    for (const loadCase of cases) {
      const args = [...loadCase.load, Math.round(options.seconds * 1000), WARM_UP_MS];
      const runOne = ({ port, running }: Contender) =>
        leastDisturbed(async () => {
          const command = { program: load, args: ['127.0.0.1', String(port), ...args.map(String)] };
          return observe(running, () => runLoad(workspace, placement.load(command)));
        });
      const { rounds } = options;
      const common = { contenders, notStarted: missing, rounds, referencePeer, runOne, progress };
      figures.push(await measureCase(loadCase, common));
    }
    return figures;
  } finally {
    for (const { running } of contenders) await running.stop();
  }
}

/** Other work on the machine comes and goes; what it spoiled is measured again, a few times at most. */
async function leastDisturbed(run: () => Promise<RunResult>): Promise<RunResult> {
  let best = await run();
  for (let attempt = 1; attempt < MOST_ATTEMPTS && best.lostShare > DISTURBED_SHARE; attempt++) {
    const next = await run();
    if (next.lostShare < best.lostShare) best = next;
  }
  return best;
}

/** Runs the load and adds what can be seen of the server meanwhile. */
async function observe(server: RunningPeer, runLoadOnce: () => Promise<string>): Promise<RunResult> {
  const startedMs = performance.now();
  const [cpuBefore, waitedBefore] = [server.cpuSeconds(), server.waitedSeconds()];
  const result: LoadResult = JSON.parse(await runLoadOnce());
  const wallSeconds = (performance.now() - startedMs) / 1000;
  const cpuSeconds = server.cpuSeconds() - cpuBefore;
  const waitedSeconds = server.waitedSeconds() - waitedBefore;
  // A thread may also wait for its own process, as for a collector of garbage on the same core: that is no loss.
  const serverLost = Math.min(waitedSeconds, wallSeconds - cpuSeconds) / wallSeconds;
  const loadLost = result.waitedSeconds / result.seconds;
  return {
    ...result,
    cpuUsPerMessage: (cpuSeconds / result.allMessages) * 1e6,
    lostShare: Math.max(loadLost, serverLost || 0),
  };
}

/** All servers stay up for the whole bench; one without connections takes no time from the others. */
async function startAll(workspace: Workspace, placement: Placement, { peers, freePort, isReady }: ThroughputSetup) {
  const contenders: Contender[] = [];
  const missing = new Map<string, string>();
  for (const peer of peers) {
    try {
      const port = await freePort();
      const command = placement.server(await peer.command(workspace, port));
      const running = await startPeer(workspace, command, () => isReady(port));
      contenders.push({ name: peer.name, forks: peer.forks === true, port, running });
    } catch (error) {
      missing.set(peer.name, reasonOf(error));
    }
  }
  return { contenders, missing };
}

interface CaseSetup {
  readonly contenders: readonly Contender[];
  readonly notStarted: ReadonlyMap<string, string>;
  readonly rounds: number;
  readonly referencePeer: string;
  readonly runOne: (contender: Contender) => Promise<RunResult>;
  readonly progress: (line: string) => void;
}

async function measureCase(loadCase: LoadCase, setup: CaseSetup): Promise<CaseFigures> {
  const { contenders, notStarted, rounds, referencePeer, runOne, progress } = setup;
  const missing = new Map(notStarted);
  const results = new Map<string, Map<number, RunResult>>(contenders.map(({ name }) => [name, new Map()]));
  for (let round = 0; round < rounds; round++) {
    for (const contender of turnOrder(contenders, round)) {
      if (missing.has(contender.name)) continue;
      progress(`${loadCase.name}: round ${round + 1} of ${rounds}, ${contender.name}`);
      try {
        results.get(contender.name)?.set(round, await runOne(contender));
      } catch (error) {
        // One wrong or lost byte and its figures are worth nothing.
        missing.set(contender.name, contender.running.ended() ?? `failed under load: ${reasonOf(error)}`);
        results.delete(contender.name);
      }
    }
  }
  const reference = rates(results.get(referencePeer));
  const forking = new Set(contenders.filter(({ forks }) => forks).map(({ name }) => name));
  const peers = [...results].map(([peer, perRound]) => {
    const ratios = ratiosPerRound(rates(perRound), reference);
    const all = [...perRound.values()];
    return {
      peer,
      messagesPerSecond: spreadOf(all.map((result) => result.messagesPerSecond)),
      ratio: ratios.length > 0 ? spreadOf(ratios) : undefined,
      cpuUsPerMessage: forking.has(peer) ? undefined : spreadOf(all.map((result) => result.cpuUsPerMessage)).median,
      p50Us: spreadOf(all.map((result) => result.p50Us)).median,
      p99Us: spreadOf(all.map((result) => result.p99Us)).median,
    };
  });
  const all = [...results.values()].flatMap((perRound) => [...perRound.values()]);
  const disturbedRuns = all.filter(({ lostShare }) => lostShare > DISTURBED_SHARE).length;
  return { case: loadCase, peers, runs: all.length, disturbedRuns, missing };
}

function rates(results: ReadonlyMap<number, RunResult> = new Map()): Map<number, number> {
  return new Map([...results].map(([round, result]) => [round, result.messagesPerSecond]));
}
