/**
 * What ITEM and the OK of STAT say of a file or folder, judged field by field.
 *
 *   path=PATH    ITEM only: relative to the listed folder
 *   type=file / directory / other
 *   size=num     mtime=2026-01-02T03:04:05.678Z     etag=ETAG   [sha256=HEX]
 */
import type { EntryKind } from '../store/store.ts';
import { FileError } from './codes.ts';
import { decodePath, type FilePath, pathOf } from './path.ts';
import { type Fields, MAX_REPLY_BYTES, parseLength, ReplyError } from './reply-parser.ts';

export interface RemoteEntry {
  /** From the folder that was listed; no names for the entry that STAT was asked about. */
  readonly path: FilePath;
  readonly kind: EntryKind;
  readonly sizeBytes: number;
  /** Milliseconds since 1970. */
  readonly modifiedMs: number;
  readonly etag: string;
  /** Lower-case hex, if the server knows it. */
  readonly sha256: string | undefined;
}

/** Letters and digits; it becomes part of a file name. */
const ETAG = /^[A-Za-z0-9]{1,64}$/;
const SHA256 = /^[0-9a-f]{64}$/;
/** As Date.toISOString writes it: UTC, milliseconds; six digits and a sign for years beyond 9999. */
const TIME = /^(?:\d{4}|[+-]\d{6})-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const kinds: readonly string[] = ['file', 'directory', 'other'] satisfies readonly EntryKind[];

const ITSELF = pathOf([]);

/** @throws ReplyError */
export function statEntry(fields: Fields): RemoteEntry {
  return entryOf(fields, ITSELF);
}

/** @throws ReplyError, above all for a name that leaves the folder */
export function listedEntry(fields: Fields): RemoteEntry {
  return entryOf(fields, listedPath(fields.get('path') ?? ''));
}

/** An ITEM with all that our server tells of a file, in its order, and with nothing in its path to be decoded. */
const PLAIN_ITEM =
  /^ITEM path=([\w.~-]+(?:\/[\w.~-]+)*) type=(file|directory|other) size=(0|[1-9]\d{0,14}) mtime=(\S+) etag=([A-Za-z0-9]{1,64})(?: sha256=([0-9a-f]{64}))?\r\n$/;

/**
 * The entry of a line that is an ITEM as almost all of them are, with its terminator: found in one go where parsing it
 * field by field costs three times as much. `undefined` for any other line, right or wrong.
 */
export function plainItem(line: string): RemoteEntry | undefined {
  if (line.length > MAX_REPLY_BYTES) return undefined;
  const [, text = '', kind = '', size = '', mtime = '', etag = '', sha256] = PLAIN_ITEM.exec(line) ?? [];
  const names = plainNames(text);
  if (names === undefined || !TIME.test(mtime)) return undefined;
  const modifiedMs = Date.parse(mtime);
  if (Number.isNaN(modifiedMs)) return undefined;
  return { path: { names, text }, kind: kind as EntryKind, sizeBytes: Number(size), modifiedMs, etag, sha256 };
}

function plainNames(text: string): Buffer[] | undefined {
  const names: Buffer[] = [];
  for (const part of text.split('/')) {
    if (part === '' || part === '.' || part === '..') return undefined;
    names.push(Buffer.from(part, 'latin1'));
  }
  return names;
}

function entryOf(fields: Fields, path: FilePath): RemoteEntry {
  const kind = fields.get('type') ?? '';
  if (!kinds.includes(kind)) throw new ReplyError('an entry that is no file, directory or other');
  return {
    path,
    kind: kind as EntryKind,
    sizeBytes: parseLength(fields.get('size') ?? '0'),
    modifiedMs: parseTime(fields.get('mtime') ?? ''),
    etag: checkedEtag(fields.get('etag')),
    sha256: checkedSha256(fields.get('sha256')),
  };
}

function parseTime(text: string): number {
  const ms = TIME.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new ReplyError('a time that no calendar has');
  return ms;
}

/** @throws ReplyError for what can not be a part of a file name here */
export function checkedEtag(etag: string | undefined): string {
  if (etag === undefined || !ETAG.test(etag)) throw new ReplyError('an etag that is not 1 to 64 letters and digits');
  return etag;
}

/** @throws ReplyError */
export function checkedSha256(sha256: string | undefined): string | undefined {
  if (sha256 !== undefined && !SHA256.test(sha256)) throw new ReplyError('a sha256 that is not 64 hex digits');
  return sha256;
}

function listedPath(text: string): FilePath {
  // An empty part would vanish in decoding: two spellings of one path are one too many here.
  if (text === '' || text.startsWith('/') || text.endsWith('/') || text.includes('//')) {
    throw new ReplyError('a name that is empty or absolute');
  }
  try {
    return decodePath(text);
  } catch (error) {
    if (error instanceof FileError)
      throw new ReplyError(`a name that leaves its folder or stands for no file: ${error.message}`);
    throw error;
  }
}
