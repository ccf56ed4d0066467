/** `file-server ls`: what is in a folder. */
import { clientCommand } from '@small-servers/shared/cli/client-command';
import { exitCodes } from '@small-servers/shared/errors';
import { decodePath } from '../protocol/path.ts';
import type { RemoteEntry } from '../protocol/reply-entry.ts';
import { displayPath } from './display-name.ts';
import { entryLine, entryRecord } from './entry-lines.ts';
import { about } from './failed-files.ts';
import { listPages, listTree } from './listing.ts';
import { parseRemotePaths, parseTarget } from './operands.ts';
import { connector, keepOpen } from './session.ts';
import { listSettings } from './settings.ts';

export const ls = clientCommand({
  name: 'ls',
  describe: 'list a folder',
  operands: ['HOST:PORT', '[PATH]'],
  settings: listSettings,
  examples: [
    ['file-server ls 127.0.0.1:7021', 'the root'],
    ['file-server ls 127.0.0.1:7021 photos -r --json', 'everything below photos, one object a line'],
  ],
  epilogue:
    'Names are shown in a form that no terminal can be misled by: what is not visible as \\xHH.\n\n' +
    'Exit codes: 0 listed, 1 not, 78 bad usage.',
  readerLeft: exitCodes.success,
  parseOperands: ([target, path = '/'], problems, { encoded }) => ({
    endpoint: parseTarget(target, problems),
    path: parseRemotePaths([path], encoded, problems)[0] ?? decodePath('/'),
  }),
  run: async ({ config, operands, json, signal, print, printed }) => {
    const { path } = operands;
    const connect = keepOpen(connector(operands.endpoint, config, signal));
    const source = { connect, retries: config.retries, signal };
    const { maxFiles: maxEntries } = config;
    const pages = config.recursive
      ? listTree(source, path, maxEntries)
      : listPages(source, path, { depth: 1, maxEntries });
    const toLine = json ? (entry: RemoteEntry) => `${JSON.stringify(entryRecord(entry))}\n` : entryLine;
    try {
      for await (const entries of pages) {
        print(entries.map(toLine).join(''));
        await printed();
      }
    } catch (error) {
      throw about(displayPath(path), error as Error);
    }
    connect.close();
    return exitCodes.success;
  },
});
