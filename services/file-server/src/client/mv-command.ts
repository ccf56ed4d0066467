/** `file-server mv`: another name for a file or folder. */
import { clientCommand } from '@small-servers/shared/cli/client-command';
import { exitCodes } from '@small-servers/shared/errors';
import { decodePath } from '../protocol/path.ts';
import { displayPath } from './display-name.ts';
import { about } from './failed-files.ts';
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
    return { endpoint, from, to };
  },
  run: async ({ config, operands: { endpoint, from, to }, json, signal, print }) => {
    const line = `MOVE ${from.text} ${to.text} if=${config.replace ? 'any' : 'none'}`;
    try {
      await withConnection(connector(endpoint, config, signal), (connection) => connection.ask(line));
    } catch (error) {
      throw about(`${displayPath(from)} to ${displayPath(to)}`, error as Error);
    }
    if (json) print(`${JSON.stringify({ from: from.text, to: to.text })}\n`);
    return exitCodes.success;
  },
});
