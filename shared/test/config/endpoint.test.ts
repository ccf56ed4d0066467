import { describe, expect, test } from 'vitest';
import { endpointProblem, formatHostPort, parseEndpoint } from '../../src/config/endpoint.ts';
import { formatProblem } from '../../src/config/problems.ts';

describe('HOST:PORT', () => {
  test.each([
    ['127.0.0.1:7007', '127.0.0.1', 7007],
    ['localhost:1', 'localhost', 1],
    ['[::1]:65535', '::1', 65_535],
    ['[fe80::1%eth0]:7', 'fe80::1%eth0', 7],
    ['[::ffff:10.0.0.1]:7', '::ffff:10.0.0.1', 7],
    ['bücher.example:7', 'bücher.example', 7],
  ])('%s', (text, host, port) => {
    expect(parseEndpoint(text)).toEqual({ host, port });
    expect(formatHostPort({ host, port })).toBe(text);
  });

  test.each([
    '',
    ':',
    '7007',
    'localhost',
    'localhost:',
    ':7007',
    'a:0',
    'a:65536',
    'a:07',
    'a:-1',
    'a:7x',
    '::1:7007',
    '[::1]',
    '[::1]7',
    'a b:7',
    'a:7 ',
    'a\n:7',
    '\u202ea:7',
    '\u0000:7',
    '[a]:7',
    'a:7:7',
  ])('%j is refused with what is expected', (text) => {
    expect(parseEndpoint(text)).toBeUndefined();
    expect(formatProblem(endpointProblem(text))).toMatch(
      /^HOST:PORT: ".*" is not allowed \(command line\); expected HOST:PORT/,
    );
  });
});
