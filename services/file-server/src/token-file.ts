/** The file of --token-file: read at the start and at each SIGHUP. */
import { readFileSync, statSync } from 'node:fs';
import type { Problem } from '@small-servers/shared/config/problems';
import { parseTokens, type Token } from './tokens.ts';

/** @throws Error whose message says what is wrong with the file. */
export function readTokenFile(path: string): readonly Token[] {
  const { mode } = statSync(path);
  if ((mode & 0o077) !== 0) {
    throw new Error(`others may read or write it (mode ${(mode & 0o777).toString(8).padStart(4, '0')}): chmod 600 it`);
  }
  return parseTokens(readFileSync(path, 'utf8'));
}

/** What is wrong with a token file, from what `readTokenFile` threw. */
export function tokenFileProblem({ message }: Error, origin: string): Problem {
  const expected = 'expected a file that only its owner may read, with lines of "sha256:" and 64 hex digits';
  return { subject: 'token-file', origin, what: `can't be used: ${message}`, expected };
}
