/** What the client says when something is wrong: the cause, and what the person at the keyboard can do. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Daemon, runProgram, startDaemon } from '../../../../test/support/daemon.ts';

const client = (...args: string[]) => runProgram('file-server', args);

let home: string;
let served: string;
let server: Daemon & { readonly port: number };
let target: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'small-servers-'));
  served = join(home, 'served');
  await mkdir(served);
  server = await startDaemon('file-server', ['--root', served, '--writable']);
  target = `127.0.0.1:${server.port}`;
});
afterAll(async () => {
  await server.stop();
  await rm(home, { recursive: true });
});

describe('rm', () => {
  test('refuses the root before anything is deleted, also when it stands behind other paths', async () => {
    await writeFile(join(served, 'stays'), 'here');
    for (const paths of [['/'], ['stays', '/']]) {
      const { code, stderr } = await client('rm', target, ...paths, '-r');
      expect([code, stderr]).toEqual([
        78,
        'file-server: PATH: the root can not be removed (command line); name what is in it\n',
      ]);
    }
    expect(await readdir(served)).toContain('stays');
  });
});
