/**
 * What an argument can be: one row for each rule of the grammar, with the text that error messages and the document
 * show for it.
 */
import type { DigestAlgorithm, Precondition } from '../store/store.ts';
import { FileError } from './codes.ts';
import { decodePath, type FilePath } from './path.ts';

export interface Field<T> {
  /** The rule of docs/protocols/file.md. */
  readonly rule: string;
  /** What HELP shows in its place. */
  readonly placeholder: string;
  /** The end of the sentence "NAME is ...". */
  readonly allowed: string;
  /** `undefined` for what is not of this form. @throws FileError BADNAME for a path that stands for no file. */
  parse(text: string): T | undefined;
}

const number = /^(?:0|[1-9]\d{0,15})$/;

/** 0 to 2^53-1, written in one way only: no sign, no leading zero, no exponent. */
export function parseNumber(text: string): number | undefined {
  const value = number.test(text) ? Number(text) : -1;
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

const matching =
  (pattern: RegExp) =>
  (text: string): string | undefined =>
    pattern.test(text) ? text : undefined;

const etagPattern = /^[A-Za-z0-9]{1,64}$/;

export const path: Field<FilePath> = {
  rule: 'path',
  placeholder: 'path',
  allowed: 'a path: letters, digits, "-._~", "/" and "%" with two hex digits',
  parse: decodePath,
};

export const num: Field<number> = {
  rule: 'num',
  placeholder: 'N',
  allowed: 'a number from 0 to 2^53-1 without sign or leading zero',
  parse: parseNumber,
};

export const positive: Field<number> = {
  rule: 'pos',
  placeholder: 'N',
  allowed: 'a number from 1 to 2^53-1 without sign or leading zero',
  parse: (text) => parseNumber(text) || undefined,
};

/** How many bytes follow, or that each chunk of them says so itself. */
export const payloadLength: Field<number | 'chunked'> = {
  rule: 'length',
  placeholder: 'len|chunked',
  allowed: 'a number from 0 to 2^53-1 without sign or leading zero, or the word chunked',
  parse: (text) => (text === 'chunked' ? text : parseNumber(text)),
};

export const etag: Field<string> = {
  rule: 'etag',
  placeholder: 'ETAG',
  allowed: 'an etag: 1 to 64 letters and digits, as STAT gives it',
  parse: matching(etagPattern),
};

export const precondition: Field<Precondition> = {
  rule: 'precondition',
  placeholder: 'none|any|ETAG',
  allowed: 'none, any, or an etag as STAT gives it',
  parse: (text) => {
    if (text === 'none' || text === 'any') return { kind: text };
    return etagPattern.test(text) ? { kind: 'etag', etag: text } : undefined;
  },
};

export const sha256: Field<string> = {
  rule: 'sha256',
  placeholder: 'HEX',
  allowed: '64 hex digits',
  parse: (text) => (/^[0-9A-Fa-f]{64}$/.test(text) ? text.toLowerCase() : undefined),
};

export const algorithm: Field<DigestAlgorithm> = {
  rule: 'algorithm',
  placeholder: 'sha256|crc32',
  allowed: 'sha256 or crc32',
  parse: (text) => (text === 'sha256' || text === 'crc32' ? text : undefined),
};

export const uploadId: Field<string> = {
  rule: 'id',
  placeholder: 'id',
  allowed: '32 hex digits, as SEND gave them',
  parse: matching(/^[0-9a-f]{32}$/),
};

export const token: Field<string> = {
  rule: 'token',
  placeholder: 'token',
  allowed: '1 to 1024 printable characters without a space',
  parse: matching(/^[\x21-\x7e]{1,1024}$/),
};

/** Where a listing goes on: a path below the listed directory, as its ITEM gave it. */
export const listedName: Field<string> = {
  rule: 'path',
  placeholder: 'NAME',
  allowed: 'a path as ITEM gave it',
  parse: (text) => {
    const { names, text: canonical } = decodePath(text);
    if (names.length === 0) throw new FileError('BADARG', 'after is a path as ITEM gave it, not the listed directory');
    return canonical;
  },
};
