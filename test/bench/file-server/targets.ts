/** What was promised of our server, beside what was measured. A missed target is a line to read, not a failure. */
import type { Verdict } from '../support/throughput-report.ts';
import { CONNECTION_COUNTS, caseNames, FIRST_READ_ROW } from './cases.ts';
import type { CaseFigures } from './measure.ts';
import { OUR_PEER, REFERENCE_PEER } from './peers.ts';
import type { MemoryReport } from './slow-readers.ts';

interface RatioTarget {
  readonly of: string;
  readonly row?: string;
  readonly to: string;
  readonly least: number;
}

const ratioTargets: readonly RatioTarget[] = [
  { of: caseNames.download, to: REFERENCE_PEER, least: 0.9 },
  { of: caseNames.download, row: FIRST_READ_ROW, to: REFERENCE_PEER, least: 0.5 },
  { of: caseNames.upload, to: 'vsftpd', least: 0.6 },
  { of: caseNames.getSmall(8), to: REFERENCE_PEER, least: 0.5 },
  { of: caseNames.getTree, to: 'rsync', least: 1 },
  ...CONNECTION_COUNTS.flatMap((connections) => [
    { of: caseNames.getSmall(connections), to: 'vsftpd', least: 1 },
    { of: caseNames.putSmall(connections), to: 'vsftpd', least: 1 },
  ]),
];
const MOST_STALL_MS = 20;
const MOST_BYTES_PER_READER = 4 * 1024 ** 2;

export function judge(cases: readonly CaseFigures[], memory: MemoryReport): Verdict[] {
  return [...ratioTargets.map((target) => judgeRatio(cases, target)), judgeStall(cases), judgeMemory(memory)];
}

/** A row to the row of another server: within the rounds where that is what ratios refer to, else by the medians. */
function judgeRatio(cases: readonly CaseFigures[], { of, row = OUR_PEER, to, least }: RatioTarget): Verdict {
  const figures = cases.find(({ name }) => name === of);
  const target = `${of}, ${row}: at least ${least} of ${to}`;
  const [ours, theirs] = [row, to].map((name) => figures?.rows.find((candidate) => candidate.row === name));
  if (figures === undefined || ours === undefined || theirs === undefined) {
    return { target, measured: 'not measured', met: undefined };
  }
  const ratio =
    figures.reference === to && ours.ratio !== undefined
      ? ours.ratio.median
      : ours.perSecond.median / theirs.perSecond.median;
  if (figures.disturbedRuns * 2 >= figures.runs) {
    return { target, measured: `${ratio.toFixed(2)} in disturbed runs`, met: undefined };
  }
  return { target, measured: ratio.toFixed(2), met: ratio >= least };
}

function judgeStall(cases: readonly CaseFigures[]): Verdict {
  const target = `event loop of ${OUR_PEER}: never held up for more than ${MOST_STALL_MS} ms`;
  const longest = cases.flatMap(({ name, rows }) =>
    rows
      .filter(({ row }) => row === OUR_PEER || row === FIRST_READ_ROW)
      .map((row) => ({ name, ms: row.longestStallMs?.own ?? 0 })),
  );
  const worst = longest.toSorted((a, b) => b.ms - a.ms)[0];
  if (worst === undefined) return { target, measured: 'not measured', met: undefined };
  return { target, measured: `${worst.ms.toFixed(1)} ms (${worst.name})`, met: worst.ms <= MOST_STALL_MS };
}

function judgeMemory({ figures }: MemoryReport): Verdict {
  const target = `a slow reader: at most ${MOST_BYTES_PER_READER / 1024 ** 2} MiB`;
  const ours = figures.find(({ peer }) => peer === OUR_PEER)?.bytesPerReader;
  if (ours === undefined) return { target, measured: 'not measured', met: undefined };
  return { target, measured: `${(ours / 1024 ** 2).toFixed(2)} MiB`, met: ours <= MOST_BYTES_PER_READER };
}
