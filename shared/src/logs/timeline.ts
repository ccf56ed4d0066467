/**
 * One connection's story: its records with the time since it began. A connection's id is unique in its
 * process only, so two processes that used the same one have two stories.
 */
import type { Paint } from './colour.ts';
import { escapeText, escapeUpTo } from './escape.ts';
import { clockTime, formatBody, formatText, type Printer } from './printer.ts';
import { type LogLine, type LogRecord, numberField, textField } from './record.ts';

/** Shown in the heading of a story. */
const IN_HEADING = ['conn', 'service', 'peer'];

const OFFSET_WIDTH = '+59 min 59.999 s'.length;

export class Timeline {
  readonly #paint: Paint;
  readonly #printer: Printer;
  /** When each story began, in milliseconds since 1970. A story is kept until its last record. */
  readonly #open = new Map<string, number>();
  #current: string | undefined;

  constructor(printer: Printer, paint: Paint) {
    this.#printer = printer;
    this.#paint = paint;
  }

  format(line: LogLine): string {
    const { record } = line;
    if (record === undefined)
      return `${clockTime(line.timeMs)} ${''.padStart(OFFSET_WIDTH)} ${formatText(line, this.#paint)}\n`;
    const story = `${line.service} ${record.pid} ${record.conn}`;
    const begun = this.#open.get(story);
    const beganMs = begun ?? beginning(line, record);
    const heading = this.#current === story ? '' : this.#heading(line, record);
    const opening = begun === undefined ? this.#opening(beganMs, line) : '';
    this.#current = story;
    if (record.event === 'connection-closed') this.#open.delete(story);
    else this.#open.set(story, beganMs);
    const body = formatBody(record, line.service, this.#paint, IN_HEADING);
    return `${heading}${opening}${this.#printer.heading(line.timeMs)}${this.#times(line.timeMs, beganMs)} ${body}\n`;
  }

  /** What is to be said when the logs end. */
  end(): string {
    const stories = [...this.#open.keys()].map((story) => {
      const [service, , conn] = story.split(' ');
      return `${escapeText(service ?? '')} ${escapeUpTo(conn ?? '', 40)}: no connection-closed in these logs: it is open, or its process was killed`;
    });
    return stories.map((text) => `${this.#paint('dim', text)}\n`).join('');
  }

  #heading({ service }: LogLine, record: LogRecord): string {
    const first = this.#current === undefined ? '' : '\n';
    const peer = escapeUpTo(textField(record, 'peer') ?? 'no peer', 100);
    const pid = numberField(record, 'pid');
    const title = `${escapeText(service)} ${escapeUpTo(String(record.conn), 40)}  ${peer}${pid === undefined ? '' : `  pid ${pid}`}`;
    return `${first}${this.#paint('cyan', title)}\n`;
  }

  /** Without `--log-level debug` a story has no first record, but the last one tells when it was. */
  #opening(beganMs: number, line: LogLine): string {
    if (beganMs === line.timeMs) return '';
    return `${this.#printer.heading(beganMs)}${this.#times(beganMs, beganMs)} ${this.#paint('dim', '(opened, by the durationMs of its last record)')}\n`;
  }

  #times(timeMs: number, beganMs: number): string {
    return `${this.#paint('dim', clockTime(timeMs))} ${formatOffset(timeMs - beganMs).padStart(OFFSET_WIDTH)}`;
  }
}

function beginning({ timeMs }: LogLine, record: LogRecord): number {
  const durationMs = record.event === 'connection-closed' ? numberField(record, 'durationMs') : undefined;
  return timeMs - Math.max(0, Math.round(durationMs ?? 0));
}

/** `+27 ms`, `+12.027 s`, `+3 min 04.100 s`, `+26 h 03 min`; with a minus when the clock was set back. */
export function formatOffset(offsetMs: number): string {
  const sign = offsetMs < 0 ? '-' : '+';
  const ms = Math.abs(offsetMs);
  if (ms < 1000) return `${sign}${ms} ms`;
  if (ms < 60_000) return `${sign}${(ms / 1000).toFixed(3)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${sign}${minutes} min ${((ms % 60_000) / 1000).toFixed(3).padStart(6, '0')} s`;
  return `${sign}${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}
