/**
 * Tokens that open a server: kept as hashes, compared in constant time.
 *
 *   file  = *(line LF)
 *   line  = "" / "#" comment / "sha256:" 64HEXDIG [SP name]
 *
 * A token is drawn at random and long, so that its plain SHA-256 can't be turned back by guessing; the file is worth
 * protecting all the same, and refused when others may read it.
 */
import { hash, timingSafeEqual } from 'node:crypto';

export interface Token {
  readonly sha256: Buffer;
  /** For the log; the line's number where it has none. */
  readonly name: string;
}

const line = /^sha256:([0-9a-fA-F]{64})(?: +([\x21-\x7e]{1,64}))?$/;

/** The tokens of a file's text. @throws Error whose message says which line is wrong, without repeating it. */
export function parseTokens(text: string): readonly Token[] {
  const tokens = text.split(/\r?\n/).flatMap((row, index) => {
    const trimmed = row.trim();
    if (trimmed === '' || trimmed.startsWith('#')) return [];
    const [, hex, name = `line ${index + 1}`] = line.exec(trimmed) ?? [];
    // What stands there may be a token in clear: it is not for the log.
    if (hex === undefined) throw new Error(`line ${index + 1} is not "sha256:", 64 hex digits and perhaps a name`);
    return [{ sha256: Buffer.from(hex, 'hex'), name }];
  });
  if (tokens.length === 0) throw new Error('it holds no token');
  return tokens;
}

/** Which token this is; every one is compared, so that the time says nothing of which or how much was right. */
export function findToken(tokens: readonly Token[], presented: string): Token | undefined {
  const digest = hash('sha256', presented, 'buffer');
  let found: Token | undefined;
  for (const token of tokens) if (timingSafeEqual(token.sha256, digest)) found = token;
  return found;
}

/** Whether a token that was found once is still one of these. */
export function isAmong(tokens: readonly Token[], { sha256 }: Token): boolean {
  return tokens.some((token) => token.sha256.equals(sha256));
}
