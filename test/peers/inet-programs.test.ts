/** Differential tests of nettool's answers against the programs that administrators ask: ipcalc and getent. */
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { expect } from 'vitest';
import { formatAddress, fromInteger, parseAddress } from '../../shared/src/inet/address.ts';
import { parseAddressInBlock, subnetOf } from '../../shared/src/inet/cidr.ts';
import { findByName, findByPort, parseServices, type ServiceProtocol } from '../../shared/src/inet/service-names.ts';
import { nettoolInside, nettoolJson } from '../../shared/test/nettool/run.ts';
import { program, testWith } from '../support/programs.ts';

const run = promisify(execFile);

/** ipcalc's table as `label: value`, without its colours, columns of bits and remarks. */
function ipcalcFacts(text: string): Map<string, string> {
  const rows = text.matchAll(/^(\S+):\s+(\S+)/gm);
  return new Map([...rows].map(([, label = '', value = '']) => [label, value]));
}

testWith(
  [program('ipcalc')],
  'ipcalc: network, masks, broadcast, first and last host and count of 40 subnets',
  async () => {
    const lengths = Array.from({ length: 31 }, (_, index) => index + 1);
    const inputs = fc
      .sample(fc.tuple(fc.bigInt(0n, 2n ** 32n - 1n), fc.constantFrom(...lengths)), { seed: 791, numRuns: 9 })
      // Every length once, and then some at random.
      .concat(lengths.map((length) => [0xc000_024dn, length]))
      .map(([value, length]) => {
        const address = fromInteger(value, 4);
        return `${address.ok ? formatAddress(address.value) : ''}/${length}`;
      });
    const wrong: unknown[] = [];
    for (let index = 0; index < inputs.length; index += 4) {
      const batch = inputs.slice(index, index + 4);
      const answers = await Promise.all(batch.map((input) => run('ipcalc', ['--nobinary', '--nocolor', input])));
      for (const [offset, { stdout }] of answers.entries()) {
        const theirs = ipcalcFacts(stdout);
        const parsed = parseAddressInBlock(batch[offset] ?? '');
        if (!parsed.ok) throw new Error(parsed.problem);
        const { cidr, netmask, wildcard, broadcast, firstHost, lastHost, hostCount } = subnetOf(parsed.value.cidr);
        const ours = new Map([
          ['Netmask', formatAddress(netmask)],
          ['Wildcard', formatAddress(wildcard)],
          ['Network', `${formatAddress(cidr.network)}/${cidr.prefixLength}`],
          ['HostMin', formatAddress(firstHost)],
          ['HostMax', formatAddress(lastHost)],
          ['Hosts/Net', String(hostCount)],
          ...(broadcast === undefined ? [] : [['Broadcast', formatAddress(broadcast)] as const]),
        ]);
        for (const [label, value] of ours) {
          if (theirs.get(label) !== value)
            wrong.push({ input: batch[offset], label, value, ipcalc: theirs.get(label) });
        }
      }
    }
    expect(wrong).toEqual([]);
  },
);

testWith([program('getent')], 'getent services: the same port for every name, the same name for every port', () => {
  const entries = parseServices(readFileSync('/etc/services', 'utf8'));
  const keys = entries.flatMap(({ name, port, protocol }) => [`${name}/${protocol}`, `${port}/${protocol}`]);
  // One call takes any number of keys and answers them in order.
  const { stdout } = spawnSync('getent', ['services', ...keys], { encoding: 'utf8' });
  const theirs = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/).slice(0, 2).join(' '));
  const find = (key: string) => {
    const [what = '', protocol] = key.split('/') as [string, ServiceProtocol];
    const found = /^\d+$/.test(what)
      ? findByPort(entries, Number(what), protocol)
      : findByName(entries, what, protocol);
    return `${found?.name} ${found?.port}/${found?.protocol}`;
  };
  expect(theirs).toEqual(keys.map(find));
});

testWith([program('getent')], 'getent ahosts: nettool resolve gives the same addresses in the same order', async () => {
  for (const [database, flags] of [
    ['ahosts', []],
    ['ahostsv4', ['-4']],
  ] as const) {
    const { stdout } = spawnSync('getent', [database, 'localhost'], { encoding: 'utf8' });
    const theirs = [
      ...new Set(
        stdout
          .trim()
          .split('\n')
          .map((line) => line.split(/\s+/)[0] ?? ''),
      ),
    ];
    const { system } = (await nettoolJson(['resolve', 'localhost', ...flags, '--timeout', '100ms'], nettoolInside)) as {
      system: { values: string[] };
    };
    expect(system.values).toEqual(theirs);
    for (const text of theirs) expect(parseAddress(text).ok).toBe(true);
  }
});
