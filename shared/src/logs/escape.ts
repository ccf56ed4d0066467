/**
 * Text from a log as text for a terminal. A peer chose part of it, so nothing in it may move the
 * cursor, begin a line, reorder the characters around it or be there without being seen.
 */

/**
 * Control and format characters, surrogates without a partner, private and unassigned code points
 * (`\p{C}`), line and paragraph separators, everything that Unicode lets a renderer leave out
 * (zero-width characters, variation selectors, fillers), and the backslash, so that what is printed
 * can be read in one way only.
 */
const UNSAFE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\\]/gu;

/** Marks are drawn over the character before them; a long run of them reaches into other lines. */
const MARKS_TO_SPARE = /(?<=\p{M}{4})\p{M}/gu;

const PLAIN = /^[\x20-\x5b\x5d-\x7e]*$/;

const named: Readonly<Record<string, string>> = { '\t': '\\t', '\n': '\\n', '\r': '\\r', '\\': '\\\\' };

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x100) return named[character] ?? `\\x${code.toString(16).padStart(2, '0')}`;
  return code < 0x1_0000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`;
}

/** Printable text as it is, the rest as `\n`, `\\`, `\xHH`, `\uHHHH` or `\u{HHHHH}`. */
export function escapeText(text: string): string {
  if (PLAIN.test(text)) return text;
  return text.replace(UNSAFE, escapeCharacter).replace(MARKS_TO_SPARE, escapeCharacter);
}

/** Escaped, and at most `maxCharacters` of the text: a longer one ends with how much was left out. */
export function escapeUpTo(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return escapeText(text);
  // Not between the halves of a pair: the lone half would be shown as an escape.
  const end = maxCharacters - (/[\ud800-\udbff]/.test(text.charAt(maxCharacters - 1)) ? 1 : 0);
  const left = (text.length - end).toLocaleString('en-US');
  return `${escapeText(text.slice(0, end))}... (${left} more characters)`;
}

/** JSON text of the same value, safe to print: outside of strings JSON needs none of these characters. */
export function escapeJson(json: string): string {
  if (/^[\x20-\x7e]*$/.test(json)) return json;
  return json.replace(UNSAFE, (character) =>
    character === '\\' ? character : character.replace(/[\s\S]/g, toJsonEscape),
  );
}

function toJsonEscape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
