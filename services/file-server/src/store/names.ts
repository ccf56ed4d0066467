/**
 * Names that may be made. What exists already is listed, read and deleted under whatever bytes it is called; what is
 * made here must mean the same on every system that it is copied to, and must be typed and shown without surprise.
 */
import { FileError } from '../protocol/codes.ts';
import { type FilePath, plainSpelling } from '../protocol/path.ts';

/** The store's own directory at the top of the root: partial uploads. */
export const hiddenName = Buffer.from('.small-servers');

/** Of every common file system. */
export const maxNameBytes = 255;
/** What a program can pass to the system in one piece is 4,095; the path of the root comes before. */
export const maxPathBytes = 3072;

const WINDOWS_DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:[ .:]|$)/i;
const CONTROL = /\p{Cc}/u;
/** What ends a line or turns the direction of text: names that look like other names. */
const DECEPTIVE = /[\u2028-\u202e\u2066-\u2069\ufeff]/;

/** In the order in which they are tried: what is wrong with a name that is not to be made. */
const rules: readonly (readonly [RegExp, string])[] = [
  [CONTROL, 'a new name has no control characters'],
  [DECEPTIVE, 'a new name has no characters that turn the direction of text or end a line'],
  [/[\\:]/, 'a new name has no backslash and no colon: they separate names on Windows'],
  [WINDOWS_DEVICE, 'that is the name of a device on Windows'],
];

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Whether a path goes into the store's own directory, which no verb reaches, in any spelling. */
export function isHidden(names: readonly Buffer[]): boolean {
  const [first] = names;
  if (first === undefined || first[0] === undefined) return false;
  // Almost every name is ruled out by its first byte: a dot, or a character beyond ASCII that might be left out.
  if (first[0] !== 0x2e && first[0] < 0x80) return false;
  return plainSpelling(first) === hiddenName.toString();
}

/** Whether a name may be made, without the words. */
export function isNewName(path: FilePath): boolean {
  try {
    requireNewName(path);
    return true;
  } catch {
    return false;
  }
}

/** @throws FileError BADNAME, with what is wrong and what is allowed */
export function requireNewName(path: FilePath): void {
  const name = path.names.at(-1);
  if (name === undefined) throw new FileError('BADARG', 'the root is there already');
  if (name.length > maxNameBytes) {
    throw new FileError('BADNAME', `a name has at most ${maxNameBytes} bytes, this one ${name.length}`);
  }
  const total = path.names.reduce((sum, part) => sum + part.length + 1, 0);
  if (total > maxPathBytes) {
    throw new FileError('BADNAME', `a path has at most ${maxPathBytes} bytes, this one ${total}`);
  }
  let text: string;
  try {
    text = utf8.decode(name);
  } catch (cause) {
    throw new FileError('BADNAME', 'a new name is UTF-8', { cause });
  }
  for (const [pattern, message] of rules) if (pattern.test(text)) throw new FileError('BADNAME', message);
  if (text !== text.normalize('NFC')) {
    throw new FileError('BADNAME', 'a new name is in Unicode normal form C (composed characters)');
  }
}
