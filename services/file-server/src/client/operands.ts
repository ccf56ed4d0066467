/** What stands on the command line beside the flags: the server, paths there, and files here. */
import { type Endpoint, endpointProblem, parseEndpoint } from '@small-servers/shared/config/endpoint';
import { type Problem, quote } from '@small-servers/shared/config/problems';
import { FileError } from '../protocol/codes.ts';
import { decodePath, encodeName, type FilePath } from '../protocol/path.ts';

/** What stands in for an endpoint that is wrong; the problem beside it keeps anybody from using it. */
const NOWHERE: Endpoint = { host: '', port: 0 };

export function parseTarget(text: string | undefined, problems: Problem[]): Endpoint {
  const endpoint = parseEndpoint(text ?? '');
  // The missing operand is a problem of its own.
  if (endpoint === undefined && text !== undefined) problems.push(endpointProblem(text));
  return endpoint ?? NOWHERE;
}

/**
 * A path on the server as a person writes it, or, if `encoded`, as it stands on the wire.
 *
 * @throws FileError BADNAME
 */
export function parseRemotePath(text: string, encoded: boolean): FilePath {
  return decodePath(
    encoded
      ? text
      : text
          .split('/')
          .map((name) => encodeName(Buffer.from(name)))
          .join('/'),
  );
}

export function remotePathProblem(text: string, error: unknown): Problem {
  const why = error instanceof FileError ? error.message : String(error);
  return { subject: 'PATH', origin: 'command line', what: `${quote(text)} is not allowed`, expected: why };
}

/** Paths longer than a line of the protocol can be asked for by nobody. */
export const MAX_PATH_CHARACTERS = 3_900;

/** Judges every path, and adds what is wrong with them to `problems`. */
export function parseRemotePaths(texts: readonly string[], encoded: boolean, problems: Problem[]): readonly FilePath[] {
  return texts.flatMap((text) => {
    try {
      const path = parseRemotePath(text, encoded);
      if (path.text.length <= MAX_PATH_CHARACTERS) return path;
      throw new FileError('BADNAME', `expected a path of at most ${MAX_PATH_CHARACTERS} characters, encoded`);
    } catch (error) {
      problems.push(remotePathProblem(text, error));
      return [];
    }
  });
}
