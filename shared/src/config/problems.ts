/** What is wrong with a configuration: every problem at once, each on one line. */

export interface Problem {
  /** The setting, flag, variable or key that the problem is about. */
  readonly subject: string;
  /** Where it was written: `flag --port`, `variable ECHO_TCP_PORT`, `servers.json:3:13`. */
  readonly origin: string;
  /** What is wrong, with the value: `"abc" is not allowed`. */
  readonly what: string;
  /** What is allowed, or what to do. */
  readonly expected: string;
}

const MAX_VALUE_CHARACTERS = 80;

/** Of one part of a problem; a path with its line and column fits. */
const MAX_PART_CHARACTERS = 400;

/** Control, format and unassigned characters, and the separators that some readers end a line at. */
const invisible = /[\p{C}\p{Zl}\p{Zp}]/gu;

function visible(text: string): string {
  return text.replace(invisible, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16);
    return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`;
  });
}

/** A value as it was written, quoted, on one line and of bounded length. */
export function quote(value: string): string {
  const shown = value.length > MAX_VALUE_CHARACTERS ? `${value.slice(0, MAX_VALUE_CHARACTERS)}...` : value;
  return visible(JSON.stringify(shown));
}

/** The beginning and the end of a text: a name says most at one, a path with its line at the other. */
function shorten(text: string): string {
  const half = MAX_PART_CHARACTERS / 2;
  return text.length > MAX_PART_CHARACTERS ? `${text.slice(0, half)}...${text.slice(-half)}` : text;
}

/**
 * `port: "abc" is not allowed (flag --port); expected a port from 0 to 65535`. One line of bounded length,
 * whatever the names of flags, variables and files contain.
 */
export function formatProblem({ subject, origin, what, expected }: Problem): string {
  return visible(`${shorten(subject)}: ${shorten(what)} (${shorten(origin)}); ${expected}`);
}

/** The end of a problem about an unknown name. */
export function didYouMean(nearest: string | undefined, otherwise: string): string {
  return nearest === undefined ? otherwise : `did you mean ${nearest}?`;
}
