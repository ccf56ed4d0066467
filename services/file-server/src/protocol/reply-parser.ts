/**
 * The replies of the protocol, as a client reads them. One line each, without its terminator:
 *
 *   reply = "OK" *kv / "DATA" len *kv / "SEND" offset *kv / "ITEM" *kv
 *         / "ERR" code "retry=" ("no"/"later"/"auth") *kv [":" text]
 *   kv    = SP key "=" value        ; key: letters and digits, value: printable ASCII without SP
 *
 * Nothing here trusts the sender: what is not of this form throws, and `text` may hold anything that fits a line.
 * Specification: docs/protocols/file.md.
 */
import { FramingError } from '@small-servers/shared/framing/errors';
import type { Retry } from './codes.ts';

/** A listing goes 32 folders deep, a name takes 255 bytes, and each of them three characters: some 24 KiB in a path. */
export const MAX_REPLY_BYTES = 32 * 1024;

export type Fields = ReadonlyMap<string, string>;

export interface OkReply {
  readonly kind: 'ok';
  readonly fields: Fields;
}

export type Reply =
  | OkReply
  | { readonly kind: 'item'; readonly fields: Fields }
  /** So many bytes follow the line, then an empty line, then an OK. */
  | { readonly kind: 'data'; readonly bytes: number; readonly fields: Fields }
  /** The payload is awaited from this offset on. */
  | { readonly kind: 'send'; readonly offset: number; readonly fields: Fields }
  | {
      readonly kind: 'error';
      readonly code: string;
      readonly retry: Retry;
      readonly fields: Fields;
      readonly text: string;
    };

/** A line that is no reply, or a reply that is out of place. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError';
}

/** Not even the beginning of a reply. */
export class NoReply extends ReplyError {
  constructor() {
    super('a line that is no reply');
  }
}

const KEY = /^[a-z][a-z0-9-]*$/;
const PRINTABLE = /^[\x20-\x7e]*$/;

/** Keys that were found to be of their form: there are few, and they come again and again. */
const knownKeys = new Set<string>(['path', 'type', 'size', 'mtime', 'etag', 'sha256', 'off', 'crc32']);
const CODE = /^[A-Z]{2,20}$/;

/** @throws ReplyError for what is no reply */
export function parseReply(line: Uint8Array): Reply {
  const bytes = line instanceof Buffer ? line : Buffer.from(line.buffer, line.byteOffset, line.length);
  const text = bytes.toString('latin1');
  const space = text.indexOf(' ');
  const verb = space === -1 ? text : text.slice(0, space);
  const from = verb.length + 1;
  switch (verb) {
    case 'OK':
      return { kind: 'ok', fields: parseFields(text, from) };
    case 'ITEM':
      return { kind: 'item', fields: parseFields(text, from) };
    case 'DATA': {
      const end = endOfWord(text, from);
      return { kind: 'data', bytes: parseLength(text.slice(from, end)), fields: parseFields(text, end + 1) };
    }
    case 'SEND': {
      const end = endOfWord(text, from);
      return { kind: 'send', offset: parseLength(text.slice(from, end)), fields: parseFields(text, end + 1) };
    }
    case 'ERR':
      return parseError(text);
    default:
      throw new NoReply();
  }
}

/** `num` of the grammar: digits without sign or leading zero, at most 2^53-1. */
export function parseLength(word: string | undefined): number {
  const value = word !== undefined && /^(?:0|[1-9]\d{0,15})$/.test(word) ? Number(word) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new ReplyError('a length that is no number from 0 to 2^53-1');
  return value;
}

function endOfWord(text: string, from: number): number {
  const end = text.indexOf(' ', from);
  return end === -1 ? text.length : end;
}

/** The words of `text` from an index on; one beyond its end stands for none. Every file comes with several of them. */
function parseFields(text: string, from: number): Fields {
  const fields = new Map<string, string>();
  if (from > text.length) return fields;
  if (!PRINTABLE.test(text)) throw new ReplyError('a field that is not key=value');
  for (let start = from; start <= text.length; ) {
    const end = endOfWord(text, start);
    const equals = text.indexOf('=', start);
    const key = text.slice(start, equals);
    if (equals === -1 || equals > end || !(knownKeys.has(key) || KEY.test(key))) {
      throw new ReplyError('a field that is not key=value');
    }
    if (fields.has(key)) throw new ReplyError('a field that is given twice');
    fields.set(key, text.slice(equals + 1, end));
    start = end + 1;
  }
  return fields;
}

/** The sentence begins after the first colon with a space behind it: no field holds a space. */
function parseError(text: string): Reply {
  const at = text.indexOf(': ');
  const head = at === -1 ? text : text.slice(0, at);
  const from = head.indexOf(' ') + 1;
  const end = endOfWord(head, from);
  if (from === 0 || !CODE.test(head.slice(from, end))) throw new ReplyError('an error without a code');
  const code = head.slice(from, end);
  const fields = parseFields(head, end + 1);
  const retry = fields.get('retry');
  if (retry !== 'no' && retry !== 'later' && retry !== 'auth')
    throw new ReplyError('an error that does not say when to try again');
  return { kind: 'error', code, retry, fields, text: at === -1 ? '' : text.slice(at + 2).trim() };
}

/** What a decoder found wrong with the stream of replies, in the same words. */
export function replyErrorOf(error: unknown): ReplyError | undefined {
  if (error instanceof ReplyError) return error;
  if (!(error instanceof FramingError)) return undefined;
  return new ReplyError(error.code === 'FRAME_TOO_LONG' ? `a line over ${MAX_REPLY_BYTES} bytes` : error.message);
}
