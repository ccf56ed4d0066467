/** `file-server rm`: deletes files and, with -r, folders. */
import { clientCommand } from '@small-servers/shared/cli/client-command';
import { type FilePath, pathBelow } from '../protocol/path.ts';
import type { Connection } from './connection.ts';
import { forEachPath } from './each-path.ts';
import { Refusal, refused } from './failures.ts';
import { listTree } from './listing.ts';
import { parseRemotePaths, parseTarget } from './operands.ts';
import { connector, withConnection } from './session.ts';
import { removeSettings } from './settings.ts';

/** Asked for ahead of their replies. */
const AHEAD = 256;

export const rm = clientCommand({
  name: 'rm',
  describe: 'delete files, or folders with -r',
  operands: ['HOST:PORT', 'PATH...'],
  settings: removeSettings,
  examples: [
    ['file-server rm 127.0.0.1:7021 draft.txt', 'one file'],
    ['file-server rm 127.0.0.1:7021 old -r', 'a folder and everything in it'],
  ],
  epilogue: 'Exit codes: 0 all are gone, 1 some are not, 78 bad usage.',
  parseOperands: ([target, ...texts], problems, { encoded }) => {
    const endpoint = parseTarget(target, problems);
    const paths = parseRemotePaths(texts, encoded, problems);
    // The server would refuse it as well, but only when all that is in it is gone.
    if (paths.some(({ names }) => names.length === 0)) {
      const what = 'the root can not be removed';
      problems.push({ subject: 'PATH', origin: 'command line', what, expected: 'name what is in it' });
    }
    return { endpoint, paths };
  },
  run: (context) => {
    const { config, operands, json, signal, print } = context;
    return withConnection(connector(operands.endpoint, config, signal), (connection) =>
      forEachPath(context, operands.paths, async (path) => {
        const removed = await remove(connection, path, signal, config);
        if (json) print(`${JSON.stringify({ path: path.text, removed })}\n`);
      }),
    );
  },
});

/** @returns how many entries are gone */
async function remove(
  connection: Connection,
  path: FilePath,
  signal: AbortSignal,
  { recursive, maxFiles }: { readonly recursive: boolean; readonly maxFiles: number },
): Promise<number> {
  try {
    await connection.ask(`DEL ${path.text}`);
    return 1;
  } catch (error) {
    const isFolder = error instanceof Refusal && error.refusal === 'ISDIR';
    if (!isFolder) throw error;
    if (!recursive) throw refused('ISDIR', 'it is a folder; give -r to delete it with everything in it');
  }
  const lines: string[] = [];
  const source = { connect: () => Promise.resolve(connection), retries: 0, signal };
  for await (const page of listTree(source, path, maxFiles)) {
    for (const { kind: type, path: below } of page) {
      lines.push(`${type === 'directory' ? 'RMDIR' : 'DEL'} ${pathBelow(path, below).text}`);
    }
  }
  // From the end: what a folder holds comes after it, and goes before it.
  lines.reverse();
  for (let at = 0; at < lines.length; at += AHEAD) {
    const outcomes = await Promise.allSettled(lines.slice(at, at + AHEAD).map((line) => connection.ask(line)));
    const refusal = outcomes.find((outcome) => outcome.status === 'rejected');
    if (refusal !== undefined) throw refusal.reason;
  }
  await connection.ask(`RMDIR ${path.text}`);
  return lines.length + 1;
}
