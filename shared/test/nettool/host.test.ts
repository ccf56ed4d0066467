/** `nettool host` in networks of our own: which address would a packet to the internet leave from? */
import { spawnSync } from 'node:child_process';
import { expect } from 'vitest';
import { nodePath } from '../../../test/support/daemon.ts';
import { type Need, program, testWith } from '../../../test/support/programs.ts';
import { nettoolPath } from './run.ts';

const namespaces: Need = {
  name: 'network namespaces',
  met: spawnSync('unshare', ['--user', '--map-root-user', '--net', 'true']).status === 0,
};

testWith(
  [namespaces, program('ip'), program('sh')],
  'the primary address is that of the default route, and without a route there is none',
  () => {
    const host = `${nodePath} ${nettoolPath} host --json`;
    // Of two addresses the one that the route names counts, though it is not the first.
    const script = `
      set -e
      ip link set lo up
      ${host}
      ip link add v0 type veth peer name v1
      ip addr add 198.51.100.1/24 dev v0
      ip addr add 198.51.100.2/24 dev v0
      ip addr add fd00::2/64 dev v0 nodad
      ip link set v0 up
      ip link set v1 up
      ip route add default via 198.51.100.254 dev v0 src 198.51.100.2
      ip route add default via fd00::fe dev v0
      ${host}
    `;
    const { stdout, stderr } = spawnSync('unshare', ['--user', '--map-root-user', '--net', 'sh', '-c', script], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    const [alone, connected] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const none = { address: null, reason: 'no route to the internet (ENETUNREACH)' };
    expect(alone.primary).toEqual({ ipv4: none, ipv6: none });
    expect(connected.primary).toEqual({
      ipv4: { address: '198.51.100.2', reason: null },
      ipv6: { address: 'fd00::2', reason: null },
    });
    expect(connected.addresses).toContainEqual({
      interface: 'v0',
      family: 4,
      address: '198.51.100.2',
      prefixLength: 24,
      network: '198.51.100.0',
      class: 'documentation',
      mac: expect.stringMatching(/^[0-9a-f:]{17}$/),
      internal: false,
    });
  },
);
