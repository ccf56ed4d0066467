/** `file-server mv`: another name for a file or folder. */
import { clientCommand } from '@small-servers/shared/cli/client-command';
import { quote } from '@small-servers/shared/config/problems';
import { exitCodes } from '@small-servers/shared/errors';
import { decodePath, type FilePath, pathOf } from '../protocol/path.ts';
import { displayPath } from './display-name.ts';
import { about } from './failed-files.ts';
import { Refusal } from './failures.ts';
import { parseRemotePaths, parseTarget } from './operands.ts';
import { connector, withConnection } from './session.ts';
import { moveSettings } from './settings.ts';

export const mv = clientCommand({
  name: 'mv',
  describe: 'rename a file or folder',
  operands: ['HOST:PORT', 'FROM', 'TO'],
  settings: moveSettings,
  examples: [['file-server mv 127.0.0.1:7021 draft.txt letter.txt --replace', 'letter.txt may be there']],
  epilogue: 'TO is the whole new path. Exit codes: 0 renamed, 1 not, 78 bad usage.',
  parseOperands: ([target, ...paths], problems, { encoded }) => {
    const endpoint = parseTarget(target, problems);
    const [from = decodePath('/'), to = decodePath('/')] = parseRemotePaths(paths, encoded, problems);
    if (paths[1]?.endsWith('/') === true) {
      const what = `${quote(paths[1])} is a folder to put it into`;
      problems.push({ subject: 'TO', origin: 'command line', what, expected: wholePath(from, to) });
    }
    return { endpoint, from, to };
  },
  run: async ({ config, operands: { endpoint, from, to }, json, signal, print }) => {
    const line = `MOVE ${from.text} ${to.text} if=${config.replace ? 'any' : 'none'}`;
    try {
      await withConnection(connector(endpoint, config, signal), (connection) => connection.ask(line));
    } catch (error) {
      const isTaken = error instanceof Refusal && error.refusal === 'EXISTS';
      const hint = isTaken ? `; a file is replaced with --replace; into a folder, ${wholePath(from, to)}` : '';
      throw about(`${displayPath(from)} to ${displayPath(to)}`, error as Error, hint);
    }
    if (json) print(`${JSON.stringify({ from: from.text, to: to.text })}\n`);
    return exitCodes.success;
  },
});

/** What TO should be for a folder that it names: its own name is not taken along. */
function wholePath(from: FilePath, to: FilePath): string {
  return `TO is the whole new path: ${displayPath(pathOf([...to.names, ...from.names.slice(-1)]))}`;
}
