/** One frame of `top`: text made from what was seen, without a terminal. */
import { formatBytes, formatFigure, formatLag } from './figures.ts';
import { formatAge } from './report.ts';
import { sparkline } from './sparkline.ts';
import { ratesBetween, type Traffic } from './traffic.ts';

/** As many values as the widest sparkline shows. */
const KEPT_VALUES = 60;

interface Cell {
  readonly label: string;
  readonly values: readonly number[];
  readonly format: (value: number) => string;
}

/** What was seen of one service, as rows of values, newest last. */
export class ServiceHistory {
  readonly name: string;
  latest: Traffic | undefined;
  readonly #values = new Map<string, number[]>();

  constructor(name: string) {
    this.name = name;
  }

  /** @param traffic `undefined` when the service did not answer */
  add(traffic: Traffic | undefined): void {
    const before = this.latest;
    this.latest = traffic;
    if (traffic === undefined) return;
    this.#push('peers', traffic.peers);
    this.#push('memory', traffic.residentBytes);
    const rates = before && ratesBetween(before, traffic);
    if (rates === undefined) return;
    this.#push('arrived', rates.arrived);
    this.#push('bytes', rates.bytes);
    this.#push('refused', rates.refused);
    this.#push('lag', rates.lagMs);
  }

  #push(key: string, value: number): void {
    const values = this.#values.get(key) ?? [];
    values.push(value);
    if (values.length > KEPT_VALUES) values.shift();
    this.#values.set(key, values);
  }

  /** In pairs, as they stand beside each other. */
  get cells(): readonly (readonly [Cell, Cell])[] {
    const cell = (label: string, key: string, format: Cell['format'] = formatFigure): Cell => ({
      label,
      values: this.#values.get(key) ?? [],
      format,
    });
    const udp = this.latest?.transport === 'udp';
    const traffic = [
      [cell(udp ? 'sources' : 'open', 'peers'), cell(udp ? 'datagrams/s' : 'new/s', 'arrived')],
      [cell('bytes/s', 'bytes', formatBytes), cell(udp ? 'dropped/s' : 'refused/s', 'refused')],
    ] as const;
    const machine = [cell('memory', 'memory', formatBytes), cell('loop lag', 'lag', formatLag)] as const;
    return this.latest?.transport === 'none' ? [machine] : [...traffic, machine];
  }
}

export interface FrameSize {
  readonly columns: number;
  readonly rows: number;
}

const LABEL_WIDTH = 11;
const VALUE_WIDTH = 9;
const GAP = 2;

export interface FrameTexts {
  readonly nowMs: number;
  readonly hint: string;
  /** What is said of a service that nothing was heard of. */
  readonly silence?: string;
}

/** Lines that fit: none wider than `columns`, no more than `rows`. */
export function renderFrame(
  services: readonly ServiceHistory[],
  { columns, rows }: FrameSize,
  { nowMs, hint, silence = 'does not answer' }: FrameTexts,
): readonly string[] {
  const cellWidth = Math.floor((columns - GAP) / 2);
  const sparkWidth = Math.min(KEPT_VALUES, Math.max(0, cellWidth - LABEL_WIDTH - VALUE_WIDTH - 2));
  const renderCell = ({ label, values, format }: Cell): string => {
    const value = values.at(-1);
    const figure = value === undefined ? '-' : format(value);
    return `${label.padEnd(LABEL_WIDTH)} ${sparkline(values, sparkWidth)} ${figure.padStart(VALUE_WIDTH)}`;
  };
  const title = `small-servers ${new Date(nowMs).toISOString().slice(11, 19)} UTC`;
  const lines = [`${title}${hint.padStart(Math.max(0, columns - title.length))}`];
  for (const service of services) {
    lines.push('', `${service.name}  ${service.latest === undefined ? silence : describe(service.latest, nowMs)}`);
    if (service.latest === undefined) continue;
    for (const [left, right] of service.cells) lines.push(`${renderCell(left)}${' '.repeat(GAP)}${renderCell(right)}`);
  }
  const roomy = lines.map((line) => line.slice(0, columns).trimEnd());
  const cut = roomy.length <= rows ? roomy : roomy.filter((line) => line !== '');
  return cut.length <= rows ? cut : [...cut.slice(0, rows - 1), '(more: the window is too low)'.slice(0, columns)];
}

function describe(latest: Traffic, nowMs: number): string {
  return `up ${formatAge(nowMs - latest.startedAtSeconds * 1000)}`;
}
