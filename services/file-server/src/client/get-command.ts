/** `file-server get`: files and folders from a server. */
import { clientCommand } from '@small-servers/shared/cli/client-command';
import { fetchFile, fetchFolder, fetchToStandardOutput } from './get.ts';
import { parseRemotePaths, parseTarget } from './operands.ts';
import { getSettings } from './settings.ts';

export const get = clientCommand({
  name: 'get',
  describe: 'fetch a file, or a folder with -r',
  operands: ['HOST:PORT', 'PATH', '[LOCAL]'],
  settings: getSettings,
  examples: [
    ['file-server get 127.0.0.1:7021 hello.txt', 'into ./hello.txt'],
    ['file-server get 127.0.0.1:7021 photos -r --parallel 4', 'what is in photos, into ./photos'],
    ['file-server get 127.0.0.1:7021 hello.txt - | wc -c', 'to standard output'],
  ],
  epilogue:
    'What is cut is kept as NAME.ETAG.small-servers-part, and the same command goes on behind it. A file gets its name ' +
    'when all of it is here and its digest is right.\n\n' +
    'Exit codes: 0 everything is here, 1 something is not, 78 bad usage.',
  parseOperands: ([target, path, local], problems, { encoded, recursive }) => {
    const endpoint = parseTarget(target, problems);
    const paths = path === undefined ? [] : parseRemotePaths([path], encoded, problems);
    const what = (missing: string): void => {
      problems.push({
        subject: 'LOCAL',
        origin: 'command line',
        what: missing,
        expected: 'name a file or folder here',
      });
    };
    if (recursive && local === '-') what('a folder does not go to standard output');
    if (paths[0]?.names.length === 0 && local === undefined) what('is missing, and the root has no name of its own');
    return { endpoint, path: paths[0] ?? { names: [], text: '/' }, local };
  },
  run: (context) => {
    const { operands, config } = context;
    if (config.recursive) return fetchFolder(context);
    return operands.local === '-' ? fetchToStandardOutput(context) : fetchFile(context);
  },
});
