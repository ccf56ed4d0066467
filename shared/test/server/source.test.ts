import { expect, test } from 'vitest';
import { sourceOf } from '../../src/server/source.ts';

test.each([
  ['192.0.2.1', '192.0.2.1', 'an IPv4 address is a source of its own'],
  ['::ffff:192.0.2.1', '192.0.2.1', 'seen through a dual-stack socket it is the same one'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64', 'an IPv6 address stands for its /64'],
  ['2001:db8:1:2::', '2001:db8:1:2::/64', 'also the first one'],
  ['fd00::1', 'fd00::/64', 'unique local addresses too'],
  ['::1', '::1', 'the machine itself is one'],
  ['fe80::1%eth0', 'fe80::1%eth0', 'on a link all hosts share a /64: each is one'],
  ['febf::1', 'febf::1', 'to the end of fe80::/10'],
  ['fec0::1', 'fec0::/64', 'and no further'],
])('%s: %s (%s)', (address, source) => expect(sourceOf(address)).toBe(source));
