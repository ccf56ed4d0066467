/** The tables of the file servers. */
import { renderTable } from '../support/table.ts';
import type { CaseFigures, RowFigures } from './measure.ts';
import { type MemoryReport, SLOW_READERS } from './slow-readers.ts';

/** How a case's unit is counted, and the processor time that goes with it. */
const units = {
  bytes: {
    title: 'MB/s',
    rate: (perSecond: number) => (perSecond / 1e6).toFixed(0),
    cpuTitle: 'CPU s/GiB',
    cpuFactor: 2 ** 30,
  },
  files: {
    title: 'files/s',
    rate: (perSecond: number) => perSecond.toFixed(0),
    cpuTitle: 'CPU µs/file',
    cpuFactor: 1e6,
  },
} as const;

export function renderCase({ unit, reference, rows, runs, disturbedRuns, missing }: CaseFigures): string {
  const { title, rate, cpuTitle, cpuFactor } = units[unit];
  const timed = rows.some(({ p50Us }) => p50Us !== undefined);
  const cell = (value: number | undefined, digits: number) => value?.toFixed(digits) ?? '-';
  const right = (text: string) => ({ title: text, align: 'right' }) as const;
  const cpu = ({ cpuSecondsPerUnit }: RowFigures) =>
    cell(cpuSecondsPerUnit === undefined ? undefined : cpuSecondsPerUnit * cpuFactor, unit === 'bytes' ? 2 : 1);
  const table = renderTable(
    [
      { title: 'server', align: 'left' },
      ...[title, `to ${reference}`, 'min', 'max', cpuTitle, ...(timed ? ['p50 µs', 'p99 µs'] : []), 'stall ms'].map(
        right,
      ),
    ],
    rows
      .toSorted((a, b) => b.perSecond.median - a.perSecond.median)
      .map((row) => [
        row.row,
        rate(row.perSecond.median),
        ...[row.ratio?.median, row.ratio?.min, row.ratio?.max].map((ratio) => cell(ratio, 2)),
        cpu(row),
        ...(timed ? [cell(row.p50Us, 0), cell(row.p99Us, 0)] : []),
        row.longestStallMs === undefined
          ? '-'
          : `${row.longestStallMs.own.toFixed(1)} (${row.longestStallMs.wall.toFixed(1)})`,
      ]),
    missing,
  );
  if (disturbedRuns === 0) return table;
  return `${table}\n${disturbedRuns} of ${runs} runs were disturbed by other work on the machine: mistrust the ratios.\n`;
}

export function renderMemory({ figures, missing }: MemoryReport): string {
  const mib = (bytes: number) => (bytes / 1024 ** 2).toFixed(2);
  return renderTable(
    [
      { title: 'server', align: 'left' },
      { title: 'idle MiB', align: 'right' },
      { title: `MiB for each of ${SLOW_READERS}`, align: 'right' },
    ],
    figures.map((row) => [row.peer, mib(row.idleBytes), mib(row.bytesPerReader)]),
    missing,
  );
}
