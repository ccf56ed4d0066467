/** The client against real servers: chrony with and without NTS, one that lies, one in 2050, ntpsec that kisses. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { Daemon, nodePath, repository, runProgram } from '../support/daemon.ts';
import { findProgram, type Need, program, testWith } from '../support/programs.ts';
import { chrony, faketime, makeCertificate, startChrony } from '../support/time-servers.ts';

/** Requests to servers of our own may follow one another quickly. */
const quick = ['--interval', '5ms', '--timeout', '2s', '--json'];

interface Report {
  readonly time?: string;
  readonly offsetSeconds?: number;
  readonly boundSeconds?: number;
  readonly error?: string;
  readonly servers: readonly {
    readonly server: string;
    readonly verdict: string;
    readonly detail: string;
    readonly offsetSeconds?: number;
  }[];
}

async function query(...args: readonly string[]): Promise<{ code: number | null; report: Report }> {
  const { code, stdout, stderr } = await runProgram('sntp-client', ['query', ...quick, ...args]);
  if (stdout === '') throw new Error(`no report: ${stderr}`);
  return { code, report: JSON.parse(stdout) as Report };
}

testWith(chrony, 'chrony: the offset of our own clock is nothing, within the bound', async () => {
  await using server = await startChrony();
  const { code, report } = await query(`127.0.0.1:${server.port}`);
  expect(code).toBe(0);
  expect(report.servers[0]).toMatchObject({ verdict: 'accepted' });
  expect(Math.abs(report.offsetSeconds ?? 9)).toBeLessThanOrEqual(report.boundSeconds ?? 0);
});

testWith(
  [...chrony, program('openssl')],
  'chrony with NTS: keys, cookies, authenticated time; the wrong trust gives none',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sntp-nts-'));
    try {
      const certificate = await makeCertificate(folder);
      await using server = await startChrony({ certificate });
      const name = `nts://localhost:${server.ntsPort}`;
      const trusted = await query(name, '--nts-ca', certificate.certificateFile, '--samples', '12');
      expect(trusted.report.servers[0]).toMatchObject({ verdict: 'accepted' });
      expect(Math.abs(trusted.report.offsetSeconds ?? 9)).toBeLessThanOrEqual(trusted.report.boundSeconds ?? 0);

      const byAddress = await query(`nts://127.0.0.1:${server.ntsPort}`, '--nts-ca', certificate.certificateFile);
      expect(byAddress.code).toBe(0);

      const untrusted = await query(name);
      expect(untrusted.code).toBe(1);
      expect(untrusted.report.servers[0]).toMatchObject({ verdict: 'key exchange failed: certificate' });

      // The time port speaks no TLS, and nothing listens there by TCP: NTS was asked for, so nothing else is.
      const noNts = await query(`127.0.0.1:${server.port}`, '--nts');
      expect(noNts.report.servers[0]).toMatchObject({ verdict: 'key exchange failed: refused' });
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);

testWith(
  [...chrony, faketime],
  'a chrony that is 5 s ahead is the falseticker among three that are right',
  async () => {
    await using one = await startChrony();
    await using two = await startChrony();
    await using three = await startChrony();
    await using liar = await startChrony({ faketime: '+5s' });
    const { code, report } = await query(...[one, liar, two, three].map(({ port }) => `127.0.0.1:${port}`));
    expect(code).toBe(0);
    expect(report.servers.map(({ verdict }) => verdict)).toEqual(['accepted', 'falseticker', 'accepted', 'accepted']);
    expect(report.servers[1]?.offsetSeconds).toBeGreaterThan(4);
    expect(Math.abs(report.offsetSeconds ?? 9)).toBeLessThanOrEqual(report.boundSeconds ?? 0);

    const alone = await query(`127.0.0.1:${one.port}`, `127.0.0.1:${liar.port}`);
    expect(alone.code).toBe(1);
    expect(alone.report.error).toContain('no majority');

    const limited = await query(`127.0.0.1:${liar.port}`, '--max-offset', '1s');
    expect(limited.code).toBe(2);
  },
);

testWith([...chrony, faketime], 'a chrony in the year 2050 is in 2050, not in 1914', async () => {
  await using server = await startChrony({ faketime: '@2050-06-01 12:00:00' });
  const { code, report } = await query(`127.0.0.1:${server.port}`);
  expect(code).toBe(0);
  expect(report.time).toMatch(/^2050-06-01T1[12]:/);
});

testWith(chrony, 'a chrony without a source is unsynchronised, one that serves nobody is refused', async () => {
  await using unset = await startChrony({ synchronised: false });
  await using closed = await startChrony({ allowed: false });
  const { code, report } = await query(`127.0.0.1:${unset.port}`, `127.0.0.1:${closed.port}`);
  expect(code).toBe(1);
  expect(report.servers.map(({ verdict }) => verdict)).toEqual(['unsynchronised', 'refused']);
  expect(report).not.toHaveProperty('time');
});

testWith(chrony, 'the daemon polls chrony with a burst, logs it, and remembers it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sntp-watch-'));
  await using server = await startChrony();
  const name = `ntp://127.0.0.1:${server.port}`;
  const args = ['watch', '--servers', name, '--state-file', join(folder, 'state.json'), '--admin-socket', 'off'];
  {
    await using daemon = new Daemon('sntp-client', args);
    const clock = await daemon.record('clock');
    expect(clock).toMatchObject({ result: 'selected', truechimers: [name], leftOut: [] });
    expect(Math.abs(Number(clock.offsetMs))).toBeLessThanOrEqual(Number(clock.boundMs));
    expect(daemon.records.filter(({ event }) => event === 'poll')).toHaveLength(4);
    expect(await daemon.stop()).toMatchObject({ code: 0 });
  }
  // Started again at once, it asks the server that is new to it and not the one that it asked before.
  const other = `ntp://localhost:${server.port}`;
  await using again = new Daemon('sntp-client', [...args, '--servers', `${name},${other}`].toSpliced(1, 2));
  await again.record('poll', 4, ({ server: asked }) => asked === other);
  expect(await again.stop()).toMatchObject({ code: 0 });
  expect(again.records.filter(({ event, server: asked }) => event === 'poll' && asked === name)).toHaveLength(0);
  await rm(folder, { recursive: true });
});

const namespaces: Need = { name: 'unshare -rn', met: await canUnshare() };

async function canUnshare(): Promise<boolean> {
  return promisify(execFile)('unshare', ['-rn', 'true']).then(
    () => true,
    () => false,
  );
}

testWith(
  [program('ntpd'), program('ip'), program('unshare'), namespaces],
  'ntpsec in a network of its own: its genuine RATE is understood',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sntp-ntpsec-'));
    await writeFile(
      join(folder, 'ntp.conf'),
      'refclock local stratum 5\nrestrict default limited kod\nrestrict 127.0.0.1 limited kod\n',
    );
    const client = `${nodePath} ${repository}test/support/ask-often.ts 127.0.0.1 123 120 25`;
    const script = [
      'ip link set lo up',
      `${findProgram('ntpd')} -n -c ${folder}/ntp.conf >/dev/null 2>&1 & server=$!`,
      // A server that ended is not waited for.
      'until grep -q ":007B" /proc/net/udp; do kill -0 $server || exit 1; sleep 0.02; done',
      client,
      'kill $server',
      'wait $server 2>/dev/null',
      'true',
    ];
    const { stdout } = await promisify(execFile)('unshare', ['-rn', 'bash', '-c', script.join('\n')]);
    const verdicts = JSON.parse(stdout) as readonly { result: string; reason?: string }[];
    expect(verdicts).toHaveLength(120);
    expect(verdicts.filter(({ result, reason }) => result === 'kiss' && reason === 'RATE').length).toBeGreaterThan(0);
    await rm(folder, { recursive: true });
  },
  60_000,
);
