/** Two hosts, as network namespaces with a cable between them; the server's has two addresses of each family. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { type LogRecord, startDaemon } from '../support/daemon.ts';
import { findProgram, type Need, program, root, testWith } from '../support/programs.ts';

const spoofScript = fileURLToPath(new URL('udp-spoof.py', import.meta.url));

/** Root in a container may still not be allowed to make a namespace. */
function canMakeNamespaces(): boolean {
  try {
    execFileSync('unshare', ['--net', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const namespaces: Need = { name: 'network namespaces', met: canMakeNamespaces() };
const needs = [root, namespaces, program('ip'), program('python3')];
const ip = findProgram('ip') ?? 'ip';

const server = `small-servers-${process.pid}-server`;
const client = `small-servers-${process.pid}-client`;

/** Sends to an address and says where the answer came from; the socket is not connected, so it takes any. */
const asker = `
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
s.sendto(b"who answers?", (host, port))
answer, peer = s.recvfrom(65536)
print(answer.decode(), peer[0], peer[1])
`;

const run = (...args: string[]): string => execFileSync(ip, args, { encoding: 'utf8' });
const inside = (namespace: string, ...command: string[]): string => run('netns', 'exec', namespace, ...command);
const ask = (host: string, port: number): string => inside(client, 'python3', '-c', asker, host, String(port)).trim();

describe('between two hosts', () => {
  beforeAll(() => {
    if (!needs.every(({ met }) => met)) return;
    for (const name of [server, client]) run('netns', 'add', name);
    run('link', 'add', 'cable0', 'netns', server, 'type', 'veth', 'peer', 'name', 'cable1', 'netns', client);
    const addresses = {
      [server]: ['10.9.0.1/24', '10.9.0.2/24', 'fd09::1/64', 'fd09::2/64'],
      [client]: ['10.9.0.9/24', 'fd09::9/64'],
    };
    for (const [name, device] of [
      [server, 'cable0'],
      [client, 'cable1'],
    ] as const) {
      run('-n', name, 'link', 'set', 'lo', 'up');
      run('-n', name, 'link', 'set', device, 'up');
      for (const address of addresses[name] ?? []) {
        // Without duplicate address detection, which would make the address wait.
        const nodad = address.includes(':') ? ['nodad'] : [];
        run('-n', name, 'address', 'add', address, 'dev', device, ...nodad);
      }
    }
    run('-n', client, 'route', 'add', 'default', 'dev', 'cable1');
  });
  afterAll(() => {
    if (!needs.every(({ met }) => met)) return;
    for (const name of [server, client]) run('netns', 'delete', name);
  });

  const start = (...args: string[]) => startDaemon('udp-echo', args, { under: [ip, 'netns', 'exec', server] });

  testWith(needs, 'on a wildcard address the answer comes from the address that was asked, by the batch', async () => {
    for (const wildcard of ['0.0.0.0', '::']) {
      await using daemon = await start('--io', 'batch', '--host', wildcard);
      const asked = ['10.9.0.1', '10.9.0.2', ...(wildcard === '::' ? ['fd09::1', 'fd09::2'] : [])];
      for (const host of asked) expect(ask(host, daemon.port)).toBe(`who answers? ${host} ${daemon.port}`);
    }
  });

  testWith(needs, 'bound to one address it answers from there, on both ways of reading', async () => {
    for (const io of ['batch', 'dgram']) {
      await using daemon = await start('--io', io, '--host', '10.9.0.2');
      expect(ask('10.9.0.2', daemon.port)).toBe(`who answers? 10.9.0.2 ${daemon.port}`);
    }
  });

  testWith(needs, 'what node:dgram can not do: on a wildcard address the system chooses the source', async () => {
    await using daemon = await start('--io', 'dgram', '--host', '0.0.0.0');
    expect(ask('10.9.0.2', daemon.port)).toBe(`who answers? 10.9.0.1 ${daemon.port}`);
  });

  testWith(needs, 'a datagram to everybody from nobody (0.0.0.0) is a bad source', async () => {
    await using daemon = await start('--host', '0.0.0.0');
    inside(client, 'python3', spoofScript, '0.0.0.0', '5000', '255.255.255.255', String(daemon.port), 'x', 'cable1');
    const isBad = ({ reason }: LogRecord): boolean => reason === 'bad-source';
    expect(await daemon.record('datagram-dropped', 1, isBad)).toMatchObject({ peer: '0.0.0.0:5000' });
  });

  testWith(needs, 'strangers are limited by default, each address for itself', async () => {
    await using daemon = await start('--host', '0.0.0.0', '--rate-per-source', '2');
    const burst = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(10):
    s.sendto(b"x", ("10.9.0.1", int(sys.argv[1])))
`;
    inside(client, 'python3', '-c', burst, String(daemon.port));
    expect(await daemon.record('datagram-dropped')).toMatchObject({ reason: 'rate-limited' });
    await daemon.stop();
    const summary = daemon.records.findLast(({ event }) => event === 'datagrams');
    expect(summary).toMatchObject({ received: 10 });
    expect(Number(summary?.echoed)).toBeGreaterThanOrEqual(2);
    expect(Number(summary?.echoed) + Number(summary?.dropped)).toBe(10);
  });

  testWith(
    needs,
    'an answer that the firewall or the routes refuse is counted, and the next one goes out',
    async () => {
      for (const io of ['batch', 'dgram']) {
        await using daemon = await start('--io', io, '--host', '10.9.0.1');
        run('-n', server, 'route', 'add', 'prohibit', '10.9.0.9/32');
        const send =
          'import socket, sys; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("10.9.0.1", int(sys.argv[1])))';
        inside(client, 'python3', '-c', send, String(daemon.port));
        const failed = await daemon.record('datagram-dropped');
        run('-n', server, 'route', 'delete', 'prohibit', '10.9.0.9/32');
        expect(failed).toMatchObject({ reason: 'send-failed' });
        expect(ask('10.9.0.1', daemon.port)).toBe(`who answers? 10.9.0.1 ${daemon.port}`);
      }
    },
  );
});
