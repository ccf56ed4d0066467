import { describe, expect, test } from 'vitest';
import {
  BUNDLED_SERVICES,
  findByName,
  findByPort,
  parseServiceQuery,
  parseServices,
  portClassOf,
} from '../../src/inet/service-names.ts';
import { problem, value } from './helpers.ts';

const TEXT = `# comment
echo\t\t7/tcp
echo 7/udp   # with a comment
discard  9/tcp  sink null
http 80/tcp www # WorldWideWeb
http 80/sctp
alt 80/tcp
broken
bad x/tcp
huge 65536/tcp
no-newline 65535/tcp`;

test('/etc/services is read line by line; other protocols and broken lines are passed over', () => {
  const entries = parseServices(TEXT);
  expect(entries.map(({ name, port, protocol }) => `${name} ${port}/${protocol}`)).toEqual([
    'echo 7/tcp',
    'echo 7/udp',
    'discard 9/tcp',
    'http 80/tcp',
    'alt 80/tcp',
    'no-newline 65535/tcp',
  ]);
  expect(entries.map(({ aliases }) => aliases)).toEqual([[], [], ['sink', 'null'], ['www'], [], []]);
});

test('look-ups take the first entry, aliases count, case counts', () => {
  const entries = parseServices(TEXT);
  expect(findByName(entries, 'null', 'tcp')?.name).toBe('discard');
  expect(findByName(entries, 'NULL', 'tcp')).toBeUndefined();
  expect(findByName(entries, 'discard', 'udp')).toBeUndefined();
  expect(findByPort(entries, 80, 'tcp')?.name).toBe('http');
  expect(findByPort(entries, 81, 'tcp')).toBeUndefined();
});

test('ports have the classes of RFC 6335', () => {
  expect([0, 1023, 1024, 49_151, 49_152, 65_535].map(portClassOf)).toEqual([
    'well-known',
    'well-known',
    'registered',
    'registered',
    'dynamic',
    'dynamic',
  ]);
  expect(() => portClassOf(65_536)).toThrow(RangeError);
  expect(() => portClassOf(-1)).toThrow(RangeError);
  expect(() => portClassOf(1.5)).toThrow(RangeError);
});

describe('a query', () => {
  test('is a name or a port, for one protocol or both', () => {
    expect(value(parseServiceQuery('echo'))).toEqual({ name: 'echo', protocols: ['tcp', 'udp'] });
    expect(value(parseServiceQuery('7/udp'))).toEqual({ port: 7, protocols: ['udp'] });
    expect(value(parseServiceQuery('ms-wbt-server/tcp'))).toEqual({ name: 'ms-wbt-server', protocols: ['tcp'] });
  });

  test.each([
    ['', 'a name such as'],
    ['/tcp', 'a name such as'],
    ['echo/sctp', 'tcp or udp'],
    ['7/', 'tcp or udp'],
    ['65536', '0 to 65535'],
    ['a b', 'a name such as'],
  ])('%j is refused and the sentence says why', (text, why) => {
    expect(problem(parseServiceQuery(text))).toContain(why);
  });
});

test('the bundled list holds the services a newcomer asks for', () => {
  for (const [name, port] of [
    ['echo', 7],
    ['time', 37],
    ['http', 80],
    ['https', 443],
    ['ssh', 22],
  ] as const) {
    expect(findByName(BUNDLED_SERVICES, name, 'tcp')?.port).toBe(port);
  }
  expect(findByName(BUNDLED_SERVICES, 'ntp', 'udp')?.port).toBe(123);
});
