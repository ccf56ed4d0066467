/** Real programs talk with the real daemon, on both ways of reading. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Daemon, runProgram, startDaemon } from '../support/daemon.ts';
import { program, testWith } from '../support/programs.ts';

const execFileAsync = promisify(execFile);

type Running = Daemon & { readonly port: number };

/** A program that is given `input` and then an end of input; what it printed. */
async function talk(command: string, args: readonly string[], input: string): Promise<string> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const output = text(child.stdout);
  child.stdin.end(input);
  await once(child, 'close');
  return output;
}

describe.each(['batch', 'dgram'])('udp-echo --io %s', (io) => {
  let daemon: Running;
  beforeAll(async () => {
    daemon = await startDaemon('udp-echo', ['--io', io]);
  });
  afterAll(() => daemon.stop('SIGKILL'));

  testWith([program('nc')], 'nc -u: what was typed comes back', async () => {
    const output = await talk('nc', ['-u', '-w', '1', '127.0.0.1', String(daemon.port)], 'hello over UDP\n');
    expect(output).toBe('hello over UDP\n');
  });

  testWith([program('socat')], 'socat: one datagram there, the same one back', async () => {
    const args = ['-t', '1', '-', `UDP4:127.0.0.1:${daemon.port}`];
    expect(await talk('socat', args, 'through socat')).toBe('through socat');
  });

  testWith([program('python3')], 'python3: sizes 0, 1, 1472, 8192 and 65507 come back whole', async () => {
    const script = `
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
s.connect(("127.0.0.1", int(sys.argv[1])))
for size in (0, 1, 1472, 8192, 65507):
    sent = os.urandom(size)
    s.send(sent)
    print(size, s.recv(65536) == sent)
`;
    const { stdout } = await execFileAsync('python3', ['-c', script, String(daemon.port)]);
    expect(stdout).toBe('0 True\n1 True\n1472 True\n8192 True\n65507 True\n');
  });

  test('our probe: nothing is lost, changed or out of order', async () => {
    const args = [
      'probe',
      `127.0.0.1:${daemon.port}`,
      '--count',
      '50',
      '--interval',
      '1ms',
      '--size',
      '1472B',
      '--json',
    ];
    const { code, stdout } = await runProgram('udp-echo', [...args, '--max-loss', '0', '--timeout', '10s']);
    expect(JSON.parse(stdout)).toMatchObject({
      sent: 50,
      received: 50,
      late: 0,
      lost: 0,
      duplicated: 0,
      reordered: 0,
      corrupted: 0,
      stray: 0,
      missed: [],
    });
    expect(code).toBe(0);
  });

  test('our sweep: everything up to the largest datagram of IPv4 returns', async () => {
    const { code, stdout } = await runProgram('udp-echo', ['probe', `127.0.0.1:${daemon.port}`, '--sweep', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ largestBytes: 65_507, packetBytes: 65_535 });
    expect(code).toBe(0);
  });
});

describe('the daemon', () => {
  test('a stop logs draining, the last summary and stopped, and ends with 0', async () => {
    await using daemon = await startDaemon('udp-echo');
    const { code } = await runProgram('udp-echo', ['probe', `127.0.0.1:${daemon.port}`, '--count', '1']);
    expect(code).toBe(0);
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
    const events = daemon.records.map(({ event }) => event);
    expect(events.toSorted()).toEqual(['datagrams', 'draining', 'listening', 'stopped']);
    expect(events.at(-1)).toBe('stopped');
    expect(daemon.stderr).toBe('');
  });

  test('records have their fields in the order that is promised', async () => {
    await using daemon = await startDaemon('udp-echo', ['--summary-interval', '100ms']);
    await runProgram('udp-echo', ['probe', `127.0.0.1:${daemon.port}`, '--count', '1']);
    const listening = await daemon.record('listening');
    expect(Object.keys(listening).slice(0, 8)).toEqual([
      'level',
      'time',
      'service',
      'pid',
      'event',
      'address',
      'port',
      'transport',
    ]);
    expect(listening).toMatchObject({ transport: 'udp', recvBufferBytes: expect.any(Number), io: expect.any(String) });
    const summary = await daemon.record('datagrams');
    expect(Object.keys(summary)).toEqual([
      ...['level', 'time', 'service', 'pid', 'event', 'peer'],
      ...['received', 'echoed', 'dropped', 'bytesIn', 'bytesOut', 'intervalMs', 'msg'],
    ]);
  });

  test('SIGHUP: an access list that was written into the file holds from then on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'small-servers-udp-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'servers.json');
    writeFileSync(file, '{ "udp-echo": {} }');
    await using daemon = await startDaemon('udp-echo', ['--config', file]);
    const probe = ['probe', `127.0.0.1:${daemon.port}`, '--count', '1'];
    expect((await runProgram('udp-echo', probe)).code).toBe(0);
    writeFileSync(file, '{ "udp-echo": { "deny": ["127.0.0.0/8"], "rate-per-source": 5 } }');
    daemon.process.kill('SIGHUP');
    const { changed } = await daemon.record('config-reloaded');
    expect(changed).toEqual([
      { name: 'rate-per-source', from: 'auto', to: '5' },
      { name: 'deny', from: '', to: '127.0.0.0/8' },
    ]);
    expect((await runProgram('udp-echo', probe)).code).toBe(1);
    expect(await daemon.record('datagram-dropped')).toMatchObject({ reason: 'denied' });
  });

  test('where batches can not be had, auto is dgram and batch is an error that says why', async () => {
    const env = { NODE_OPTIONS: '--no-experimental-ffi' };
    await using daemon = await startDaemon('udp-echo', [], { env });
    expect(await daemon.record('listening')).toMatchObject({ io: 'dgram' });
    const { code, stderr } = await runProgram('udp-echo', ['serve', '--io', 'batch', '--port', '0'], env);
    expect(code).toBe(78);
    expect(stderr).toContain(`io: "batch" can't be had here: this Node has no node:ffi`);
  });

  test('a wrong value of any of its settings is one line each, and 78', async () => {
    const args = ['--rate-per-source', 'fast', '--max-sources', '0', '--deny', '10.1.2.3/8', '--io', 'poll'];
    const { code, stderr } = await runProgram('udp-echo', ['serve', ...args, '--check-config']);
    expect(code).toBe(78);
    expect(
      stderr
        .trim()
        .split('\n')
        .map((line) => line.split(':')[1]?.trim())
        .toSorted(),
    ).toEqual(['deny', 'io', 'max-sources', 'rate-per-source']);
  });
});

describe('the probe', () => {
  test('a port where nobody listens is refused, not timed out', async () => {
    await using daemon = await startDaemon('udp-echo');
    const { port } = daemon;
    await daemon.stop();
    const { code, stderr } = await runProgram('udp-echo', ['probe', `127.0.0.1:${port}`]);
    expect(code).toBe(1);
    expect(stderr).toBe(`udp-echo: 127.0.0.1:${port}: connection refused: nothing listens there; is the server up?\n`);
  });

  test('a limit that is missed is exit code 2, and says by how much', async () => {
    await using daemon = await startDaemon('udp-echo');
    const args = ['probe', `127.0.0.1:${daemon.port}`, '--count', '2', '--interval', '1ms', '--max-p99', '1us'];
    const { code, stdout } = await runProgram('udp-echo', args);
    expect(code).toBe(2);
    expect(stdout).toContain('missed       --max-p99 0.001ms: it was');
  });

  test('a server that answers nobody is exit code 1, and all is lost', async () => {
    await using daemon = await startDaemon('udp-echo', ['--deny', '127.0.0.0/8']);
    const args = ['probe', `127.0.0.1:${daemon.port}`, '--count', '3', '--interval', '1ms', '--timeout', '50ms'];
    const { code, stdout } = await runProgram('udp-echo', [...args, '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ sent: 3, received: 0, lost: 3, lossPercent: 100 });
  });
});
