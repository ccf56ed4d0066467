import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { nodePath, repository } from '../../../test/support/daemon.ts';

const run = promisify(execFile);
const cacheModule = JSON.stringify(`${repository}shared/src/cli/compile-cache.ts`);

/** Where a new process keeps its compiled code. */
async function cacheFolder(env: NodeJS.ProcessEnv): Promise<string> {
  const script = `import { getCompileCacheDir } from 'node:module';
    const { keepCompiledCode } = await import(${cacheModule});
    keepCompiledCode();
    console.log(getCompileCacheDir() ?? 'none');`;
  const { stdout } = await run(nodePath, ['--input-type=module', '--eval', script], { env });
  return stdout.trim();
}

test('compiled code is kept inside the checkout, and in no folder that others write to', async () => {
  expect(await cacheFolder({ PATH: process.env.PATH })).toMatch(`${repository}node_modules/.cache/compiled/`);
});

test('Node can still be told to keep none', async () => {
  expect(await cacheFolder({ PATH: process.env.PATH, NODE_DISABLE_COMPILE_CACHE: '1' })).toBe('none');
});
