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

const MAX_SHOWN_CHARACTERS = 80;

/** A value as it was written, quoted, on one line and of bounded length. */
export function quote(value: string): string {
  const shown = value.length > MAX_SHOWN_CHARACTERS ? `${value.slice(0, MAX_SHOWN_CHARACTERS)}...` : value;
  return JSON.stringify(shown).replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** `port: "abc" is not allowed (flag --port); expected a port from 0 to 65535`. */
export function formatProblem({ subject, origin, what, expected }: Problem): string {
  return `${subject}: ${what} (${origin}); ${expected}`;
}

/** The end of a problem about an unknown name. */
export function didYouMean(nearest: string | undefined, otherwise: string): string {
  return nearest === undefined ? otherwise : `did you mean ${nearest}?`;
}
