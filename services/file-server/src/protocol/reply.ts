/**
 * Replies as text.
 *
 *   reply = "OK" *kv / "DATA" len *kv / "SEND" offset *kv / "ITEM" *kv
 *         / "ERR" code "retry=" ("no"/"later"/"auth") *kv [":" text]          ; CRLF
 *   kv    = SP key "=" value
 *
 * Specification: docs/protocols/file.md.
 */
import type { Entry, ListedEntry } from '../store/store.ts';
import type { FileError } from './codes.ts';

export type Pairs = Readonly<Record<string, string | number | undefined>>;

function pairs(values: Pairs): string {
  let text = '';
  for (const key in values) {
    const value = values[key];
    if (value !== undefined) text += ` ${key}=${value}`;
  }
  return text;
}

export const ok = (values: Pairs = {}): string => `OK${pairs(values)}\r\n`;

export const data = (lengthBytes: number, values: Pairs): string => `DATA ${lengthBytes}${pairs(values)}\r\n`;

export const send = (offset: number, id: string): string => `SEND ${offset} id=${id}\r\n`;

export const item = (entry: ListedEntry): string => `ITEM${pairs({ path: entry.path.text, ...entryPairs(entry) })}\r\n`;

/** The words of a message are ours, but what they quote may not be: nothing in it ends the line or moves a cursor. */
export function err(error: FileError, values: Pairs = {}): string {
  const text = error.message.replaceAll(/[^\x20-\x7e]/g, '?');
  const { code, retry, etag } = error;
  return `ERR ${code} retry=${retry}${pairs({ etag, ...values })}${text === '' ? '' : `: ${text}`}\r\n`;
}

/** What STAT says of an entry, and others of what they made. */
export function entryPairs({ kind, sizeBytes, modifiedMs, etag, sha256 }: Entry): Pairs {
  return { type: kind, size: sizeBytes, mtime: timeText(modifiedMs), etag, sha256 };
}

let lastMs = Number.NaN;
let lastText = '';

/** ISO 8601, UTC, to the millisecond. Files that were written together are often read together. */
export function timeText(ms: number): string {
  if (ms !== lastMs) lastText = new Date(ms).toISOString();
  lastMs = ms;
  return lastText;
}

/** 8 hex digits. */
export const crc32Text = (crc: number): string => crc.toString(16).padStart(8, '0');
