import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { program, testWith } from '../../../../test/support/programs.ts';
import { temporaryDirectory } from './support/roots.ts';

const run = promisify(execFile);

// `unshare` mounts without being root, in a namespace that ends with the process.
testWith(
  [program('unshare')],
  'on a disk that is really full an upload is NOSPACE, and nothing of it is left behind',
  async () => {
    const directory = temporaryDirectory();
    const script = join(import.meta.dirname, 'support/full-disk.ts');
    const { stdout } = await run('unshare', [
      '-rm',
      'sh',
      '-c',
      'mount -t tmpfs -o size=4m tmpfs "$1" && exec "$2" "$3" "$1"',
      'sh',
      directory,
      process.execPath,
      script,
    ]);
    const expected = (way: string) => ({
      [`${way}: too large, and said so`]: 'NOSPACE',
      [`${way}: too large, and not said`]: 'NOSPACE',
      [`${way}: two that do not fit together`]: ['NOSPACE', 'OK'],
      [`${way}: small, on a full disk`]: 'NOSPACE',
      [`${way}: left behind`]: ['.small-servers', 'old', 'others'],
      [`${way}: the old file`]: 1000,
      [`${way}: small, with room again`]: 'OK',
    });
    expect(JSON.parse(stdout)).toEqual({ ...expected('memory'), ...expected('threads') });
  },
);
