/** The units of docs/operations/systemd, socket activation by the real systemd-socket-activate, and sd_notify. */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Daemon, repository } from '../support/daemon.ts';
import { freePort, serviceNames } from '../support/fleet.ts';
import { program, testWith } from '../support/programs.ts';
import { runWith } from '../support/run.ts';
import { connectClient, until } from '../support/tcp.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'systemd-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const activate = program('systemd-socket-activate');
const quiet = ['--admin-socket', 'off'];

/** A daemon that systemd-socket-activate starts at the first packet on any of the addresses. */
function activated(service: string, args: readonly string[], listen: readonly string[]): Daemon {
  const under = ['systemd-socket-activate', ...args, ...listen.flatMap((address) => ['--listen', address])];
  return new Daemon(service, quiet, { under });
}

describe('a socket that systemd hands over', () => {
  testWith([activate], 'TCP: the first connection starts the service, and is served by it', async () => {
    const port = await freePort();
    await using daemon = activated('echo-tcp', [], [`127.0.0.1:${port}`]);
    await until(() => daemon.stderr.includes('Listening on'), 'systemd-socket-activate listens');
    await using client = await connectClient(port);
    expect(String(await client.roundTrip('hello'))).toBe('hello');
    expect(await daemon.record('listening')).toMatchObject({ address: '127.0.0.1', port, inherited: true });
    await using second = await connectClient(port);
    expect(String(await second.roundTrip('again'))).toBe('again');
    client.socket.end();
    second.socket.end();
    expect((await daemon.stop()).code).toBe(0);
  });

  for (const [family, host, type] of [
    ['IPv4', '127.0.0.1', 'udp4'],
    ['IPv6', '::1', 'udp6'],
  ] as const) {
    testWith([activate], `UDP over ${family}: the datagram that starts the service is answered by it`, async () => {
      const client = createSocket(type).bind(0, host);
      await once(client, 'listening');
      // A port that was free an instant ago: no other socket of the machine asks for it by number.
      const port = await freePort();
      const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
      await using daemon = activated('udp-echo', ['--datagram'], [address]);
      await until(() => daemon.stderr.includes('Listening on'), 'systemd-socket-activate listens');
      const answer = once(client, 'message');
      client.send('hello', port, host);
      expect(String((await answer)[0])).toBe('hello');
      expect(await daemon.record('listening')).toMatchObject({ transport: 'udp', port, inherited: true, io: 'dgram' });
      client.close();
      expect((await daemon.stop()).code).toBe(0);
    });
  }

  testWith([activate], 'a socket of the wrong kind is told with the directive to write, exit 1', async () => {
    const port = await freePort();
    await using daemon = activated('echo-tcp', ['--datagram'], [`127.0.0.1:${port}`]);
    await until(() => daemon.stderr.includes('Listening on'), 'systemd-socket-activate listens');
    const client = createSocket('udp4');
    client.send('x', port, '127.0.0.1', () => client.close());
    expect((await daemon.exited()).code).toBe(1);
    expect(daemon.stderr).toContain('the service needs a tcp socket: ListenStream=');
  });

  testWith([activate], 'several sockets are one too many, exit 78', async () => {
    const ports = [await freePort(), await freePort()];
    await using daemon = activated(
      'echo-tcp',
      [],
      ports.map((port) => `127.0.0.1:${port}`),
    );
    await until(() => daemon.stderr.split('Listening on').length === 3, 'systemd-socket-activate listens on both');
    await using _client = await connectClient(ports[0] ?? 0);
    expect((await daemon.exited()).code).toBe(78);
    expect(daemon.stderr).toContain('LISTEN_FDS is "2": a service takes one socket');
  });

  test('variables that are meant for another process are none of ours', async () => {
    const env = { LISTEN_FDS: '1', LISTEN_PID: '1' };
    await using daemon = new Daemon('echo-tcp', [...quiet, '--port', '0'], { env });
    expect(await daemon.record('listening')).not.toHaveProperty('inherited');
  });
});

describe('sd_notify', () => {
  for (const [kind, receiver, address] of [
    ['a path', 'UNIX-RECV', (name: string) => join(folder, name)],
    ['an abstract name', 'ABSTRACT-RECV', (name: string) => `@${folder}/${name}`],
  ] as const) {
    testWith([program('socat')], `ready, reloading and stopping are told over ${kind}`, async () => {
      const socket = address('notify');
      const socat = spawn('socat', ['-u', `${receiver}:${socket.replace(/^@/, '')}`, '-']);
      let told = '';
      socat.stdout.on('data', (bytes) => {
        told += bytes;
      });
      const bound = async (): Promise<boolean> => (await readFile('/proc/net/unix', 'utf8')).includes(socket);
      await until(bound, 'socat receives');
      const before = process.hrtime.bigint() / 1_000n;
      await using daemon = new Daemon('echo-tcp', [...quiet, '--port', '0'], { env: { NOTIFY_SOCKET: socket } });
      await until(() => told === 'READY=1\n', 'it is ready');
      daemon.process.kill('SIGHUP');
      await until(() => told.split('READY=1').length === 3, 'it is ready again');
      expect((await daemon.stop()).code).toBe(0);
      await until(() => told.endsWith('STOPPING=1\n'), 'it stops');
      socat.kill();
      const [, reloadedAt = '0'] =
        /^READY=1\nRELOADING=1\nMONOTONIC_USEC=(\d+)\nREADY=1\nSTOPPING=1\n$/.exec(told) ?? [];
      expect(BigInt(reloadedAt)).toBeGreaterThan(before);
      expect(BigInt(reloadedAt)).toBeLessThan(process.hrtime.bigint() / 1_000n);
    });
  }

  test('a service manager that is gone is a record, and the service serves', async () => {
    const env = { NOTIFY_SOCKET: join(folder, 'nobody') };
    await using daemon = new Daemon('echo-tcp', [...quiet, '--port', '0'], { env });
    const { port } = await daemon.record('listening');
    expect(await daemon.record('notify-failed')).toMatchObject({ level: 'warn', gap: 'not-sent', message: 'READY=1' });
    await using client = await connectClient(Number(port));
    expect(String(await client.roundTrip('hello'))).toBe('hello');
  });
});

describe('the units', () => {
  const source = `${repository}docs/operations/systemd`;

  testWith([program('systemd-analyze')], 'systemd finds no fault in them', async () => {
    const units: string[] = [];
    for (const name of (await readdir(source)).filter((file) => /\.(?:service|socket)$/.test(file))) {
      const instances = name.includes('@.') ? await serviceNames() : [''];
      for (const instance of instances) {
        const text = await readFile(join(source, name), 'utf8');
        const unit = join(folder, name.replace('@.', `@${instance}.`));
        await writeFile(unit, text.replaceAll('/opt/small-servers/', repository));
        units.push(unit);
      }
      // The units name each other by their template.
      if (name.includes('@.')) await copyFile(join(source, name), join(folder, name));
    }
    expect(units.length).toBeGreaterThan(6);
    const { code, stderr } = await runWith('', 'systemd-analyze', 'verify', '--man=no', ...units);
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  testWith([program('systemd-analyze')], 'they give a service little to do harm with', async () => {
    const unit = join(folder, 'small-server@hardened.service');
    await copyFile(join(source, 'small-server@.service'), unit);
    const { stdout } = await runWith('', 'systemd-analyze', 'security', '--offline=true', '--no-pager', unit);
    // Of 10; an untouched service has 9.6.
    const exposure = Number(/exposure level for .*: (\d+\.\d+)/.exec(stdout.toString())?.[1]);
    expect(exposure).toBeLessThan(2);
  });

  test('the ports of the socket units are those of the services', async () => {
    for (const service of await serviceNames()) {
      const file = join(source, `${service}.socket`);
      const { settings } = await import(`${repository}services/${service}/src/settings.ts`);
      expect(existsSync(file)).toBe('port' in settings);
      if (!('port' in settings)) continue;
      expect(await readFile(file, 'utf8')).toMatch(
        new RegExp(`^Listen(?:Stream|Datagram)=127\\.0\\.0\\.1:${settings.port.default}$`, 'm'),
      );
    }
  });
});
