/** Lines as they are printed, without what depends on the line before. */
import { choosePaint, plain } from './colour.ts';
import { FlatTimes, isFlatRecord, printFlatRecord } from './flat-record.ts';
import { formatJsonLine } from './json-line.ts';
import { Printer } from './printer.ts';
import type { LogLine } from './record.ts';

export interface LineFormatOptions {
  readonly json: boolean;
  /** Whether the output is a terminal; the environment may say otherwise. */
  readonly isTerminal: boolean;
  /** Width of the column of services. */
  readonly serviceWidth: number;
}

export interface FormattedLine {
  readonly timeMs: number;
  readonly output: string;
}

export interface LineFormat {
  /** A record that needs no parsing to be printed; `undefined` for any other line. */
  quick(text: string, service: string): FormattedLine | undefined;
  format(line: LogLine): string;
}

export function createLineFormat({ json, isTerminal, serviceWidth }: LineFormatOptions): LineFormat {
  const times = new FlatTimes();
  const withTime = (text: string, output: string): FormattedLine | undefined => {
    const timeMs = times.timeMs(text);
    return Number.isNaN(timeMs) ? undefined : { timeMs, output };
  };
  if (json) {
    const quick = (text: string) => (isFlatRecord(text) ? withTime(text, `${text}\n`) : undefined);
    return { quick, format: formatJsonLine };
  }
  const paint = choosePaint(isTerminal, process.env);
  const printer = new Printer({ paint, serviceWidth });
  const format = (line: LogLine): string => printer.formatLine(line);
  if (paint !== plain) return { quick: () => undefined, format };
  let last = '';
  let column = '';
  const columnOf = (service: string): string => {
    if (service !== last) column = printer.serviceColumn(service);
    last = service;
    return column;
  };
  const quick = (text: string, service: string) => {
    const output = printFlatRecord(text, service, columnOf(service));
    return output === undefined ? undefined : withTime(text, output);
  };
  return { quick, format };
}
