/** SIGHUP, of a daemon made up for it: what is taken, what is refused, and that it lives on whatever happens. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const program = fileURLToPath(new URL('./made-up-daemon.ts', import.meta.url));

type Fields = Readonly<Record<string, unknown>>;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reload-'));
});
afterAll(() => rm(folder, { recursive: true }));

class MadeUp {
  readonly #process: ChildProcess;
  readonly #file: string;
  readonly #records: AsyncIterator<string>;

  private constructor(process: ChildProcess, file: string) {
    this.#process = process;
    this.#file = file;
    this.#records = createInterface({ input: process.stdout as NonNullable<ChildProcess['stdout']> })[
      Symbol.asyncIterator
    ]();
  }

  static async start(name: string, settings: Fields): Promise<MadeUp> {
    const file = join(folder, `${name}.json`);
    await writeFile(file, JSON.stringify({ 'made-up': settings }));
    const args = [program, 'serve', '--admin-socket', 'off', '--config', file];
    const daemon = new MadeUp(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] }), file);
    // By then it listens for SIGHUP.
    await once(daemon.#process, 'message');
    await daemon.until('greeted');
    return daemon;
  }

  /** The records up to the next one of these events, that one last. Fails when the process ends before it. */
  async until(...events: readonly string[]): Promise<readonly Fields[]> {
    const records: Fields[] = [];
    for (;;) {
      const { value, done } = await this.#records.next();
      if (done === true) throw new Error(`ended before ${events.join(' or ')}; it said ${JSON.stringify(records)}`);
      records.push(JSON.parse(value) as Fields);
      if (events.includes(String(records.at(-1)?.event))) return records;
    }
  }

  /** Writes the file, sends SIGHUP, and gives what is logged of it. */
  async reload(settings: Fields): Promise<readonly Fields[]> {
    await writeFile(this.#file, JSON.stringify({ 'made-up': settings }));
    this.#process.kill('SIGHUP');
    return this.until('config-reloaded', 'config-rejected');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, 'close');
    this.#process.kill('SIGKILL');
    await ended;
  }
}

test('a mix of old and new that nobody wrote down is checked too, and refused as a whole', async () => {
  await using daemon = await MadeUp.start('mixed', { door: true, guard: true });
  // As a file it is right: the door is closed. Until the restart that closes it, it would be open without a guard.
  const [rejected, ...others] = await daemon.reload({ door: false, guard: false, greeting: 'welcome' });
  expect(others).toEqual([]);
  expect(rejected).toMatchObject({
    event: 'config-rejected',
    level: 'error',
    problems: [expect.stringMatching(/^door: is open to all \(.*mixed\.json:1:\d+\); expected a guard$/)],
    needsRestart: [{ name: 'door', from: 'true', to: 'false' }],
    msg: expect.stringMatching(
      /^nothing changed: door: is open to all .*until a restart, which these need: door true -> /,
    ),
  });
  // In two steps it is right at any time.
  expect(await daemon.reload({ door: false, guard: true, greeting: 'welcome' })).toMatchObject([
    { event: 'greeted', msg: 'welcome' },
    { changed: [{ name: 'greeting' }], needsRestart: [{ name: 'door' }] },
  ]);
});

test.each([
  ['a service that can not apply it', 'unspeakable', 'nobody can say that'],
  ['a check that fails itself', 'unheard-of', 'the check itself failed'],
])('%s rejects the reload; the old configuration holds, and the next reload works', async (_what, greeting, why) => {
  await using daemon = await MadeUp.start(greeting, {});
  expect(await daemon.reload({ greeting })).toMatchObject([
    { event: 'config-rejected', problems: [why], stack: expect.stringContaining('made-up-daemon.ts') },
  ]);
  expect(await daemon.reload({ greeting: 'welcome' })).toMatchObject([
    { event: 'greeted', msg: 'welcome' },
    { event: 'config-reloaded', changed: [{ name: 'greeting', from: 'hello', to: 'welcome' }] },
  ]);
});
