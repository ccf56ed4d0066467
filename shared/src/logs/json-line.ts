/** A log line for a program: one JSON object a line, the record as it was written wherever that is safe to print. */
import { escapeJson } from './escape.ts';
import type { LogLine } from './record.ts';

const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;

/**
 * The record's own text; characters that a terminal could be misled by are written as `\uHHHH`, which
 * is the same JSON. Bare text becomes `{"time","service","text"}`, with `cut` when it is a beginning.
 */
export function formatJsonLine({ service, timeMs, text, record, cut }: LogLine): string {
  if (record !== undefined) {
    // Written anew when needed: between the values of JSON a carriage return is allowed too.
    return PRINTABLE_ASCII.test(text) ? `${text}\n` : `${escapeJson(JSON.stringify(record))}\n`;
  }
  const time = Number.isNaN(timeMs) ? {} : { time: new Date(timeMs).toISOString() };
  return `${escapeJson(JSON.stringify({ ...time, service, text, ...(cut ? { cut } : {}) }))}\n`;
}
