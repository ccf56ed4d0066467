/** Every verb as a user runs it: text, JSON, and what is said about wrong arguments. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { endianness, hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { nettool, nettoolInside, nettoolJson } from './run.ts';

const line = (label: string, value: string): RegExp =>
  new RegExp(`^${label} +${value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`, 'm');

interface Case {
  readonly args: readonly string[];
  readonly text: readonly (string | RegExp)[];
  readonly json: Readonly<Record<string, unknown>>;
  readonly code?: number;
}

const littleEndian = endianness() === 'LE';

const cases: readonly Case[] = [
  {
    args: ['host'],
    text: [line('host name', hostname()), /^lo\w* +127\.0\.0\.1\/8 +loopback$/m],
    json: {
      hostname: hostname(),
      primary: { ipv4: expect.anything(), ipv6: expect.anything() },
      addresses: expect.arrayContaining([
        expect.objectContaining({ address: '127.0.0.1', prefixLength: 8, network: '127.0.0.0', class: 'loopback' }),
      ]),
    },
  },
  {
    args: ['address', '127.0.0.1'],
    text: [line('packed', '7f 00 00 01'), line('integer', '2130706433  0x7f000001'), line('class', 'loopback')],
    json: {
      address: '127.0.0.1',
      hex: '7f000001',
      bytes: [127, 0, 0, 1],
      binary: '01111111000000000000000000000001',
      integer: '2130706433',
      integerLittleEndian: '16777343',
      v4Mapped: '::ffff:127.0.0.1',
      reverseName: '1.0.0.127.in-addr.arpa',
      globallyReachable: false,
    },
  },
  {
    args: ['address', '::FFFF:c000:0201'],
    text: [line('address', '::ffff:192.0.2.1'), line('carries', '192.0.2.1 (v4-mapped)')],
    json: { family: 6, address: '::ffff:192.0.2.1', embeddedIpv4: [{ scheme: 'v4-mapped', address: '192.0.2.1' }] },
  },
  {
    args: ['address', '0x7f000001'],
    text: [line('read as', 'packed hexadecimal')],
    json: { form: 'packed hexadecimal', address: '127.0.0.1' },
  },
  { args: ['address', '2130706433'], text: [line('read as', 'integer')], json: { address: '127.0.0.1' } },
  { args: ['address', '1', '-6'], text: [line('address', '::1')], json: { address: '::1', class: 'loopback' } },
  {
    args: ['address', '--legacy', '010.1'],
    text: [line('read as', 'legacy inet_aton form: 010 octal, 1 decimal')],
    json: { address: '8.0.0.1' },
  },
  {
    args: ['subnet', '192.0.2.77/26', '192.0.2.128'],
    text: [line('network', '192.0.2.64'), line('host count', '62'), '192.0.2.128 is not in 192.0.2.64/26'],
    json: {
      cidr: '192.0.2.64/26',
      netmask: '255.255.255.192',
      wildcard: '0.0.0.63',
      broadcast: '192.0.2.127',
      hostCount: '62',
      member: false,
    },
  },
  {
    args: ['subnet', '2001:db8::/64', '2001:db8::1'],
    text: [line('address count', '18446744073709551616'), '2001:db8::1 is in 2001:db8::/64'],
    json: { broadcast: null, routerAnycast: '2001:db8::', addressCount: '18446744073709551616', member: true },
  },
  {
    args: ['subnet', '192.0.2.0/31'],
    text: [line('note', 'a point-to-point link')],
    json: { firstHost: '192.0.2.0', lastHost: '192.0.2.1', hostCount: '2', broadcast: null },
  },
  {
    args: ['service', 'https/tcp'],
    text: [/^https +443\/tcp/m, '443 is a well-known port (0-1023)'],
    json: { found: [expect.objectContaining({ name: 'https', port: 443, protocol: 'tcp' })] },
  },
  {
    args: ['service', '65000'],
    text: ['no service is named for 65000', '65000 is a dynamic port'],
    json: { found: [], ports: [expect.objectContaining({ port: 65_000, class: 'dynamic' })] },
    code: 1,
  },
  {
    args: ['byte-order', '8080'],
    text: [line('network order', '1f 90'), line('swapped', '36895  0x901f')],
    json: {
      value: '8080',
      bits: 16,
      networkOrder: '1f90',
      hostOrder: littleEndian ? '901f' : '1f90',
      swapped: '36895',
      htons: littleEndian ? '36895' : '8080',
    },
  },
  {
    args: ['byte-order', '0x12345678', '--bits', '64'],
    text: [line('network order', '00 00 00 00 12 34 56 78')],
    json: { bits: 64, swappedHex: '0x7856341200000000' },
  },
  ...(['htons', 'ntohs'] as const).map((name) => ({
    args: [name, '0x1f90'],
    text: [`${name}(8080) = ${littleEndian ? 36_895 : 8_080}`],
    json: { function: name, result: littleEndian ? '36895' : '8080' },
  })),
  ...(['htonl', 'ntohl'] as const).map((name) => ({
    args: [name, '0x7f000001'],
    text: [`${name}(2130706433) = ${littleEndian ? 16_777_343 : 2_130_706_433}`],
    json: { function: name, result: littleEndian ? '16777343' : '2130706433' },
  })),
  {
    args: ['explain', 'econnrefused'],
    text: [line('means', 'the far end refused the connection'), line('who can mend it', 'the far end')],
    json: { code: 'ECONNREFUSED', calls: ['connect', 'send (UDP)'], mender: 'the far end' },
  },
  {
    args: ['explain', 'ADDRESS_IN_USE'],
    text: [line('system error', 'EADDRINUSE'), line('exit code', '1')],
    json: { code: 'ADDRESS_IN_USE', systemError: 'EADDRINUSE', mender: 'you', exitCode: 1 },
  },
  {
    args: ['explain', 'EXDEV'],
    text: [line('means', 'cross-device link not permitted')],
    json: { code: 'EXDEV', cause: null },
  },
  { args: ['explain', 'EWOULDBLOCK'], text: [line('error', 'EAGAIN')], json: { code: 'EAGAIN' } },
];

describe('every verb answers people and programs', () => {
  const checkText = async ({ args, text, code = 0 }: Case, run: typeof nettool): Promise<void> => {
    const shown = await run(args);
    expect(shown.stderr).toBe('');
    for (const part of text) expect(shown.stdout).toMatch(part);
    expect(shown.code).toBe(code);
  };
  const checkJson = async ({ args, json }: Case, run: typeof nettool): Promise<void> => {
    expect(await nettoolJson(args, run)).toMatchObject(json);
  };

  test.each(cases)('nettool $args', async (each) => {
    await checkText(each, nettoolInside);
    await checkJson(each, nettoolInside);
  });

  test('as a process of its own too: the first case of each verb', async () => {
    const first = [...Map.groupBy(cases, ({ args }) => args[0]).values()].flatMap(([one]) => one ?? []);
    // Each verb once, half of them in either form; by twos, since a machine of two cores has nothing from more.
    const runs = first.map((each, index) => () => (index % 2 === 0 ? checkText : checkJson)(each, nettool));
    for (let index = 0; index < runs.length; index += 2) {
      await Promise.all(runs.slice(index, index + 2).map((run) => run()));
    }
  });
});

describe.runIf(process.platform === 'linux')('what this host has', () => {
  test('explain takes the numbers of this system', async () => {
    expect(await nettoolJson(['explain', '111'], nettoolInside)).toMatchObject({ code: 'ECONNREFUSED', number: 111 });
    expect(await nettoolJson(['explain', '115'], nettoolInside)).toMatchObject({ code: 'EINPROGRESS', number: 115 });
    expect(await nettoolJson(['explain', '95'], nettoolInside)).toMatchObject({ code: 'ENOTSUP', number: 95 });
    expect((await nettoolInside(['explain', '98765'])).code).toBe(78);
  });

  test('sockopt shows the doubling of a request, for TCP and UDP', async () => {
    for (const transport of ['--tcp', '--udp']) {
      const args = ['sockopt', transport, '--recv-buffer', '32KiB'];
      const shown = await nettoolInside(args);
      const report = await nettoolJson(args, nettoolInside);
      expect(shown.stdout).toContain('SO_RCVBUF: asked for 32768 B, the system gives 65536 B, doubled by Linux');
      expect(report).toMatchObject({
        options: { SO_REUSEADDR: { value: 0 }, O_NONBLOCK: { value: 0 }, SO_RCVTIMEO: { value: 0 } },
        buffers: { receive: { requestedBytes: 32_768, effectiveBytes: 65_536 } },
        unavailable: null,
      });
    }
  });

  test('ports names the fleet, and with --all this very test as a listener', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as { port: number };
      const [shown, report] = await Promise.all([nettool(['ports', '--all']), nettoolJson(['ports', '--all'])]);
      expect(shown.stdout).toMatch(/^7007\/tcp +echo-tcp/m);
      expect(shown.stdout).toMatch(new RegExp(`^${port}/tcp +127\\.0\\.0\\.1 +${process.pid} `, 'm'));
      expect(report).toMatchObject({
        others: expect.arrayContaining([
          expect.objectContaining({
            port,
            address: '127.0.0.1',
            processes: [expect.objectContaining({ pid: process.pid })],
          }),
        ]),
      });
      expect((await nettoolInside(['ports'])).stdout).not.toContain(`${port}/tcp`);
    } finally {
      server.close();
    }
  });
});

describe('wrong arguments: what is wrong with which, what is expected, exit code 78', () => {
  test.each([
    [['address', '127.1'], 'ADDR: "127.1" is a legacy form that inet_aton takes for 127.0.0.1', 'expected an IPv4'],
    [['address', '7f000001'], 'ADDR: "7f000001" looks like packed bytes: write 0x7f000001', 'expected an IPv4'],
    [['address'], 'ADDR: is missing', 'expected nettool address ADDR'],
    [['address', '340282366920938463463374607431768211456'], 'out of range', '0 to 2^128-1'],
    [['subnet', '10.0.0.0/33', 'x'], 'CIDR: "10.0.0.0/33" is not a CIDR block', 'ADDR: "x" is not an IPv4 address'],
    [['service', '7/sctp'], 'NAME|PORT: "7/sctp" is not a service', 'tcp or udp is expected'],
    [['byte-order', '017'], 'VALUE: "017" is not an unsigned integer', 'decimal, or 0x'],
    [['byte-order', '70000', '--bits', '16'], 'VALUE: 70000 does not fit in 16 bits', '0 to 65535'],
    [['byte-order', '1', '--bits', '8'], 'bits: "8" is not allowed (flag --bits)', 'one of auto, 16, 32, 64'],
    [['htons', '65536'], 'VALUE: "65536" does not fit in 16 bits', '0 to 65535'],
    [['sockopt', '--tcp', '--udp'], '--tcp --udp: are both given', 'choose one'],
    [['sockopt', '--recv-buffer', '65536'], 'recv-buffer: "65536" is not allowed', 'with its unit'],
    [['explain', 'ECONREFUSED'], '"ECONREFUSED" is no error of this system', 'did you mean ECONNREFUSED?'],
    [['resolve', '-4', '-6', 'x'], '-4 -6: are both given', 'choose one'],
    [['resolve', '1.2.3'], 'NAME|ADDRESS: "1.2.3" is not a host name', 'looks like an IPv4 address'],
    [['resolve', 'x', '--server', 'ns'], 'server: "ns" is not allowed', 'ADDRESS:PORT'],
    [['connect', 'h'], 'PORT: is missing', 'expected connect HOST PORT'],
    [['connect', 'a b', '70000'], 'HOST: "a b" is not a host name', 'PORT: "70000" is not a port'],
    [['connect', 'h', '7', '--udp'], '--udp: needs --send', 'nothing that a UDP peer could answer'],
    [['connect', 'h', '7', '--udp', '--tls', '--send', ''], '--udp --tls: are both given', 'choose one'],
    [['connect', '::1', 'nosuch'], 'PORT: "nosuch" is no tcp service', 'give the number'],
    [['adress', '::1'], '"adress": is not understood', 'did you mean address?'],
  ])('nettool %j', async (args, ...said) => {
    const { code, stdout, stderr } = await nettoolInside(args);
    for (const part of said) expect(stderr).toContain(part);
    expect(stdout).toBe('');
    expect(code).toBe(78);
  });
});

test('the exit code of wrong usage is that of the process', async () => {
  const { code, stdout, stderr } = await nettool(['address', '127.1']);
  expect([code, stdout]).toEqual([78, '']);
  expect(stderr).toMatch(/^nettool: ADDR: .*\n$/);
});
