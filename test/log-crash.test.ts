/** The last line before a crash: services under the real pm2 that end in every way there is, again and again. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { nodePath, repository } from './support/daemon.ts';

const run = promisify(execFile);

const CRASHES = 20;
/** Of each life, all in the turn of the event loop in which it ends. */
const RECORDS = 50;

/** How a process ends, what its last words are (where it can say any), and whether Node lets it finish its work. */
const endings: Readonly<Record<string, { readonly code: string; readonly says?: RegExp; readonly orderly?: true }>> = {
  exception: { code: `throw new Error('boom')`, says: /^Error: boom$/gm, orderly: true },
  rejection: { code: `Promise.reject(new Error('boom'))`, says: /^Error: boom$/gm, orderly: true },
  exit: { code: 'process.exit(3)', orderly: true },
  abort: { code: 'process.abort()' },
  'out-of-memory': {
    code: 'const held = []; for (;;) held.push(new Array(10_000).fill(held.length))',
    says: /^FATAL ERROR: .*heap out of memory$/gm,
  },
  fault: { code: `process.getBuiltinModule('node:ffi').getInt8(8n)` },
  sigkill: { code: `process.kill(process.pid, 'SIGKILL')` },
};

/** Lives so often, each life with its number, and then stays. */
const program = (folder: string, name: string, code: string): string => `
import { appendFileSync, statSync } from 'node:fs';
import { createLog } from '${repository}shared/src/daemon/log.ts';
appendFileSync('${folder}/${name}.lives', 'x');
const life = statSync('${folder}/${name}.lives').size - 1;
const log = createLog({ service: '${name}', level: 'info', file: '${folder}/logs/${name}.log' });
process.on('SIGINT', () => process.exit());
process.on('uncaughtExceptionMonitor', (error) => log.fatal({ event: 'crashed', life }, error.message));
setImmediate(() => {
  if (life === ${CRASHES}) {
    log.info({ event: 'done' }, 'done');
    setInterval(() => {}, 1_000_000);
    return;
  }
  for (let index = 0; index < ${RECORDS}; index += 1) log.info({ event: 'record', life, index }, 'a line of some length');
  ${code};
});
`;

async function startUnderPm2(): Promise<AsyncDisposable & { readonly folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'lc'));
  const env = { ...process.env, PM2_HOME: join(folder, 'pm2'), PM2_DISABLE_VERSION_CHECK: '1' };
  const pm2 = (...args: readonly string[]): Promise<unknown> =>
    run(nodePath, [join(repository, 'node_modules/pm2/bin/pm2'), ...args], { env });
  for (const name of ['logs', 'pm2']) mkdirSync(join(folder, name));
  const apps = Object.entries(endings).map(([name, { code }]) => {
    const script = join(folder, `${name}.mjs`);
    writeFileSync(script, program(folder, name, code));
    const log = join(folder, 'logs', `${name}.log`);
    return {
      ...{ name, script, interpreter: nodePath, node_args: ['--max-old-space-size=48'], exec_mode: 'fork' },
      ...{ out_file: log, error_file: log, merge_logs: true, pmx: false, vizion: false, max_restarts: 1_000 },
    };
  });
  writeFileSync(join(folder, 'apps.json'), JSON.stringify({ apps }));
  await pm2('start', join(folder, 'apps.json'));
  return {
    folder,
    [Symbol.asyncDispose]: async () => {
      await pm2('kill');
      rmSync(folder, { recursive: true });
    },
  };
}

test('every record of every life is in the file, in order and whole, whatever ended the life; so are its last words', async () => {
  await using fleet = await startUnderPm2();
  const readLog = (name: string): string => readFileSync(join(fleet.folder, 'logs', `${name}.log`), 'utf8');
  const isDone = (name: string): boolean =>
    readdirSync(join(fleet.folder, 'logs')).includes(`${name}.log`) && readLog(name).includes('"event":"done"');
  await expect.poll(() => Object.keys(endings).filter((name) => !isDone(name)), { timeout: 120_000 }).toEqual([]);

  const expected = Array.from({ length: CRASHES * RECORDS }, (_, n) => `${Math.floor(n / RECORDS)} ${n % RECORDS}`);
  for (const [name, { says, orderly }] of Object.entries(endings)) {
    const text = readLog(name);
    const records = text.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
    const written = records.filter(({ event }) => event === 'record').map(({ life, index }) => `${life} ${index}`);
    expect(written, name).toEqual(expected);
    if (says !== undefined) expect(text.match(says), name).toHaveLength(CRASHES);
    // The first line after a pause is written as it comes; the others were left to the next life, which says so.
    const recovered = records.filter(({ event }) => event === 'log-recovered').map((record) => record.records);
    expect(recovered, name).toHaveLength(orderly ? 0 : CRASHES);
    expect(recovered.filter((count) => count < RECORDS - 1)).toEqual([]);
  }
}, 180_000);
