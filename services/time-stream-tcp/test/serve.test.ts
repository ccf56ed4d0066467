/** The real daemon over real sockets. */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { askAdminPage } from '../../../test/support/admin.ts';
import { Daemon, runProgram, startDaemon } from '../../../test/support/daemon.ts';
import { connectClient, until } from '../../../test/support/tcp.ts';
import { commands, timeLine } from '../src/protocol.ts';

const SERVICE = 'time-stream-tcp';
const START = 'Send your time, once a second: ';
const A = '2026-11-20 10:00:00';
const B = '2026-11-20 10:00:01';
const C = '2026-11-20 10:00:02';

describe('stamps over the wire', () => {
  test('are one record each, however they are cut, and a summary at the end', async () => {
    await using daemon = await startDaemon(SERVICE, ['--client-zone', 'UTC']);
    await using client = await connectClient(daemon.port);
    client.socket.write(`${A}${B.slice(0, 7)}`);
    await daemon.record('stamp', 1);
    client.socket.write(`${B.slice(7)}\r\n${C}`);
    await daemon.record('stamp', 3);
    client.socket.end();
    expect(await daemon.record('clock-summary')).toMatchObject({ conn: '1', stamps: 3, missedSeconds: 0, steps: 0 });
    const stamps = daemon.records.filter(({ event }) => event === 'stamp');
    expect(stamps.map(({ clientTime }) => clientTime)).toEqual([A, B, C]);
    expect(Object.keys(stamps[0] ?? {})).toEqual([
      ...['level', 'time', 'service', 'pid', 'event', 'conn', 'peer'],
      ...['clientTime', 'receivedAt', 'offsetMs', 'assumedZone', 'msg'],
    ]);
    for (const { clientTime, receivedAt, offsetMs } of stamps) {
      const difference = Date.parse(`${clientTime}Z`) - Date.parse(String(receivedAt));
      expect(Math.abs(Number(offsetMs) - difference)).toBeLessThanOrEqual(1);
    }
  });

  test('--print is a plain line for each, beside the records', async () => {
    // What is printed is made a record, so that it can be waited for as one.
    const script = `exec "$0" "$@" > >(sed -u 's/^2.*/{"event":"printed","line":"&"}/')`;
    await using daemon = await startDaemon(SERVICE, ['--print'], { under: ['bash', '-c', script] });
    await using client = await connectClient(daemon.port);
    client.socket.end(`${A}\n`);
    expect(await daemon.record('printed')).toEqual({
      event: 'printed',
      line: `${A} from 127.0.0.1:${client.localPort}`,
    });
    await daemon.record('stamp');
  });

  test('under pm2 --print is ignored, with a word: the log stays JSON', async () => {
    await using daemon = await startDaemon(SERVICE, ['--print'], { env: { pm_id: '0' } });
    await using client = await connectClient(daemon.port);
    client.socket.end(`${A}\n`);
    await daemon.record('clock-summary');
    expect(daemon.records[0]).toMatchObject({ level: 'warn', event: 'print-ignored' });
  });
});

describe('commands over the wire', () => {
  test('LIST has every client that sends its time, the worst clock first', async () => {
    await using daemon = await startDaemon(SERVICE, ['--client-zone', 'UTC']);
    await using right = await connectClient(daemon.port);
    await using wrong = await connectClient(daemon.port);
    right.socket.write(`${new Date().toISOString()}\n`);
    wrong.socket.write('2001-01-01 00:00:00\n');
    await daemon.record('stamp', 2);
    await using asking = await connectClient(daemon.port);
    asking.socket.write('LIST\n');
    await until(() => asking.bytes.includes('send their time'), 'the list is there');
    const [header, first, second, last] = String(asking.bytes).split('\r\n');
    expect(header).toMatch(/^conn +peer +stamps +offset +drift +jitter +missed +steps +last stamp$/);
    expect(first).toMatch(new RegExp(`^2 +127\\.0\\.0\\.1:${wrong.localPort} +1 +-\\d+\\.\\d s `));
    expect(second).toMatch(new RegExp(`^1 +127\\.0\\.0\\.1:${right.localPort} +1 `));
    expect(last).toBe('2 clients send their time');
  });

  test('HELP and WATCH: half a conversation by hand', async () => {
    await using daemon = await startDaemon(SERVICE);
    await using client = await connectClient(daemon.port);
    client.socket.write('HELP\nWATCH\n');
    await until(() => /Z seq=1 /.test(String(client.bytes)), 'two lines came');
    expect(String(client.bytes)).toContain(START);
    const times = [...String(client.bytes).matchAll(/^(\S+Z) seq=\d+ mono=\d+\r$/gm)].map(([, time = '']) => time);
    const [first = '', second = ''] = times;
    expect(Math.floor(Date.parse(second) / 1000) - Math.floor(Date.parse(first) / 1000)).toBe(1);
    expect(Object.keys(commands).every((name) => String(client.bytes).includes(`  ${name} `))).toBe(true);
  });
});

describe('hostile peers', () => {
  test('each is one log line, and the server serves on', async () => {
    await using daemon = await startDaemon(SERVICE, ['--max-errors', '3']);
    await using client = await connectClient(daemon.port);
    client.socket.write('\x1b[31m{"level":"fatal"}\n\xff\xfe\nNaN\n');
    await client.end();
    expect(await daemon.record('connection-closed')).toMatchObject({ reason: 'protocol-error' });
    expect(
      String(client.bytes)
        .split('\r\n')
        .filter((line) => line.startsWith('ERR ')),
    ).toHaveLength(3);
    expect(daemon.records.map(({ event }) => event)).toEqual([
      'listening',
      ...['bad-line', 'bad-line', 'bad-line'],
      'connection-closed',
    ]);
    await using endless = await connectClient(daemon.port);
    endless.socket.write('x'.repeat(100_000));
    await daemon.record('connection-closed', 2);
    expect(await daemon.record('bad-line', 4)).toMatchObject({ reason: 'too-long' });
    expect(await daemon.record('connection-closed', 2)).toMatchObject({ reason: 'protocol-error' });
    await using next = await connectClient(daemon.port);
    next.socket.write('TIME\n');
    await next.receive(30);
  });
});

describe('stops and reloads', () => {
  test('a stop ends those who watch and those who send at once, and takes a stamp that is held', async () => {
    await using daemon = await startDaemon(SERVICE, ['--drain-timeout', '1h']);
    await using watcher = await connectClient(daemon.port);
    await using sender = await connectClient(daemon.port);
    await using silent = await connectClient(daemon.port);
    watcher.socket.write('WATCH\n');
    await watcher.receive(30);
    silent.socket.write('TIME\n');
    await silent.receive(30);
    sender.socket.write(`${A}\n${B}`);
    await daemon.record('stamp');
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
    const closed = daemon.records.filter(({ event }) => event === 'connection-closed');
    expect(closed.map(({ reason }) => reason)).toEqual(['drained', 'drained', 'drained']);
    expect(daemon.records.filter(({ event }) => event === 'stamp').map(({ clientTime }) => clientTime)).toEqual([A, B]);
    expect(Number(daemon.records.at(-1)?.durationMs)).toBeLessThan(3_000);
  });

  test('SIGHUP changes the zone and the limits of connections that are open', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'time-'));
    const config = join(folder, 'servers.json');
    const write = (section: object) => writeFile(config, JSON.stringify({ [SERVICE]: section }));
    await write({ 'client-zone': 'UTC' });
    try {
      await using daemon = await startDaemon(SERVICE, ['--config', config]);
      await using client = await connectClient(daemon.port);
      client.socket.write(`${A}\n`);
      expect(await daemon.record('stamp')).toMatchObject({ assumedZone: 'UTC' });
      await write({ 'client-zone': 'Europe/Berlin', 'max-errors': 1 });
      daemon.process.kill('SIGHUP');
      await daemon.record('config-reloaded');
      client.socket.write(`${A}\nx\n`);
      expect(await daemon.record('stamp', 2)).toMatchObject({ assumedZone: 'Europe/Berlin' });
      await client.end();
      await write({ 'client-zone': 'Nowhere' });
      daemon.process.kill('SIGHUP');
      const { problems } = await daemon.record('config-rejected');
      expect(String(problems)).toContain('client-zone: "Nowhere" is not allowed');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

test('metrics count what was taken, refused and found wrong, over open and ended connections', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'time-'));
  const socket = join(folder, 'time.sock');
  try {
    await using daemon = new Daemon(SERVICE, [
      'serve',
      '--port',
      '0',
      '--admin-socket',
      socket,
      '--client-zone',
      'UTC',
    ]);
    const { port } = await daemon.record('listening');
    await using gone = await connectClient(Number(port));
    gone.socket.end(`${A} seq=1\n${C} seq=4\nx\n`);
    await daemon.record('clock-summary');
    await using open = await connectClient(Number(port));
    open.socket.write(`2001-01-01 00:00:00 seq=7\n2001-01-01 00:00:01 seq=9\n2001-01-01 00:00:02 seq=9\n`);
    await daemon.record('clock-wrong', 1, ({ conn }) => conn === '2');
    open.socket.write('WATCH\n');
    await open.receive(30);
    await until(
      async () => (await askAdminPage(socket, '/healthz').catch(() => undefined)) !== undefined,
      'admin answers',
    );
    const { text } = await askAdminPage(socket, '/metrics');
    const value = (name: string): number =>
      Number(new RegExp(`^small_servers_time_${name} (\\S+)$`, 'm').exec(text)?.[1]);
    expect(value('stamps_total')).toBe(5);
    expect(value('bad_lines_total{reason="unknown"}'.replace(/[{}]/g, '\\$&'))).toBe(1);
    expect(value('sequence_missing_total')).toBe(3);
    expect(value('sequence_duplicates_total')).toBe(1);
    expect(value('clients')).toBe(1);
    expect(value('wrong_clocks')).toBe(1);
    expect(value('watchers')).toBe(1);
    expect(value('offset_seconds_count')).toBe(5);
  } finally {
    await rm(folder, { recursive: true });
  }
});

describe('the clients', () => {
  test('send is taken, and says what it sent', async () => {
    await using daemon = await startDaemon(SERVICE);
    const { code, stdout, stderr } = await runProgram(SERVICE, [
      ...['send', `127.0.0.1:${daemon.port}`, '--interval', '100ms', '--count', '3', '--json'],
    ]);
    expect([code, stderr]).toEqual([0, '']);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ kind, seq }) => [kind, seq])).toEqual([
      ['sent', 0],
      ['sent', 1],
      ['sent', 2],
      ['summary', undefined],
    ]);
    expect(lines[3]).toMatchObject({ sent: 3, missed: 0, refused: 0 });
    const { seq, mono, setMs, clientTime } = await daemon.record('stamp', 3);
    expect({ seq, clientTime: `${clientTime} seq=2 mono=${mono}` }).toEqual({ seq: 2, clientTime: lines[2].stamp });
    expect(Math.abs(Number(setMs))).toBeLessThan(10);
  });

  test('send refused by a server: exit code 1; nobody there: 1 and a sentence; wrong use: 78', async () => {
    await using echo = await startDaemon('echo-tcp', ['--greeting', 'ERR no']);
    const refused = await runProgram(SERVICE, [
      'send',
      `127.0.0.1:${echo.port}`,
      '--count',
      '1',
      '--interval',
      '100ms',
    ]);
    expect([refused.code, refused.stdout]).toEqual([1, expect.stringContaining('the server says: ERR no')]);
    await echo.stop();
    const nobody = await runProgram(SERVICE, ['send', `127.0.0.1:${echo.port}`, '--count', '1']);
    expect([nobody.code, nobody.stdout]).toEqual([1, '']);
    expect(nobody.stderr).toMatch(/^time-stream-tcp: [^\n]*connection refused[^\n]*\n$/);
    const wrong = await runProgram(SERVICE, ['send', 'nowhere', '--interval', '1', '--format', 'xml']);
    expect([wrong.code, wrong.stderr.trimEnd().split('\n').length]).toEqual([78, 3]);
  });

  test('watch: two lines, a limit that is missed, and a far end that is no time stream', async () => {
    await using daemon = await startDaemon(SERVICE);
    const target = `127.0.0.1:${daemon.port}`;
    const watched = await runProgram(SERVICE, ['watch', target, '--count', '2', '--json']);
    expect([watched.code, watched.stderr]).toEqual([0, '']);
    const lines = watched.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { target, seq: 0 },
      { target, seq: 1 },
    ]);
    for (const { offsetMs, boundMs } of lines) expect(Math.abs(offsetMs)).toBeLessThanOrEqual(boundMs + 0.1);

    // On one machine an offset can be as small as none: this clock is an hour behind.
    const slow = createServer((socket) => {
      socket.on('data', () => socket.end(timeLine(Date.now() - 3_600_000, 0)));
    });
    await once(slow.listen(0, '127.0.0.1'), 'listening');
    const { port } = slow.address() as AddressInfo;
    const missed = await runProgram(SERVICE, ['watch', `127.0.0.1:${port}`, '--now', '--max-offset', '1us']);
    slow.close();
    expect(missed.code).toBe(2);
    await using echo = await startDaemon('echo-tcp');
    const strange = await runProgram(SERVICE, ['watch', `127.0.0.1:${echo.port}`, '--now']);
    expect([strange.code, strange.stderr]).toEqual([1, expect.stringContaining('this is no time stream')]);
  });
});
