/** Names of files as a terminal may be given them: whatever a name holds, it moves no cursor and forges no line. */
import { isUtf8 } from 'node:buffer';
import { escapeBytes } from '@small-servers/shared/daemon/escape';
import type { FilePath } from '../protocol/path.ts';

const MAX_NAME_BYTES = 255;

/** Letters, marks, digits, punctuation, symbols and the plain space: all else is invisible, or moves what is not. */
const visible = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** UTF-8 as it is; a backslash, what is not visible and what is not UTF-8 as `\\` and `\xHH`. */
export function displayName(name: Buffer): string {
  if (!isUtf8(name)) return escapeBytes(name, MAX_NAME_BYTES);
  let shown = '';
  for (const character of name.toString()) {
    const plain = character !== '\\' && visible.test(character);
    shown += plain ? character : escapeBytes(Buffer.from(character), MAX_NAME_BYTES);
  }
  return shown;
}

export function displayPath({ names }: FilePath): string {
  return names.length === 0 ? '/' : names.map(displayName).join('/');
}
