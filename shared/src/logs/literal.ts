/**
 * The text that every match of a regular expression contains. Searching for it in the raw bytes finds
 * the few lines that are worth decoding, at the speed of grep, which does the same.
 */

/** Escapes that stand for one character that is not the one written; none of them takes more digits. */
const CLASS_ESCAPES = 'dDwWsSbBnrtfv';

const QUANTIFIER = /^(?:[*+?]|\{(\d+)(?:,\d*)?\})\??/;

interface Token {
  /** The character that is matched, or '' for anything but one fixed character. */
  readonly character: string;
  readonly length: number;
}

/**
 * The longest literal outside of groups that a match must contain, or '' when there is none that can
 * be told simply. `source` is the source of a valid RegExp without flags.
 */
export function requiredLiteral(source: string): string {
  const runs = [''];
  for (let at = 0; at < source.length; ) {
    const token = readToken(source, at);
    if (token === undefined) return '';
    at += token.length;
    const quantifier = QUANTIFIER.exec(source.slice(at, at + 40));
    if (quantifier === null && token.character !== '') {
      runs.push(`${runs.pop()}${token.character}`);
    } else {
      const once = quantifier === null || quantifier[0].startsWith('+') || Number(quantifier[1] ?? 0) > 0;
      if (once) runs.push(`${runs.pop()}${token.character}`);
      runs.push('');
    }
    at += quantifier?.[0].length ?? 0;
  }
  // Without flags a quantifier takes half of a surrogate pair: such a run is not text.
  const literals = runs.filter((run) => run.isWellFormed());
  return literals.reduce((longest, run) => (run.length > longest.length ? run : longest), '');
}

/** `undefined` when the whole expression has to be given up: an alternative, an escape with digits. */
function readToken(source: string, at: number): Token | undefined {
  const character = source.charAt(at);
  if (character === '|') return undefined;
  if (character === '\\') return readEscape(source.charAt(at + 1));
  if (character === '[') return { character: '', length: classLength(source, at) };
  if (character === '(') return { character: '', length: groupLength(source, at) };
  return { character: '.^$'.includes(character) ? '' : character, length: 1 };
}

function readEscape(escaped: string): Token | undefined {
  if (CLASS_ESCAPES.includes(escaped)) return { character: '', length: 2 };
  return /[a-zA-Z0-9]/.test(escaped) ? undefined : { character: escaped, length: 2 };
}

function classLength(source: string, at: number): number {
  let end = at + 1;
  while (end < source.length && source[end] !== ']') end += source[end] === '\\' ? 2 : 1;
  return end + 1 - at;
}

function groupLength(source: string, at: number): number {
  let depth = 0;
  let end = at;
  do {
    if (source[end] === '[') end += classLength(source, end) - 1;
    else if (source[end] === '\\') end += 1;
    else if (source[end] === '(') depth += 1;
    else if (source[end] === ')') depth -= 1;
    end += 1;
  } while (depth > 0 && end < source.length);
  return end - at;
}
