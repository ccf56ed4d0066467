/** Entries as `ls` and `stat` print them. */
import type { RemoteEntry } from '../protocol/reply-entry.ts';
import { displayPath } from './display-name.ts';

/** Of a size of 2^40 and more the columns move; names stay apart. */
const SIZE_COLUMNS = 13;
const marks = { file: '-', directory: 'd', other: '?' } as const;

/** `-          1204  2026-01-02T03:04:05Z  notes.txt`: in UTC, so that two people read the same. */
export function entryLine({ kind, sizeBytes, modifiedMs, path }: RemoteEntry): string {
  const size = kind === 'file' ? String(sizeBytes) : '';
  const name = `${displayPath(path)}${kind === 'directory' ? '/' : ''}`;
  return `${marks[kind]} ${size.padStart(SIZE_COLUMNS)}  ${timeText(modifiedMs)}  ${name}\n`;
}

/** `path` as it stands on the wire: what `--encoded` takes. */
export function entryRecord(entry: RemoteEntry, path = entry.path.text): object {
  const { kind, sizeBytes, modifiedMs, etag, sha256 } = entry;
  return {
    path,
    type: kind,
    sizeBytes,
    modified: new Date(modifiedMs).toISOString(),
    etag,
    ...(sha256 === undefined ? {} : { sha256 }),
  };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
