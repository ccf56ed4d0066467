/** `nettool connect` as a user runs it: what is printed, and the peers that need a network or certificates of their own. */
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, afterEach, expect, test } from 'vitest';
import { nodePath } from '../../../test/support/daemon.ts';
import { type Need, program, testWith } from '../../../test/support/programs.ts';
import { nettool, nettoolInside, nettoolJson, nettoolPath } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'nettool-'));
afterAll(() => rmSync(folder, { recursive: true }));

const closers: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function listenOn(server: ReturnType<typeof createServer>): Promise<string> {
  server.on('connection', (socket: Socket) => closers.push(() => socket.destroy()));
  closers.push(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return String((server.address() as { port: number }).port);
}

const echo = (socket: Socket) => socket.on('error', () => {}).pipe(socket);

test('the steps and the answer, for people and for programs', async () => {
  const port = await listenOn(createServer({ allowHalfOpen: true }, echo));
  const { code, stdout } = await nettool(['connect', '127.0.0.1', port, '--send', 'hello', '--crlf']);
  expect(code).toBe(0);
  const time = '[0-9.]+ m?s';
  expect(stdout.split('\n')).toEqual([
    expect.stringMatching(`^resolve +${time}  an address already$`),
    expect.stringMatching(`^connect +${time}  127.0.0.1:${port}  from 127.0.0.1:\\d+$`),
    expect.stringMatching(`^send +${time}  7 bytes, then the end of sending$`),
    expect.stringMatching(`^receive +${time}  7 bytes, the first after [0-9.]+ ms; the far end closed$`),
    expect.stringMatching(`^close +${time}$`),
    '',
    'hello',
    '',
  ]);
  expect(await nettoolJson(['connect', `127.0.0.1:${port}`, '--send', 'hello'])).toMatchObject({
    host: '127.0.0.1',
    port: Number(port),
    transport: 'tcp',
    ok: true,
    steps: ['resolve', 'connect', 'send', 'receive', 'close'].map((step) => ({ step, error: null })),
    received: { bytes: 5, text: 'hello', base64: 'aGVsbG8=', complete: true },
  });
});

test('standard input is sent for "-", and --crlf mends its line ends', async () => {
  const port = await listenOn(createServer({ allowHalfOpen: true }, echo));
  const { stdout } = await nettool(['connect', '127.0.0.1', port, '--send', '-', '--crlf', '--json'], {
    input: 'one\ntwo\r\nthree',
  });
  expect(JSON.parse(stdout)).toMatchObject({ received: { text: 'one\r\ntwo\r\nthree' } });
});

test('a failure names its step, the error in words, the cause, who can mend it and what to try', async () => {
  const server = createServer();
  const port = await listenOn(server);
  server.close();
  await once(server, 'close');
  const { code, stdout } = await nettoolInside(['connect', 'localhost', port, '--send', 'x']);
  expect(code).toBe(1);
  expect(stdout).toMatch(new RegExp(`^failed at +connecting to .*:${port}$`, 'm'));
  expect(stdout).toMatch(/^error +the far end refused the connection \(ECONNREFUSED: /m);
  for (const label of ['likely cause', 'who can mend it', 'what to try']) expect(stdout).toContain(`\n${label} `);
  expect(await nettoolJson(['connect', 'localhost', port], nettoolInside)).toMatchObject({
    ok: false,
    failure: { step: 'connect', code: 'ECONNREFUSED', mender: 'the far end', next: expect.stringContaining('port') },
  });
});

test('the meaning of an error depends on the step: a silent peer is not an unreachable one', async () => {
  const port = await listenOn(createServer({ allowHalfOpen: true }, (socket) => socket.resume()));
  const { stdout } = await nettoolInside(['connect', '127.0.0.1', port, '--send', 'x', '--timeout', '100ms']);
  expect(stdout).toMatch(/^error +the far end stays silent \(ETIMEDOUT: nothing came for 100ms\)$/m);
  expect(stdout).toMatch(/^what to try +Try --crlf/m);
});

test('what a peer says cannot move the cursor or hide a line', async () => {
  const port = await listenOn(createServer((socket) => socket.end('\u001b[2J\u202eevil\u0007\nsecond')));
  const { stdout } = await nettoolInside(['connect', '127.0.0.1', port, '--send', '']);
  expect(stdout).toContain('\n?[2J?evil?\nsecond\n');
});

test('a port can be given by the name of its service', async () => {
  const { stdout } = await nettoolInside(['connect', '127.0.0.1', 'echo', '--timeout', '1s']);
  expect(stdout).toContain('127.0.0.1:7 ');
});

testWith(
  [program('openssl')],
  "TLS: a stranger's certificate is refused, a trusted one is not, a wrong name is",
  async () => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const request = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
    ];
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    execFileSync('openssl', [...request, ...names, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    const port = await listenOn(
      createTlsServer({ key: readFileSync(key), cert: readFileSync(cert), allowHalfOpen: true }, echo),
    );
    const connect = ['connect', 'localhost', port, '--tls', '--send', 'secret', '--json'];
    const asked = async (env: Record<string, string>, args = connect) =>
      JSON.parse((await nettool(args, { env })).stdout);

    expect(await asked({})).toMatchObject({
      failure: { step: 'tls', code: 'DEPTH_ZERO_SELF_SIGNED_CERT', words: 'the certificate is self-signed' },
    });
    const trusted = await asked({ NODE_EXTRA_CA_CERTS: cert });
    expect(trusted).toMatchObject({ ok: true, tls: true, received: { text: 'secret' } });
    expect(trusted.steps[2]).toMatchObject({
      step: 'tls',
      detail: expect.stringMatching(/^TLSv1\.3 TLS_\w+, certificate of localhost by localhost until /),
    });
    const byAddress = connect.with(1, '127.0.0.1');
    expect(await asked({ NODE_EXTRA_CA_CERTS: cert }, byAddress)).toMatchObject({
      failure: { step: 'tls', code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    });
  },
);

/** A network of our own needs a user namespace, or root. */
const namespaces: Need = {
  name: 'network namespaces',
  met: spawnSync('unshare', ['--user', '--map-root-user', '--net', '--mount', 'true']).status === 0,
};

testWith(
  [namespaces, program('ip'), program('sh')],
  'filtered, unreachable and forbidden hosts, and a name with a dead and a living address',
  () => {
    // The .99 and ::99 have a neighbour entry that leads nowhere: packets leave and nothing ever comes back. For the
    // name, getaddrinfo puts the IPv6 address first (RFC 6724).
    const hosts = join(folder, 'hosts');
    writeFileSync(hosts, '2001:db8::99 two.test\n127.0.0.1 two.test\n');
    const resolvers = join(folder, 'resolv.conf');
    writeFileSync(resolvers, 'nameserver 192.0.2.99\n');
    const nettoolHere = `${nodePath} ${nettoolPath} connect`;
    const listener =
      'require("node:net").createServer((s) => s.end("alive")).listen(7, "127.0.0.1", () => console.log("listening"))';
    const script = `
      set -e
      ip link set lo up
      ip link add v0 type veth peer name v1
      ip addr add 192.0.2.1/24 dev v0
      ip link set v0 up
      ip link set v1 up
      ip addr add 2001:db8::1/64 dev v0 nodad
      ip neigh add 192.0.2.99 lladdr 02:00:00:00:00:99 dev v0
      ip neigh add 2001:db8::99 lladdr 02:00:00:00:00:99 dev v0
      ip route add unreachable 198.51.100.0/24
      ip route add prohibit 203.0.113.0/24
      mount --bind ${hosts} /etc/hosts
      mount --bind ${resolvers} /etc/resolv.conf
      : > ${folder}/listener
      ${nodePath} -e '${listener}' >> ${folder}/listener &
      trap "kill $!" EXIT
      until grep -q listening ${folder}/listener; do sleep 0.05; done
      set +e
      ${nettoolHere} 192.0.2.99 80 --timeout 200ms --json
      ${nettoolHere} 198.51.100.1 80 --json
      ${nettoolHere} 203.0.113.1 80 --json
      ${nettoolHere} 100.64.0.1 80 --json
      ${nettoolHere} two.test 7 --timeout 200ms --send "" --json
      ${nettoolHere} unknown.test 7 --timeout 200ms --json
    `;
    const { stdout, stderr } = spawnSync(
      'unshare',
      ['--user', '--map-root-user', '--net', '--mount', 'sh', '-c', script],
      { encoding: 'utf8' },
    );
    expect(stderr).toBe('');
    const [filtered, unreachable, forbidden, noRoute, twoAddresses, noNameServer] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(filtered).toMatchObject({
      failure: { step: 'connect', code: 'ETIMEDOUT', cause: expect.stringContaining('firewall drops') },
    });
    expect(unreachable.failure).toMatchObject({ step: 'connect', code: 'EHOSTUNREACH' });
    expect(forbidden.failure).toMatchObject({
      step: 'connect',
      code: 'EACCES',
      words: 'a rule forbids the connection',
    });
    expect(noNameServer.failure).toMatchObject({
      step: 'resolve',
      code: 'ETIMEDOUT',
      words: 'the name could not be looked up in time',
    });
    expect(noRoute.failure).toMatchObject({ step: 'connect', code: 'ENETUNREACH' });
    expect(twoAddresses).toMatchObject({ ok: true, failure: null, received: { text: 'alive' } });
    expect(twoAddresses.steps.map(({ step, target, error }: Record<string, unknown>) => [step, target, error])).toEqual(
      [
        ['resolve', null, null],
        ['connect', '[2001:db8::99]:7', 'ETIMEDOUT'],
        ['connect', '127.0.0.1:7', null],
        ['send', null, null],
        ['receive', null, null],
        ['close', null, null],
      ],
    );
  },
);
