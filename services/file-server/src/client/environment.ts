/** What the client takes from its process. */
import { readFileSync } from 'node:fs';
import { AppError } from '@small-servers/shared/errors';

/** As in the grammar: printable, no space. */
const TOKEN = /^[\x21-\x7e]{1,1024}$/;

/** A line of the file that a server takes under the same flag. */
const DIGEST = /^sha256:[0-9a-fA-F]{64}(?: |$)/;

/**
 * The token of `--token-file`, else of SMALL_SERVERS_FILE_TOKEN, else none. A token is no flag: everybody on the
 * machine may read the command lines of others.
 *
 * @throws AppError USAGE_INVALID for a file that can't be read and for what is no token; the token is not shown
 */
export function readToken(
  tokenFile: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  const { SMALL_SERVERS_FILE_TOKEN: variable } = environment;
  if (tokenFile !== '') return checkToken(readFirstLine(tokenFile), `the first line of ${tokenFile}`);
  return variable === undefined || variable === '' ? undefined : checkToken(variable, 'SMALL_SERVERS_FILE_TOKEN');
}

function readFirstLine(path: string): string {
  try {
    return readFileSync(path, 'latin1').split('\n', 1)[0]?.trim() ?? '';
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new AppError('USAGE_INVALID', `--token-file: ${why}`, { cause: error });
  }
}

function checkToken(token: string, where: string): string {
  if (DIGEST.test(token)) {
    const what = "it is of a server's list of digests, of which no token can be made";
    throw new AppError('USAGE_INVALID', `${where}: ${what}; expected the token itself, as it was drawn`);
  }
  if (TOKEN.test(token)) return token;
  throw new AppError('USAGE_INVALID', `${where} is no token: expected 1 to 1024 printable characters without a space`);
}
