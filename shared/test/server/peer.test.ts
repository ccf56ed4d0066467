import { describe, expect, test } from 'vitest';
import { formatEndpoint, unmapAddress } from '../../src/server/peer.ts';

describe('addresses in records', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1:80'],
    ['::ffff:192.0.2.1', '192.0.2.1:80'],
    ['2001:db8::1', '[2001:db8::1]:80'],
    ['fe80::1%eth0', '[fe80::1%eth0]:80'],
    // Not a v4-mapped address, though it starts like one.
    ['::ffff:1', '[::ffff:1]:80'],
  ])('%s is shown as %s', (address, endpoint) => {
    expect(formatEndpoint(address, 80)).toBe(endpoint);
  });

  test('only a v4-mapped address is changed', () => {
    expect(unmapAddress('::ffff:192.0.2.1')).toBe('192.0.2.1');
    expect(unmapAddress('::1')).toBe('::1');
  });
});
