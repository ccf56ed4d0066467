import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect } from 'vitest';
import { startDaemon } from '../support/daemon.ts';
import { program, testWith } from '../support/programs.ts';
import { runWith } from '../support/run.ts';

/** A program that a person types into, and what it has shown so far. */
class Terminal {
  readonly #child;
  readonly #shown: Buffer[] = [];

  constructor(command: string, ...args: string[]) {
    this.#child = spawn(command, args, { stdio: 'pipe' });
    this.#child.stdout.on('data', (bytes: Buffer) => this.#shown.push(bytes));
  }

  get shown(): string {
    return Buffer.concat(this.#shown).toString();
  }

  type(text: string): void {
    this.#child.stdin.write(text);
  }

  async sees(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.shown)) await once(this.#child.stdout, 'data');
  }

  async leave(): Promise<void> {
    this.#child.kill();
    await once(this.#child, 'close');
  }
}

const today = (): string => new Date().toISOString().slice(0, 19).replace('T', ' ');

for (const [name, lineEnd] of [
  ['nc', '\n'],
  ['telnet', '\r\n'],
] as const) {
  describe(name, () => {
    testWith([program(name)], 'HELP, a date by hand, a word that is none, WATCH, LIST: each is answered', async () => {
      await using daemon = await startDaemon('time-stream-tcp', ['--client-zone', 'UTC']);
      const terminal = new Terminal(name, '127.0.0.1', String(daemon.port));
      if (name === 'telnet') await terminal.sees(/Escape character/);
      terminal.type('HELP\n');
      await terminal.sees(/WATCH {2}the server's time, one line a second/);
      const typed = today();
      terminal.type(`${typed}\n`);
      const stamp = await daemon.record('stamp');
      expect(stamp).toMatchObject({ clientTime: typed, assumedZone: 'UTC' });
      expect(Math.abs(Number(stamp.offsetMs))).toBeLessThan(5_000);
      terminal.type('wacth\n');
      await terminal.sees(/ERR unknown: .*; did you mean WATCH\?/);
      terminal.type('LIST\n');
      await terminal.sees(/1 client sends its time/);
      terminal.type('WATCH\n');
      await terminal.sees(/Z seq=1 mono=\d+\r?\n/);
      await terminal.leave();
      const closed = await daemon.record('connection-closed');
      expect(closed).toMatchObject({ reason: 'peer-closed' });
      // What was typed and nothing else arrived, with this program's line ends: telnet began no negotiation.
      const lines = ['HELP', typed, 'wacth', 'LIST', 'WATCH'];
      expect(closed.bytesIn).toBe(lines.reduce((sum, line) => sum + line.length + lineEnd.length, 0));
      // Lines end as telnet asks for: a bare LF would make stairs.
      expect(terminal.shown.replaceAll('\r\n', '')).not.toMatch(name === 'nc' ? /[\r\n]/ : /\r[^\n]/);
    });
  });
}

testWith([program('nc'), program('timeout')], "printf 'WATCH\\n' | nc -N is a clock for scripts", async () => {
  await using daemon = await startDaemon('time-stream-tcp', []);
  const script = `printf 'WATCH\\n' | timeout 2.5 nc -N 127.0.0.1 ${daemon.port}`;
  const { stdout } = await runWith('', 'sh', '-c', script);
  expect(String(stdout)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z seq=0 mono=\d+\r\n\S+Z seq=1 /);
  expect(await daemon.record('connection-closed')).toMatchObject({ reason: 'reset' });
});

testWith([program('nc')], 'one server piped into another is a client like any', async () => {
  await using source = await startDaemon('time-stream-tcp', []);
  await using sink = await startDaemon('time-stream-tcp', []);
  const pipe = `(echo WATCH; sleep 10) | nc 127.0.0.1 ${source.port} | nc 127.0.0.1 ${sink.port}`;
  const child = spawn('sh', ['-c', pipe], { detached: true, stdio: 'ignore' });
  try {
    const { seq, offsetMs } = await sink.record('stamp', 2);
    expect(seq).toBe(1);
    expect(Math.abs(Number(offsetMs))).toBeLessThan(500);
  } finally {
    process.kill(-(child.pid ?? 0));
  }
});
