/**
 * A path of the protocol: names of bytes, percent-encoded on the wire.
 *
 *   path = 1*(unreserved / "/" / "%" HH)    ; decoded once; "." "..", %00 and %2F refused
 *
 * Specification: docs/protocols/file.md; RFC 3986, sections 2.1 and 2.3, for the encoding.
 */
import { FileError } from './codes.ts';

/** Decoded names below the root, outermost first; none for the root itself. */
export interface FilePath {
  readonly names: readonly Buffer[];
  /** The one canonical spelling, without leading or trailing slash; `/` for the root. Key of locks, word of logs. */
  readonly text: string;
}

const unreserved = /^[A-Za-z0-9._~-]$/;
/** A name, and a path, that are written as they are: almost every one. */
const plainName = /^[A-Za-z0-9._~-]+$/;
const plainPath = /^[A-Za-z0-9._~-]+(?:\/[A-Za-z0-9._~-]+)*$/;

/** One name as it stands on the wire. */
export function encodeName(name: Uint8Array): string {
  const plain = Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');
  if (plainName.test(plain)) return plain;
  let text = '';
  for (const byte of name) {
    const character = String.fromCharCode(byte);
    text += unreserved.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}

/** @throws FileError BADNAME for an encoding that is broken, and for a name that stands for no file. */
export function decodePath(text: string): FilePath {
  const names: Buffer[] = [];
  for (const part of text.split('/')) if (part !== '') names.push(decodeName(part));
  return plainPath.test(text) ? { names, text } : pathOf(names);
}

export function pathOf(names: readonly Buffer[]): FilePath {
  return { names, text: names.length === 0 ? '/' : names.map(encodeName).join('/') };
}

/** A path that was told from a folder on, from where the folder's own path begins. */
export function pathBelow(folder: FilePath, { names, text }: FilePath): FilePath {
  if (folder.names.length === 0) return { names, text };
  if (names.length === 0) return folder;
  return { names: [...folder.names, ...names], text: `${folder.text}/${text}` };
}

function decodeName(part: string): Buffer {
  if (plainName.test(part)) {
    if (part === '.' || part === '..') throw new FileError('BADNAME', '"." and ".." are no names here; the root is /');
    return Buffer.from(part, 'latin1');
  }
  if (!/^(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+$/.test(part)) {
    throw new FileError('BADNAME', 'a path is letters, digits, "-._~", "/" and "%" with two hex digits');
  }
  const name = Buffer.from(
    part.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
  if (name.includes(0) || name.includes(0x2f)) throw new FileError('BADNAME', '%00 and %2F are in no name');
  if (name.equals(DOT) || name.equals(DOT_DOT))
    throw new FileError('BADNAME', '"." and ".." are no names here; the root is /');
  return name;
}

const DOT = Buffer.from('.');
const DOT_DOT = Buffer.from('..');

/**
 * A name as it is compared with one of ours that nobody else may use: some file systems take other spellings for the
 * same name (case, compatibility forms, characters that they leave out).
 */
export function plainSpelling(name: Buffer): string {
  return name
    .toString('utf8')
    .normalize('NFKC')
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .toLowerCase();
}
