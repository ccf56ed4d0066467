/** Tables and verdicts of a bench of echo servers. */
import { renderTable } from './table.ts';
import type { CaseFigures } from './throughput.ts';

/** Who is judged, and against whom. */
export interface Contest {
  readonly ourPeer: string;
  readonly referencePeer: string;
}

export interface Verdict {
  readonly target: string;
  /** What was measured, in words; `not measured` when the run has no figure for it. */
  readonly measured: string;
  /** Undefined when nothing was measured, or nothing that could be trusted. */
  readonly met: boolean | undefined;
}
/** Half of a case's runs or more were disturbed: whatever its ratios are, they decide nothing. */
function isDisturbed({ runs, disturbedRuns }: CaseFigures): boolean {
  return disturbedRuns * 2 >= runs;
}

/** Whether our server reaches the ratio that its case asks for. */
export function judgeRatio(figures: CaseFigures, { ourPeer, referencePeer }: Contest): Verdict {
  const target = `${figures.case.name}: at least ${figures.case.targetRatio} of ${referencePeer}`;
  const ratio = figures.peers.find(({ peer }) => peer === ourPeer)?.ratio?.median;
  if (ratio === undefined) return { target, measured: 'not measured', met: undefined };
  if (isDisturbed(figures)) return { target, measured: `${ratio.toFixed(2)} in disturbed runs`, met: undefined };
  return { target, measured: ratio.toFixed(2), met: ratio >= figures.case.targetRatio };
}

/** Whether our server is ahead of another one, by the medians of the ratios to the reference, in the case where the lead is least. */
export function judgeLead(cases: readonly CaseFigures[], ourPeer: string, beaten: string): Verdict {
  const target = `ahead of ${beaten} in every case`;
  const leads = cases.flatMap(({ peers }) => {
    const ratio = (name: string) => peers.find(({ peer }) => peer === name)?.ratio?.median;
    const [ours, theirs] = [ratio(ourPeer), ratio(beaten)];
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

/** One line that is written over, on a terminal only. */
export function showProgress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}

export function renderDisturbance({ runs, disturbedRuns }: CaseFigures): string {
  if (disturbedRuns === 0) return '';
  return `\n${disturbedRuns} of ${runs} runs were disturbed by other work on the machine: mistrust the ratios.\n`;
}

export function renderCase({ peers, missing }: CaseFigures): string {
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
