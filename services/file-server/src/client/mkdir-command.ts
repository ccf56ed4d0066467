/** `file-server mkdir`: folders on the server. */
import { clientCommand } from '@small-servers/shared/cli/client-command';
import { type FilePath, pathOf } from '../protocol/path.ts';
import type { Connection } from './connection.ts';
import { displayPath } from './display-name.ts';
import { forEachPath } from './each-path.ts';
import { Refusal, refused } from './failures.ts';
import { parseRemotePaths, parseTarget } from './operands.ts';
import { connector, withConnection } from './session.ts';
import { mkdirSettings } from './settings.ts';

export const mkdir = clientCommand({
  name: 'mkdir',
  describe: 'make folders',
  operands: ['HOST:PORT', 'PATH...'],
  settings: mkdirSettings,
  examples: [['file-server mkdir 127.0.0.1:7021 photos/2026 -p', 'and photos, if it is missing']],
  epilogue: 'Exit codes: 0 all are made, 1 some are not, 78 bad usage.',
  parseOperands: ([target, ...paths], problems, { encoded }) => ({
    endpoint: parseTarget(target, problems),
    paths: parseRemotePaths(paths, encoded, problems),
  }),
  run: (context) => {
    const { config, operands, json, signal, print } = context;
    const connect = connector(operands.endpoint, config, signal);
    return withConnection(connect, (connection) =>
      forEachPath(context, operands.paths, async (path) => {
        await (config.parents ? makeWithParents(connection, path) : makeOne(connection, path));
        if (json) print(`${JSON.stringify({ path: path.text, made: true })}\n`);
      }),
    );
  },
});

/** @throws Refusal */
async function makeOne(connection: Connection, path: FilePath): Promise<void> {
  try {
    await connection.ask(`MKDIR ${path.text}`);
  } catch (error) {
    if (!(error instanceof Refusal) || error.refusal !== 'NOTFOUND' || path.names.length < 2) throw error;
    const folder = displayPath(pathOf(path.names.slice(0, -1)));
    throw refused('NOTFOUND', `the folder ${folder} is not there; give -p to make it too`);
  }
}

/** Makes each folder on the way that is missing. @throws Refusal */
export async function makeWithParents(connection: Connection, path: FilePath): Promise<void> {
  const all = path.names.map((_, index) => pathOf(path.names.slice(0, index + 1)));
  // All at once: replies keep their order, and each folder is there before the one below it is asked for.
  const made = await Promise.allSettled(all.map((folder) => connection.ask(`MKDIR ${folder.text}`)));
  const last = made.at(-1);
  for (const outcome of made) {
    if (outcome.status === 'fulfilled' || isThere(outcome.reason)) continue;
    // A folder above that is not ours to make may still be there; the last one is the one that counts.
    if (outcome === last || !(outcome.reason instanceof Refusal)) throw outcome.reason;
  }
}

function isThere(reason: unknown): boolean {
  return reason instanceof Refusal && reason.refusal === 'EXISTS';
}
