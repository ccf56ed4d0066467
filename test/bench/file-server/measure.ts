/** Every server in turn under the same load, and the ratio to the reference in the same round. */
import { readFileSync } from 'node:fs';

import type { Command, Placement } from '../support/cores.ts';
import { reasonOf } from '../support/missing.ts';
import { acceptsTcp, freeTcpPort, type RunningPeer, runLoad, startPeer } from '../support/process.ts';
import { ratiosPerRound, type Spread, spreadOf, turnOrder } from '../support/rounds.ts';
import type { Workspace } from '../support/workspace.ts';
import type { FilePeer } from './peers.ts';
import type { Stall } from './stall-watch.ts';

/** A server that is up. */
export interface Contender {
  readonly peer: FilePeer;
  readonly port: number;
  readonly running: RunningPeer;
  readonly stallFile: string;
}

/** One timed run, and the row of the table that its figures go to. */
export interface Step {
  readonly row: string;
  /** Untimed, before. */
  prepare?(): void;
  readonly command: Command;
  /** Bytes or files that the command moves; left out where it prints a LoadResult itself. */
  readonly units?: number;
  /** Looks at what the command left behind; throws when it is not right. */
  check?(): void;
}

export interface BenchCase {
  readonly name: string;
  readonly unit: 'bytes' | 'files';
  /** The row that ratios refer to. */
  readonly reference: string;
  /** What a server's turn is made of; nothing when it takes no part. */
  steps(contender: Contender): readonly Step[];
  /** Untimed, after each run. */
  cleanUp?(): void;
}

/** What `load.c` prints. */
interface LoadResult {
  readonly units: number;
  /** With those of the warm-up and of the end. */
  readonly allUnits: number;
  readonly seconds: number;
  readonly waitedSeconds: number;
  readonly p50Us?: number;
  readonly p99Us?: number;
}

interface RunResult extends LoadResult {
  readonly perSecond: number;
  /** Processor time of the server, all its threads, for a unit. */
  readonly cpuSecondsPerUnit: number;
  /** The part of the time in which other processes kept the server or the load from its core, from 0 to 1. */
  readonly lostShare: number;
  readonly stalls: readonly Stall[];
}

export interface RowFigures {
  readonly row: string;
  readonly perSecond: Spread;
  /** To the reference in the same round; undefined when the reference is missing. */
  readonly ratio: Spread | undefined;
  /** Median; undefined for servers that fork. */
  readonly cpuSecondsPerUnit: number | undefined;
  readonly p50Us: number | undefined;
  readonly p99Us: number | undefined;
  /** The longest time in ms that the event loop was held up in any run; undefined for servers without one. */
  readonly longestStallMs: { readonly own: number; readonly wall: number } | undefined;
}

export interface CaseFigures {
  readonly name: string;
  readonly unit: BenchCase['unit'];
  readonly reference: string;
  readonly rows: readonly RowFigures[];
  readonly runs: number;
  readonly disturbedRuns: number;
  readonly missing: ReadonlyMap<string, string>;
}

/** A run that lost more of its time than this to other processes is taken again. */
const DISTURBED_SHARE = 0.05;
const MOST_ATTEMPTS = 2;

export async function startContender(
  workspace: Workspace,
  placement: Placement,
  peer: FilePeer,
  root: string,
): Promise<Contender> {
  const port = await freeTcpPort();
  const stallFile = workspace.path(`stalls-${port}`);
  const command = placement.server(peer.command(workspace, { port, root, stallFile }));
  return { peer, port, stallFile, running: await startPeer(workspace, command, () => acceptsTcp(port)) };
}

export interface MeasureSetup {
  readonly workspace: Workspace;
  readonly placement: Placement;
  readonly contenders: readonly Contender[];
  readonly notStarted: ReadonlyMap<string, string>;
  readonly rounds: number;
  readonly progress: (line: string) => void;
}

export async function measureCase(benchCase: BenchCase, setup: MeasureSetup): Promise<CaseFigures> {
  const missing = new Map(setup.notStarted);
  const results = new Map<string, Map<number, RunResult>>();
  const peers = new Map<string, FilePeer>();
  for (let round = 0; round < setup.rounds; round++) {
    for (const contender of turnOrder(setup.contenders, round)) {
      for (const step of benchCase.steps(contender)) {
        if (missing.has(step.row)) continue;
        setup.progress(`${benchCase.name}: round ${round + 1} of ${setup.rounds}, ${step.row}`);
        const perRound = results.get(step.row) ?? new Map<number, RunResult>();
        try {
          perRound.set(round, await leastDisturbed(() => runStep(benchCase, contender, step, setup)));
          results.set(step.row, perRound);
          peers.set(step.row, contender.peer);
        } catch (error) {
          // One wrong or lost byte and its figures are worth nothing.
          missing.set(step.row, contender.running.ended() ?? `failed under load: ${reasonOf(error)}`);
          results.delete(step.row);
        }
      }
    }
  }
  const reference = rates(results.get(benchCase.reference));
  const all = [...results.values()].flatMap((perRound) => [...perRound.values()]);
  return {
    name: benchCase.name,
    unit: benchCase.unit,
    reference: benchCase.reference,
    rows: [...results].map(([row, perRound]) => summarize(row, perRound, reference, peers.get(row))),
    runs: all.length,
    disturbedRuns: all.filter(({ lostShare }) => lostShare > DISTURBED_SHARE).length,
    missing,
  };
}

function summarize(
  row: string,
  perRound: ReadonlyMap<number, RunResult>,
  reference: ReadonlyMap<number, number>,
  peer: FilePeer | undefined,
): RowFigures {
  const all = [...perRound.values()];
  const ratios = ratiosPerRound(rates(perRound), reference);
  const median = (figure: (result: RunResult) => number | undefined) => {
    const known = all.map(figure).filter((value) => value !== undefined);
    return known.length > 0 ? spreadOf(known).median : undefined;
  };
  const stalls = all.flatMap((result) => result.stalls);
  const longest = (figure: (stall: Stall) => number) => Math.max(0, ...stalls.map(figure));
  return {
    row,
    perSecond: spreadOf(all.map((result) => result.perSecond)),
    ratio: ratios.length > 0 ? spreadOf(ratios) : undefined,
    cpuSecondsPerUnit: peer?.forks === true ? undefined : median((result) => result.cpuSecondsPerUnit),
    p50Us: median((result) => result.p50Us),
    p99Us: median((result) => result.p99Us),
    longestStallMs:
      peer?.watched === true
        ? { own: longest(({ ownMs }) => ownMs), wall: longest(({ wallMs }) => wallMs) }
        : undefined,
  };
}

/** Other work on the machine comes and goes; what it spoiled is measured again, a few times at most. */
async function leastDisturbed(run: () => Promise<RunResult>): Promise<RunResult> {
  let best = await run();
  for (let attempt = 1; attempt < MOST_ATTEMPTS && best.lostShare > DISTURBED_SHARE; attempt++) {
    const next = await run();
    // A stall is no less one for having come in a disturbed run.
    const stalls = [...best.stalls, ...next.stalls];
    best = { ...(next.lostShare < best.lostShare ? next : best), stalls };
  }
  return best;
}

async function runStep(
  benchCase: BenchCase,
  { running, stallFile, peer }: Contender,
  step: Step,
  { workspace, placement }: MeasureSetup,
): Promise<RunResult> {
  step.prepare?.();
  try {
    const startedAt = Date.now();
    const startedMs = performance.now();
    const [cpuBefore, waitedBefore] = [running.cpuSeconds(), running.waitedSeconds()];
    const printed = await runLoad(workspace, placement.load(step.command));
    const wallSeconds = (performance.now() - startedMs) / 1000;
    const cpuSeconds = running.cpuSeconds() - cpuBefore;
    const waitedSeconds = running.waitedSeconds() - waitedBefore;
    step.check?.();
    const result: LoadResult =
      step.units === undefined
        ? JSON.parse(printed)
        : { units: step.units, allUnits: step.units, seconds: wallSeconds, waitedSeconds: 0 };
    // A thread may also wait for its own process, as for a pool of threads on the same core: that is no loss.
    const serverLost = peer.forks ? 0 : Math.min(waitedSeconds, wallSeconds - cpuSeconds) / wallSeconds;
    return {
      ...result,
      perSecond: result.units / result.seconds,
      cpuSecondsPerUnit: cpuSeconds / result.allUnits,
      lostShare: Math.max(0, serverLost || 0, result.waitedSeconds / result.seconds),
      stalls: readStalls(stallFile).filter(({ at }) => at >= startedAt),
    };
  } finally {
    benchCase.cleanUp?.();
  }
}

/** None where there is no such file: a server that is not watched, or that was never held up. */
function readStalls(file: string): Stall[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  const lines = text.split('\n').slice(0, -1); // The last is empty, or half written.
  return lines.map((line) => JSON.parse(line) as Stall);
}

function rates(results: ReadonlyMap<number, RunResult> = new Map()): Map<number, number> {
  return new Map([...results].map(([round, result]) => [round, result.perSecond]));
}
