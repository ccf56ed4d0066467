/** `file-server stat`: what the server knows of files and folders without reading them. */
import { clientCommand } from '@small-servers/shared/cli/client-command';
import type { FilePath } from '../protocol/path.ts';
import type { RemoteEntry } from '../protocol/reply-entry.ts';
import { displayPath } from './display-name.ts';
import { forEachPath } from './each-path.ts';
import { entryRecord } from './entry-lines.ts';
import { askEntry } from './fetch.ts';
import { parseRemotePaths, parseTarget } from './operands.ts';
import { again, closing, connector, keepOpen } from './session.ts';
import { askSettings } from './settings.ts';

export const stat = clientCommand({
  name: 'stat',
  describe: 'type, size, time, etag and, where it is known, sha256',
  operands: ['HOST:PORT', 'PATH...'],
  settings: askSettings,
  examples: [['file-server stat 127.0.0.1:7021 hello.txt --json', 'one object a line']],
  epilogue: 'Exit codes: 0 all are there, 1 some are not, 78 bad usage.',
  parseOperands: ([target, ...paths], problems, { encoded }) => ({
    endpoint: parseTarget(target, problems),
    paths: parseRemotePaths(paths, encoded, problems),
  }),
  run: (context) => {
    const { config, operands, json, signal, print } = context;
    const connect = keepOpen(connector(operands.endpoint, config, signal));
    const patience = { retries: config.retries, signal };
    return closing(connect, () =>
      forEachPath(context, operands.paths, async (path) => {
        const { entry, roundTripMs } = await again(patience, async () => {
          const session = await connect();
          const startedMs = performance.now();
          const entry = await askEntry(session, path);
          return { entry, roundTripMs: Math.round((performance.now() - startedMs) * 1000) / 1000 };
        });
        const record = { ...entryRecord(entry, path.text), roundTripMs };
        print(json ? `${JSON.stringify(record)}\n` : description(path, entry));
      }),
    );
  },
});

function description(path: FilePath, { kind, sizeBytes, modifiedMs, etag, sha256 }: RemoteEntry): string {
  const rows = [
    ['type', kind],
    ['size', kind === 'file' ? `${sizeBytes} bytes` : ''],
    ['modified', new Date(modifiedMs).toISOString()],
    ['etag', etag],
    ['sha256', sha256 ?? ''],
  ].filter(([, value]) => value !== '');
  return `${displayPath(path)}\n${rows.map(([name = '', value]) => `  ${name.padEnd(9)} ${value}\n`).join('')}`;
}
