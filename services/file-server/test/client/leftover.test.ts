/** A part that can not be removed: somebody put a folder in its place. The file fails, and says both. */
import { mkdirSync, readdirSync, unlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { get } from './harness.ts';
import { startScripted } from './scripted-server.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'small-servers-'));
});
afterEach(() => rm(home, { recursive: true }));

const SIZE = 1_000_000;
const entry = (etag: string): string => `size=${SIZE} mtime=2026-01-01T00:00:00.000Z etag=${etag}`;
const corrupt = `DATA ${SIZE} off=0 ${entry('e1')}\r\n${'x'.repeat(SIZE)}\r\nOK crc32=00000000\r\n`;

function replaceByFolder(): void {
  const part = join(home, 'f.e1.small-servers-part');
  unlinkSync(part);
  mkdirSync(part);
}

test.each([
  [
    'gone',
    'ERR NOTFOUND retry=no: gone\r\n',
    /^f: NOTFOUND: gone; and f\.e1\.small-servers-part can not be removed: E[^;\n]*\n$/,
  ],
  ['corrupt', corrupt, /^f: [^;\n]*crc32[^;\n]*; and f\.e1\.small-servers-part can not be removed: E[^;\n]*\n$/],
  [
    'changed',
    'ERR CHANGED retry=no etag=e2: changed\r\n',
    /^f: f\.e1\.small-servers-part can not be removed: E[^;\n]*\n$/,
  ],
])('when the file is %s', async (_what, answer, words) => {
  await using server = await startScripted((line) => {
    if (line.startsWith('STAT')) return `OK type=file ${entry('e1')}\r\n`;
    if (!line.startsWith('GET')) return undefined;
    replaceByFolder();
    return answer;
  });
  const { code, stderr } = await get({ port: server.port, path: 'f', local: home });
  expect([code, stderr]).toEqual([1, expect.stringMatching(words)]);
  expect(readdirSync(home)).toEqual(['f.e1.small-servers-part']);
});
