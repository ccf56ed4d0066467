/** `file-server put`: files and folders to a server. */
import { basename, resolve } from 'node:path';
import { clientCommand } from '@small-servers/shared/cli/client-command';
import { decodePath, pathOf } from '../protocol/path.ts';
import { parseRemotePaths, parseTarget } from './operands.ts';
import { putSettings } from './settings.ts';

export const put = clientCommand({
  name: 'put',
  describe: 'send a file, or a folder with -r',
  operands: ['HOST:PORT', 'LOCAL', '[PATH]'],
  settings: putSettings,
  examples: [
    ['file-server put 127.0.0.1:7021 notes.txt', 'as notes.txt'],
    ['file-server put 127.0.0.1:7021 photos archive/photos -r', 'what is in photos, into archive/photos'],
    ['tar c . | file-server put 127.0.0.1:7021 - backup.tar', 'from standard input'],
  ],
  epilogue:
    'What is cut is kept by the server, by default for four days, and the same command goes on behind it, as long as ' +
    'the file is the same. A name appears on the server when all of the file is there.\n\n' +
    'Exit codes: 0 everything is there, 1 something is not, 78 bad usage.',
  parseOperands: ([target, local = '', path], problems, { encoded, recursive }) => {
    const endpoint = parseTarget(target, problems);
    const what = (subject: string, missing: string, expected: string): void => {
      problems.push({ subject, origin: 'command line', what: missing, expected });
    };
    if (recursive && local === '-') what('LOCAL', 'standard input is no folder', 'expected a folder, or no -r');
    if (local === '-' && path === undefined) what('PATH', 'is missing', 'standard input has no name of its own');
    const own = pathOf([Buffer.from(basename(resolve(local)))]);
    const [given] = path === undefined ? [own] : parseRemotePaths([path], encoded, problems);
    const isInside = path?.endsWith('/') === true && !recursive && local !== '-';
    const full = isInside && given !== undefined ? pathOf([...given.names, ...own.names]) : given;
    if (full?.names.length === 0 && !recursive) what('PATH', 'the root is no file', 'expected a name for the file');
    return { endpoint, local, path: full ?? decodePath('/') };
  },
  run: async (context) => {
    // Half of the client, which no other command needs.
    const { putFile, putFolder, putStandardInput } = await import('./put.ts');
    if (context.config.recursive) return putFolder(context);
    return context.operands.local === '-' ? putStandardInput(context) : putFile(context);
  },
});
