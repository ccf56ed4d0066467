/** What was promised of our server, beside what was measured. A missed target is a line to read, not a failure. */
import { IDLE_TARGET_BYTES, type IdleReport } from './idle-memory.ts';
import { OUR_PEER, REFERENCE_PEER } from './peers.ts';
import type { CaseFigures } from './throughput.ts';

export interface Verdict {
  readonly target: string;
  /** What was measured, in words; `not measured` when the run has no figure for it. */
  readonly measured: string;
  /** Undefined when nothing was measured, or nothing that could be trusted. */
  readonly met: boolean | undefined;
}

/** Peers that our server is to leave behind in every case. */
const BEATEN_PEERS = ['node-pipe', 'socat', 'xinetd'];

export function judge(cases: readonly CaseFigures[], idle: IdleReport): Verdict[] {
  return [
    ...cases.map(judgeRatio),
    ...BEATEN_PEERS.map((peer) => judgeLead(cases, peer)),
    ...idle.figures
      .filter((row) => row.peer === OUR_PEER)
      .map((row) => ({
        target: `${row.connections} idle connections: at most ${IDLE_TARGET_BYTES / 1024} KiB each`,
        measured: `${(row.settledBytes / 1024).toFixed(1)} KiB`,
        met: row.settledBytes <= IDLE_TARGET_BYTES,
      })),
  ];
}

/** Half of a case's runs or more were disturbed: whatever its ratios are, they decide nothing. */
function isDisturbed({ runs, disturbedRuns }: CaseFigures): boolean {
  return disturbedRuns * 2 >= runs;
}

function judgeRatio(figures: CaseFigures): Verdict {
  const target = `${figures.case.name}: at least ${figures.case.targetRatio} of ${REFERENCE_PEER}`;
  const ratio = figures.peers.find(({ peer }) => peer === OUR_PEER)?.ratio?.median;
  if (ratio === undefined) return { target, measured: 'not measured', met: undefined };
  if (isDisturbed(figures)) return { target, measured: `${ratio.toFixed(2)} in disturbed runs`, met: undefined };
  return { target, measured: ratio.toFixed(2), met: ratio >= figures.case.targetRatio };
}

/** By the medians of the ratios to the reference, in the case where the lead is least. */
function judgeLead(cases: readonly CaseFigures[], beaten: string): Verdict {
  const target = `ahead of ${beaten} in every case`;
  const leads = cases.flatMap(({ peers }) => {
    const ratio = (name: string) => peers.find(({ peer }) => peer === name)?.ratio?.median;
    const [ours, theirs] = [ratio(OUR_PEER), ratio(beaten)];
    return ours === undefined || theirs === undefined ? [] : [ours / theirs];
  });
  if (leads.length < cases.length) return { target, measured: 'not measured', met: undefined };
  const least = Math.min(...leads);
  if (cases.some(isDisturbed)) return { target, measured: `${least.toFixed(2)} in disturbed runs`, met: undefined };
  return { target, measured: `at least ${least.toFixed(2)} times its rate`, met: least > 1 };
}

export function renderVerdicts(verdicts: readonly Verdict[]): string {
  const mark = (met: boolean | undefined) => (met === undefined ? '' : met ? ', met' : ', not met');
  return verdicts.map(({ target, measured, met }) => `- ${target}: ${measured}${mark(met)}\n`).join('');
}
