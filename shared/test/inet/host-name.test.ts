import { expect, test } from 'vitest';
import { parseHostName } from '../../src/inet/host-name.ts';
import { problem, value } from './helpers.ts';

test.each([
  ['localhost', 'localhost'],
  ['example.org.', 'example.org.'],
  ['_ntp._udp.example.org', '_ntp._udp.example.org'],
  ['3com.example', '3com.example'],
  ['bücher.example', 'xn--bcher-kva.example'],
])('%s is carried as %s', (text, carried) => {
  expect(value(parseHostName(text))).toBe(carried);
});

test.each([
  ['', 'labels of 1 to 63'],
  ['.', 'labels of 1 to 63'],
  ['a..b', 'labels of 1 to 63'],
  [`${'x'.repeat(64)}.org`, 'labels of 1 to 63'],
  [`${'x.'.repeat(127)}xx`, 'at most 253'],
  ['a b', 'labels of 1 to 63'],
  ['a/b', 'labels of 1 to 63'],
  ['a\nb', 'labels of 1 to 63'],
  ['127.1', 'looks like an IPv4 address'],
  ['0x7f000001', 'looks like an IPv4 address'],
  ['256.0.0.1', 'looks like an IPv4 address'],
  ['1::2::3', 'looks like an IPv6 address'],
])('%j is refused and the sentence says why', (text, why) => {
  expect(problem(parseHostName(text))).toContain(why);
});

test('a text of any length is refused at once', () => {
  expect(problem(parseHostName('x'.repeat(1e6))).length).toBeLessThan(200);
});
