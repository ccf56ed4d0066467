/** `nettool resolve` against a name server of our own, so that every answer is known. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answerFor } from '../../src/nettool/resolve.ts';
import { ip } from '../inet/helpers.ts';
import { nettoolInside, nettoolJson } from './run.ts';

const TYPES = { A: 1, PTR: 12, AAAA: 28 } as const;
const RCODES = { none: 0, serverFailure: 2, nameError: 3, refused: 5 } as const;

/** What the server knows: `name type` to the data of its records; or a response code for a name. */
const RECORDS = new Map<string, readonly Buffer[]>([
  ['both.test 1', [Buffer.from(ip('192.0.2.10').bytes), Buffer.from(ip('192.0.2.11').bytes)]],
  ['both.test 28', [Buffer.from(ip('2001:db8::10').bytes)]],
  ['four.test 1', [Buffer.from(ip('192.0.2.4').bytes)]],
  ['localhost 1', [Buffer.from(ip('192.0.2.99').bytes)]],
  ['5.2.0.192.in-addr.arpa 12', [Buffer.from('\x04host\x04test\x00', 'latin1')]],
]);
const FAILURES = new Map<string, number>([
  ['broken.test', RCODES.serverFailure],
  ['refused.test', RCODES.refused],
]);

/** Answers one query (RFC 1035 section 4): the question is echoed, names in answers point at it. */
function reply(query: Buffer): Buffer {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  const name = labels.join('.').toLowerCase();
  const type = query.readUInt16BE(at + 1);
  const records = RECORDS.get(`${name} ${type}`) ?? [];
  const isKnown = Object.values(TYPES).some((each) => RECORDS.has(`${name} ${each}`));
  const rcode = FAILURES.get(name) ?? (isKnown ? RCODES.none : RCODES.nameError);
  const header = Buffer.alloc(12);
  header.writeUInt16BE(query.readUInt16BE(0), 0);
  header.writeUInt16BE(0x8180 | rcode, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  const answers = records.map((data) => {
    const fixed = Buffer.alloc(12);
    fixed.writeUInt16BE(0xc00c, 0);
    fixed.writeUInt16BE(type, 2);
    fixed.writeUInt16BE(1, 4);
    fixed.writeUInt16BE(data.length, 10);
    return Buffer.concat([fixed, data]);
  });
  return Buffer.concat([header, query.subarray(12, at + 5), ...answers]);
}

const socket = createSocket('udp4');
let server: readonly string[] = [];
beforeAll(async () => {
  socket.on('message', (query, from) => {
    if (!query.includes('silent')) socket.send(reply(query), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  server = ['--server', `127.0.0.1:${socket.address().port}`];
});
afterAll(() => void socket.close());

const resolveJson = (...args: readonly string[]) => nettoolJson(['resolve', ...args, ...server], nettoolInside);

describe('DNS', () => {
  test('all addresses of both versions, or of the one asked for', async () => {
    const [v4, v6] = [['192.0.2.10', '192.0.2.11'], ['2001:db8::10']] as const;
    expect(await resolveJson('both.test', '--dns')).toMatchObject({ addresses: [...v4, ...v6], dns: { error: null } });
    expect(await resolveJson('both.test', '--dns', '-4')).toMatchObject({ addresses: v4 });
    expect(await resolveJson('both.test', '--dns', '-6')).toMatchObject({ addresses: v6 });
  });

  test('a name without IPv6 is an answer, unless IPv6 alone is asked for', async () => {
    expect(await resolveJson('four.test', '--dns')).toMatchObject({ addresses: ['192.0.2.4'], dns: { error: null } });
    expect(await resolveJson('four.test', '--dns', '-6')).toMatchObject({ dns: { error: { code: 'ENODATA' } } });
  });

  test.each([
    ['missing.test', 'ENOTFOUND'],
    ['broken.test', 'ESERVFAIL'],
    ['refused.test', 'EREFUSED'],
    ['silent.test', 'ETIMEOUT'],
  ])('%s: %s, in words, and exit code 1', async (name, code) => {
    const { stdout, code: exitCode } = await nettoolInside(['resolve', name, '--dns', '--timeout', '300ms', ...server]);
    expect(stdout).toMatch(new RegExp(`^DNS \\(127\\.0\\.0\\.1:\\d+\\): .+ \\(${code}\\), `, 'm'));
    expect(exitCode).toBe(1);
  });

  test('the other way: the names of an address', async () => {
    expect(await resolveJson('192.0.2.5', '--dns')).toMatchObject({ addresses: ['host.test'] });
    expect(await resolveJson('192.0.2.6', '--dns')).toMatchObject({ dns: { error: { code: 'ENOTFOUND' } } });
  });
});

test('the system and DNS stand side by side with their times, and differences are named', async () => {
  const report = await resolveJson('localhost', '-4');
  expect(report).toMatchObject({
    system: { values: ['127.0.0.1'], durationMs: expect.any(Number), error: null },
    dns: { values: ['192.0.2.99'], durationMs: expect.any(Number), error: null },
    differences: [
      { value: '127.0.0.1', only: 'system' },
      { value: '192.0.2.99', only: 'dns' },
    ],
  });
  const { stdout } = await nettoolInside(['resolve', 'localhost', '-4', ...server]);
  expect(stdout).toMatch(/^127\.0\.0\.1 +loopback +system$/m);
  expect(stdout).toContain('difference: only DNS says 192.0.2.99\n');
});

test('where only one source answers there is nothing to differ from', () => {
  const { report, failed } = answerFor(
    'x.test',
    [
      { source: 'system', durationMs: 1, values: ['192.0.2.1'], error: null },
      { source: 'dns', durationMs: 1, values: [], error: { code: 'ETIMEOUT', words: 'no answer' } },
    ],
    [],
  );
  expect(report.differences).toEqual([]);
  expect(failed).toBe(false);
});
