import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../src/inet/address.ts';
import { parseCidr } from '../../src/inet/cidr.ts';
import { createAccessList } from '../../src/server/access.ts';
import { accessSettings } from '../../src/server/access-settings.ts';

const blocks = (...texts: string[]) =>
  texts.map((text) => {
    const parsed = parseCidr(text);
    if (!parsed.ok) throw new Error(parsed.problem);
    return parsed.value;
  });

const allows = (allow: string[], deny: string[], address: string): boolean => {
  const parsed = parseAddress(address);
  if (!parsed.ok) throw new Error(parsed.problem);
  return createAccessList({ allow: blocks(...allow), deny: blocks(...deny) }).allows(parsed.value);
};

describe('access lists', () => {
  test('without any entry everybody is let in, and nothing is looked up', () => {
    expect(createAccessList({ allow: [], deny: [] }).open).toBe(true);
    expect(allows([], [], '192.0.2.1')).toBe(true);
  });

  test.each([
    // allow, deny, address, let in
    [[], ['192.0.2.0/24'], '192.0.2.1', false],
    [[], ['192.0.2.0/24'], '198.51.100.1', true],
    [['10.0.0.0/8'], [], '10.1.2.3', true],
    [['10.0.0.0/8'], [], '11.0.0.1', false],
    [['10.0.0.0/8'], [], '2001:db8::1', false],
    [['10.0.0.0/8'], ['10.1.0.0/16'], '10.1.2.3', false],
    [['10.0.0.0/8', '10.1.2.0/24'], ['10.1.0.0/16'], '10.1.2.3', true],
    [['10.1.2.3'], ['0.0.0.0/0'], '10.1.2.3', true],
    [['10.0.0.0/8'], ['10.0.0.0/8'], '10.0.0.1', false],
    [['10.0.0.0/8'], [], '::ffff:10.1.2.3', true],
    [['2001:db8::/32'], ['2001:db8:1::/48'], '2001:db8:1::5', false],
    [['2001:db8::/32'], ['2001:db8:1::/48'], '2001:db8:2::5', true],
  ] as const)('--allow %j --deny %j: %s is let in: %s', (allow, deny, address, expected) => {
    expect(allows([...allow], [...deny], address)).toBe(expected);
  });

  test('a setting takes blocks and addresses, and refuses what says two things at once', () => {
    const { kind } = accessSettings.allow;
    expect(kind.format(kind.parse('10.0.0.0/8,2001:db8::/32,192.0.2.7') ?? [])).toBe(
      '10.0.0.0/8,2001:db8::/32,192.0.2.7/32',
    );
    for (const wrong of ['10.1.2.3/8', '10.0.0.0/33', 'localhost', '10.0.0.0/8,nonsense']) {
      expect(kind.parse(wrong), wrong).toBeUndefined();
    }
  });
});
