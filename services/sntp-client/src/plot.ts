/** Curves over time, as text for a terminal and as SVG. Pure. */
import { formatSeconds } from '@small-servers/shared/clock/display';
import type { PlotData, PlotPoint } from './plot-records.ts';

export interface Curve {
  readonly title: string;
  readonly points: readonly PlotPoint[];
}

export function curvesOf({ offset, delays }: PlotData): readonly Curve[] {
  const delayCurves = [...delays].map(([server, points]) => ({ title: `delay of ${server}`, points }));
  return [{ title: 'offset, with its bound', points: offset }, ...delayCurves].filter(
    ({ points }) => points.length > 0,
  );
}

interface Extent {
  readonly fromMs: number;
  readonly toMs: number;
  readonly low: number;
  readonly high: number;
}

function extentOf(points: readonly PlotPoint[]): Extent {
  let extent = { fromMs: Infinity, toMs: -Infinity, low: Infinity, high: -Infinity };
  for (const { atMs, value, bound = 0 } of points) {
    extent = {
      fromMs: Math.min(extent.fromMs, atMs),
      toMs: Math.max(extent.toMs, atMs),
      low: Math.min(extent.low, value - bound),
      high: Math.max(extent.high, value + bound),
    };
  }
  // A flat curve still has a height to be drawn in.
  const margin = extent.high > extent.low ? 0 : Math.abs(extent.high) / 10 || 1e-6;
  return { ...extent, low: extent.low - margin, high: extent.high + margin };
}

const LABEL_WIDTH = 12;

/** One curve as lines of text: `*` is the value, `:` its bound; where several fall in one column all are drawn. */
export function plotText({ title, points }: Curve, columns: number, rows: number): string {
  const extent = extentOf(points);
  const width = Math.max(10, columns - LABEL_WIDTH - 2);
  const cells = Array.from({ length: rows }, () => new Array<string>(width).fill(' '));
  const column = ({ atMs }: PlotPoint): number =>
    Math.round(((atMs - extent.fromMs) / Math.max(1, extent.toMs - extent.fromMs)) * (width - 1));
  const row = (value: number): number => Math.round(((extent.high - value) / (extent.high - extent.low)) * (rows - 1));
  const put = (value: number, at: number, mark: string): void => {
    const line = cells[row(value)];
    if (line !== undefined && line[at] !== '*') line[at] = mark;
  };
  for (const point of points) {
    const { value, bound = 0 } = point;
    for (let at = row(value + bound); bound > 0 && at <= row(value - bound); at++) {
      const line = cells[at];
      if (line !== undefined && line[column(point)] === ' ') line[column(point)] = ':';
    }
    put(value, column(point), '*');
  }
  const labels = new Map([
    [0, formatSeconds(extent.high)],
    [rows - 1, formatSeconds(extent.low)],
  ]);
  const body = cells.map(
    (line, index) => `${(labels.get(index) ?? '').padStart(LABEL_WIDTH)} |${line.join('').trimEnd()}`,
  );
  const from = shortTime(extent.fromMs);
  const to = shortTime(extent.toMs);
  const axis = `${' '.repeat(LABEL_WIDTH + 2)}${from}${' '.repeat(Math.max(1, width - from.length - to.length))}${to}`;
  return `${[title, ...body, axis].join('\n')}\n`;
}

/** `2025-06-01 09:05`, UTC. */
function shortTime(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
}

const SVG_WIDTH = 900;
const CURVE_HEIGHT = 200;
const MARGIN = { left: 110, right: 20, top: 30, bottom: 30 } as const;

/** All curves below one another in one picture that needs no other file. */
export function plotSvg(curves: readonly Curve[]): string {
  const height = curves.length * (CURVE_HEIGHT + MARGIN.top + MARGIN.bottom);
  const parts = curves.map((curve, index) =>
    svgCurve(curve, index * (CURVE_HEIGHT + MARGIN.top + MARGIN.bottom) + MARGIN.top),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${SVG_WIDTH}" height="${height}" viewBox="0 0 ${SVG_WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    '<rect width="100%" height="100%" fill="white"/>',
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function svgCurve({ title, points }: Curve, top: number): string {
  const { fromMs, toMs, low, high } = extentOf(points);
  const width = SVG_WIDTH - MARGIN.left - MARGIN.right;
  const x = (atMs: number): string => (MARGIN.left + ((atMs - fromMs) / Math.max(1, toMs - fromMs)) * width).toFixed(1);
  const y = (value: number): string => (top + ((high - value) / (high - low)) * CURVE_HEIGHT).toFixed(1);
  const path = (values: readonly string[]): string => values.join(' ');
  const upper = points.map(({ atMs, value, bound = 0 }) => `${x(atMs)},${y(value + bound)}`);
  const lower = points.map(({ atMs, value, bound = 0 }) => `${x(atMs)},${y(value - bound)}`).toReversed();
  const line = points.map(({ atMs, value }) => `${x(atMs)},${y(value)}`);
  const bottom = top + CURVE_HEIGHT;
  const label = (at: number, text: string): string =>
    `<text x="${MARGIN.left - 8}" y="${at}" text-anchor="end">${text}</text>`;
  return [
    `<text x="${MARGIN.left}" y="${top - 10}" font-weight="bold">${escapeXml(title)}</text>`,
    `<rect x="${MARGIN.left}" y="${top}" width="${width}" height="${CURVE_HEIGHT}" fill="none" stroke="#999"/>`,
    `<polygon points="${path([...upper, ...lower])}" fill="#9ecae1" stroke="none"/>`,
    `<polyline points="${path(line)}" fill="none" stroke="#08519c" stroke-width="1.5"/>`,
    label(top + 10, formatSeconds(high)),
    label(bottom, formatSeconds(low)),
    `<text x="${MARGIN.left}" y="${bottom + 18}">${shortTime(fromMs)}</text>`,
    `<text x="${SVG_WIDTH - MARGIN.right}" y="${bottom + 18}" text-anchor="end">${shortTime(toMs)} UTC</text>`,
  ].join('\n');
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
