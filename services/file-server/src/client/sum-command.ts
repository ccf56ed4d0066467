/** `file-server sum`: digests that the server computes, in the form that sha256sum -c reads. */
import { clientCommand } from '@small-servers/shared/cli/client-command';
import { askDigest } from './digest.ts';
import { displayPath } from './display-name.ts';
import { forEachPath } from './each-path.ts';
import { refused } from './failures.ts';
import { askEntry } from './fetch.ts';
import { parseRemotePaths, parseTarget } from './operands.ts';
import { again, closing, connector, keepOpen } from './session.ts';
import { sumSettings } from './settings.ts';

export const sum = clientCommand({
  name: 'sum',
  describe: 'digests of files, computed by the server',
  operands: ['HOST:PORT', 'PATH...'],
  settings: sumSettings,
  examples: [['file-server sum 127.0.0.1:7021 hello.txt | sha256sum -c', 'is it the same as here?']],
  epilogue: 'Exit codes: 0 all are printed, 1 some are not, 78 bad usage.',
  parseOperands: ([target, ...paths], problems, { encoded }) => ({
    endpoint: parseTarget(target, problems),
    paths: parseRemotePaths(paths, encoded, problems),
  }),
  run: (context) => {
    const { config, operands, json, signal, print } = context;
    const { alg } = config;
    const connect = keepOpen(connector(operands.endpoint, config, signal));
    return closing(connect, () =>
      forEachPath(context, operands.paths, async (path) => {
        const digest = await again({ retries: config.retries, signal }, async () => {
          const connection = await connect();
          // The size says how long to wait for the digest.
          const { kind, sizeBytes } = await askEntry(connection, path);
          if (kind === 'directory') throw refused('ISDIR', 'it is a folder');
          return askDigest(connection, path, alg, sizeBytes);
        });
        print(json ? `${JSON.stringify({ path: path.text, [alg]: digest })}\n` : `${digest}  ${displayPath(path)}\n`);
      }),
    );
  },
});
