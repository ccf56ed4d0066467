/** `pnpm logs` as it is called: the entry point spawned, its files in a folder of the test. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, closeSync, openSync, readdirSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { lines, logFolder, record } from './support.ts';

const MAIN = join(import.meta.dirname, '../../src/logs/bin.js');

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { PATH: process.env.PATH, ...env } });
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
    });
  }
  const [code] = await once(child, 'close');
  return { code: code as number | null, ...texts };
}

const numbered = (from: number, to: number, service = 'echo-tcp'): string[] =>
  Array.from({ length: to - from }, (_, index) => record(from + index, { service, n: from + index }));

const numbers = (stdout: string): readonly number[] =>
  Array.from(stdout.matchAll(/\bn"?[=:](\d+)/g), ([, n]) => Number(n));

describe('pnpm logs', () => {
  it('shows the last ten lines of every service, most recent last, and more with -n', async () => {
    const dir = logFolder({
      'echo-tcp.log.1': lines(...numbered(0, 30)),
      'echo-tcp.log': lines(...numbered(30, 35)),
      'udp-echo.log': lines(...numbered(28, 30, 'udp-echo')),
    });
    const { code, stdout } = await run(['--dir', dir]);
    expect(code).toBe(0);
    expect(numbers(stdout)).toEqual([25, 26, 27, 28, 28, 29, 29, 30, 31, 32, 33, 34]);
    expect(numbers((await run(['--dir', dir, '-n', '1'])).stdout)).toEqual([29, 34]);
    expect(numbers((await run(['--dir', dir, '-n', 'all', '--service', 'echo-tcp'])).stdout)).toHaveLength(35);
  });

  it('keeps compiled code in the private folder of the fleet for its next start', async () => {
    const folder = logFolder({ 'a.log': lines(record(1)) });
    for (const _start of ['first', 'second']) {
      const outcome = await run(['--dir', folder, '--json'], { SMALL_SERVERS_STATE: folder });
      expect(outcome).toEqual({ code: 0, stdout: lines(record(1)), stderr: '' });
    }
    expect(statSync(join(folder, 'run')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(folder, 'run', 'compile-cache'))).not.toEqual([]);
  });

  it('shows the days of a large log under their headings, though two threads print it', async () => {
    const big = Array.from({ length: 200_000 }, (_, n) =>
      record(86_400 - 1000 + n / 100, { event: 'stamp', n, msg: 'x'.repeat(90) }),
    );
    const dir = logFolder({ 'echo-tcp.log': `${big.join('\n')}\n` });
    const { code, stdout } = await run(['--dir', dir, '-n', 'all']);
    expect(code).toBe(0);
    const printed = stdout.split('\n');
    expect(printed.filter((line) => line.startsWith('--'))).toEqual(['-- 2026-11-20 UTC --', '-- 2026-11-21 UTC --']);
    expect(printed.indexOf('-- 2026-11-21 UTC --')).toBe(100_001);
    expect(numbers(stdout)).toEqual(big.keys().toArray());
  });

  it('shows all that a search finds', async () => {
    const dir = logFolder({ 'echo-tcp.log': lines(...numbered(0, 100)) });
    expect(numbers((await run(['--dir', dir, '--grep', 'n":\\d*5}'])).stdout)).toHaveLength(10);
    expect(numbers((await run(['--dir', dir, '--grep', 'n":\\d*5}', '-n', '2'])).stdout)).toEqual([85, 95]);
    expect(numbers((await run(['--dir', dir, '--since', '2026-11-20T00:01:30Z', '--json'])).stdout)).toEqual([
      90, 91, 92, 93, 94, 95, 96, 97, 98, 99,
    ]);
  });

  it('says so when a search finds nothing', async () => {
    const { code, stdout, stderr } = await run([
      '--dir',
      logFolder({ 'echo-tcp.log': lines(...numbered(0, 3)) }),
      '--grep',
      'x',
    ]);
    expect([code, stdout, stderr]).toEqual([0, '', 'pnpm logs: no line is like that\n']);
  });

  it('finds the last lines of an enormous file at once', async () => {
    const dir = logFolder();
    const fd = openSync(join(dir, 'echo-tcp.log'), 'w');
    // A hole: the file takes no room, but reading it all would take minutes.
    writeSync(fd, lines('', ...numbered(0, 20)), 2 ** 40);
    closeSync(fd);
    expect(numbers((await run(['--dir', dir, '-n', '3'])).stdout)).toEqual([17, 18, 19]);
  });

  it('tells the story of one connection', async () => {
    const of = { conn: 'a1', peer: '192.0.2.1:9' };
    const story = [
      record(1, { event: 'connection-opened', ...of }),
      record(2, { event: 'payload', conn: 'b' }),
      record(3, { event: 'connection-closed', ...of }),
    ];
    const { stdout } = await run(['--dir', logFolder({ 'echo-tcp.log': lines(...story) }), '--conn', 'a1']);
    expect(stdout).toMatch(
      /^echo-tcp a1 {2}192\.0\.2\.1:9 {2}pid 42\n--.*\n.*\+0 ms connection-opened\n.*\+2\.000 s connection-closed\n$/,
    );
  });

  it('is coloured when asked, never for a pipe or a program', async () => {
    const dir = logFolder({ 'echo-tcp.log': lines(...numbered(0, 1)) });
    expect((await run(['--dir', dir])).stdout).not.toContain('\x1b');
    expect((await run(['--dir', dir], { FORCE_COLOR: '1' })).stdout).toContain('\x1b[');
    expect((await run(['--dir', dir, '--json'], { FORCE_COLOR: '1' })).stdout).toBe(lines(...numbered(0, 1)));
  });

  it('ends quietly when its reader has seen enough', async () => {
    const dir = logFolder({ 'echo-tcp.log': lines(...numbered(0, 50_000)) });
    const child = spawn(process.execPath, [MAIN, '--dir', dir, '-n', 'all'], { stdio: ['ignore', 'pipe', 'pipe'] });
    const stderr: string[] = [];
    child.stderr.on('data', (text) => stderr.push(String(text)));
    await once(child.stdout, 'data');
    child.stdout.destroy();
    const [code] = await once(child, 'close');
    expect([code, stderr]).toEqual([0, []]);
  });

  it('names every wrong flag at once and exits with 78', async () => {
    const { code, stderr } = await run([
      '--peer',
      '1.2.3',
      '--since',
      '10',
      '--grep',
      '(',
      '--levle',
      'info',
      '-n',
      'x',
    ]);
    expect(code).toBe(78);
    for (const subject of ['peer: "1.2.3"', 'since: "10"', 'grep: "("', 'did you mean --level?', 'n: "x"'])
      expect(stderr).toContain(subject);
  });

  it('exits with 1 when there are no logs, of the service asked for or at all', async () => {
    const dir = logFolder({ 'echo-tcp.log': 'x\n' });
    expect(await run(['--dir', dir, '--service', 'udp-echo'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no logs of udp-echo'),
    });
    for (const mistyped of ['ech', 'echo-tpc']) {
      const { code, stderr } = await run(['--dir', dir, '--service', mistyped]);
      expect([code, stderr]).toEqual([
        1,
        expect.stringContaining(`no logs of ${mistyped} in ${dir}; did you mean echo-tcp?`),
      ]);
    }
    expect(await run(['--dir', join(dir, 'none')])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('pnpm start'),
    });
  });

  it('follows: the last lines, what comes after them, and Ctrl-C ends it well', async () => {
    const dir = logFolder({ 'echo-tcp.log': lines(...numbered(0, 20)) });
    const child = spawn(process.execPath, [MAIN, '--dir', dir, '-f', '-n', '2', '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    const seen: number[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      const [n = -1] = numbers(line);
      seen.push(n);
      if (n === 19) appendFileSync(join(dir, 'echo-tcp.log'), lines(...numbered(20, 22)));
      if (n === 21) writeFileSync(join(dir, 'udp-echo.log'), lines(record(22, { service: 'udp-echo', n: 22 })));
      if (n === 22) child.kill('SIGINT');
    }
    expect(seen).toEqual([18, 19, 20, 21, 22]);
    expect((await exited)[0]).toBe(0);
  });

  it('gives the numbers', async () => {
    const closed = record(1, {
      event: 'connection-closed',
      peer: '[::1]:9',
      bytesIn: 5,
      bytesOut: 5,
      durationMs: 20,
      reason: 'idle',
    });
    const dir = logFolder({ 'echo-tcp.log': lines(closed) });
    expect((await run(['stats', '--dir', dir])).stdout).toMatch(/^echo-tcp +1 +0 +0 +1 +0 +0 +0 +5 B +5 B$/m);
    const { services } = JSON.parse((await run(['stats', '--dir', dir, '--json'])).stdout) as {
      readonly services: readonly unknown[];
    };
    expect(services).toMatchObject([{ service: 'echo-tcp', closed: { total: 1, byReason: { idle: 1 } } }]);
  });
});
