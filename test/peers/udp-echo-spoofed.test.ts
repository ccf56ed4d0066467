/** Datagrams with forged sources, through raw sockets; needs root. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect } from 'vitest';
import { Daemon, type LogRecord, runProgram, startDaemon } from '../support/daemon.ts';
import { program, root, testWith } from '../support/programs.ts';

const execFileAsync = promisify(execFile);
const script = fileURLToPath(new URL('udp-spoof.py', import.meta.url));
const needs = [root, program('python3')];

const spoof = (source: string, sourcePort: number, destination: string, port: number, text = 'forged') =>
  execFileAsync('python3', [script, source, String(sourcePort), destination, String(port), text]);

const sum = (records: readonly LogRecord[], field: string): number =>
  records.filter(({ event }) => event === 'datagrams').reduce((total, record) => total + Number(record[field]), 0);

describe.each(['batch', 'dgram'])('udp-echo --io %s', (io) => {
  const start = (...args: string[]) => startDaemon('udp-echo', ['--io', io, ...args]);

  testWith(needs, `source port 0 is dropped, on both families, and the server lives [--io ${io}]`, async () => {
    await using daemon = await start('--host', '::');
    await spoof('127.0.0.1', 0, '127.0.0.1', daemon.port);
    await spoof('::1', 0, '::1', daemon.port);
    const isPortZero = (record: LogRecord) => record.reason === 'source-port-zero';
    const first = await daemon.record('datagram-dropped', 1, isPortZero);
    const second = await daemon.record('datagram-dropped', 2, isPortZero);
    expect([first.peer, second.peer]).toEqual(['127.0.0.1:0', '[::1]:0']);
    const { code } = await runProgram('udp-echo', ['probe', `127.0.0.1:${daemon.port}`, '--count', '1']);
    expect(code).toBe(0);
  });

  testWith(needs, `forged well-known services and our own port get no answer [--io ${io}]`, async () => {
    await using daemon = await start();
    const ports = [7, 13, 17, 19, 37, 53, 69, 123, 7007, daemon.port];
    for (const [index, port] of ports.entries()) await spoof(`127.1.0.${index + 1}`, port, '127.0.0.1', daemon.port);
    for (const [index, port] of ports.entries()) {
      const peer = `127.1.0.${index + 1}:${port}`;
      const record = await daemon.record('datagram-dropped', 1, (candidate) => candidate.peer === peer);
      expect(record.reason).toBe('loop-guard');
    }
    expect(await daemon.stop()).toMatchObject({ code: 0 });
    expect(sum(daemon.records, 'echoed')).toBe(0);
  });

  testWith(needs, `one forged datagram between two of our servers: they fall silent [--io ${io}]`, async () => {
    await using one = await start('--summary-interval', '100ms');
    await using two = await start('--summary-interval', '100ms');
    await spoof('127.0.0.1', two.port, '127.0.0.1', one.port);
    // Whichever is the first to see the row's end breaks it.
    const broken = (record: LogRecord) => record.reason === 'loop-guard';
    await Promise.any([one.record('datagram-dropped', 1, broken), two.record('datagram-dropped', 1, broken)]);
    expect(await one.stop()).toMatchObject({ code: 0 });
    expect(await two.stop()).toMatchObject({ code: 0 });
    const packets = sum(one.records, 'received') + sum(two.records, 'received');
    // All that was ever sent between them: two rows at most, and the forged one.
    expect(packets).toBeGreaterThan(2);
    expect(packets).toBeLessThanOrEqual(2 * 4_096 + 2);
    const dropped = [...one.records, ...two.records].filter(broken).reduce((n, { dropped: d }) => n + Number(d), 0);
    expect(dropped).toBe(1);
  });

  testWith(needs, `a loop with a server of the same port ends at once [--io ${io}]`, async () => {
    await using one = await start('--host', '127.0.0.1');
    const samePort = ['--host', '127.0.0.2', '--port', String(one.port)];
    await using two = new Daemon('udp-echo', ['serve', '--io', io, ...samePort, '--admin-socket', 'off']);
    await two.record('listening');
    await spoof('127.0.0.2', one.port, '127.0.0.1', one.port);
    await one.record('datagram-dropped', 1, ({ reason }) => reason === 'loop-guard');
    await one.stop();
    await two.stop();
    expect(sum(one.records, 'echoed') + sum(two.records, 'echoed')).toBe(0);
  });
});
