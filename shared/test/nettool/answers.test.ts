/** Answers where a system lacks something, and the tables that verbs and documents are made from. */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { describe, expect, test } from 'vitest';
import { repository } from '../../../test/support/daemon.ts';
import { errorKinds } from '../../src/errors.ts';
import { BUNDLED_SERVICES } from '../../src/inet/service-names.ts';
import { explanations, synonyms, systemErrorOf } from '../../src/nettool/error-table.ts';
import { answerFor as portsAnswer } from '../../src/nettool/ports.ts';
import { answerFor as serviceAnswer } from '../../src/nettool/service.ts';
import { verbs } from '../../src/nettool/verbs.ts';
import { ip } from '../inet/helpers.ts';
import { nettool, nettoolInside } from './run.ts';

describe.runIf(process.platform === 'linux')('without native calls', () => {
  const env = { NODE_OPTIONS: '--no-experimental-ffi' };

  test('sockopt says why it cannot read the options, and fails only when something was asked of it', async () => {
    const [plain, asked] = await Promise.all([
      nettool(['sockopt'], { env }),
      nettool(['sockopt', '--recv-buffer', '64KiB', '--json'], { env }),
    ]);
    expect(plain.stdout).toMatch(/^options cannot be read: this Node has no node:ffi/);
    expect([plain.code, asked.code]).toEqual([0, 1]);
    expect(JSON.parse(asked.stdout)).toMatchObject({
      options: {},
      buffers: { available: false, gap: 'ffi-off', request: { receiveBufferBytes: 65_536 } },
    });
  });

  test('sockopt still sets the buffers of UDP', async () => {
    const { stdout, code } = await nettool(['sockopt', '--udp', '--send-buffer', '32KiB', '--json'], { env });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      buffers: { available: true, send: { requestedBytes: 32_768, effectiveBytes: 65_536, limitedBy: null } },
    });
  });
});

test('a system without /etc/services is answered from the bundled list, which is named', () => {
  const answer = serviceAnswer('echo', { name: 'echo', protocols: ['tcp', 'udp'] }, BUNDLED_SERVICES, 'bundled list');
  expect(answer.text).toContain('source: bundled list\n');
  expect(answer.report).toMatchObject({
    found: [
      { protocol: 'tcp', port: 7 },
      { protocol: 'udp', port: 7 },
    ],
  });
});

test('a system without /proc has no listeners to show, and is told what to run instead', () => {
  const { failed, text } = portsAnswer(undefined, false);
  expect(failed).toBe(true);
  expect(text).toContain('lsof');
});

test("a listener of another user is shown without its process, and a fleet port is the fleet's", () => {
  const listener = { transport: 'tcp', uid: 1, inode: 7, holders: [] } as const;
  const { report } = portsAnswer(
    [
      { ...listener, address: ip('127.0.0.1'), port: 22 },
      { ...listener, address: ip('127.0.0.1'), port: 7007 },
      { ...listener, address: ip('::'), port: 9999 },
    ],
    false,
  );
  expect(report).toMatchObject({
    fleet: expect.arrayContaining([expect.objectContaining({ service: 'echo-tcp', listeners: [expect.anything()] })]),
    others: [{ port: 22, processes: [] }],
  });
});

describe('the table of errors', () => {
  test('every row says everything in sentences', () => {
    for (const { code, words, calls, cause, next } of explanations.values()) {
      expect(words, code).toMatch(/^[a-z][^.]*$/);
      expect(calls.length, code).toBeGreaterThan(0);
      expect(cause, code).toMatch(/^[A-Z].*[.]$/);
      expect(next, code).toMatch(/^\S.*[.]$/);
    }
  });

  test('its errnos are those of a system, spelled right', () => {
    const known = new Set([
      ...Object.keys(constants.errno),
      ...[...getSystemErrorMap().values()].map(([name]) => name),
    ]);
    const own = /^(?:EAI_|ERR_|[A-Z]+_[A-Z_]+$)/;
    // Errors of c-ares, which asks DNS for Node, have names of their own.
    const dns = [
      'ENOTFOUND',
      'ENODATA',
      'ESERVFAIL',
      'EREFUSED',
      'EFORMERR',
      'ENOTIMP',
      'EBADRESP',
      'EBADNAME',
      'ETIMEOUT',
    ];
    const strange = [...explanations.keys()].filter(
      (code) => !own.test(code) && !known.has(code) && !dns.includes(code),
    );
    expect(strange).toEqual([]);
  });

  test('synonyms and codes of this project lead to rows, and menders agree', () => {
    for (const code of Object.values(synonyms)) expect(explanations.has(code), code).toBe(true);
    for (const [own, code] of Object.entries(systemErrorOf)) {
      expect(explanations.get(code)?.mender, own).toBe(errorKinds[own as keyof typeof errorKinds].mender);
    }
  });
});

test('the manual lists every verb', () => {
  const manual = readFileSync(`${repository}docs/nettool.md`, 'utf8');
  for (const { name } of verbs) expect(manual).toContain(`\`${name}`);
});

test('every verb has an example, and every example is a command line of a verb', async () => {
  for (const { name, examples } of verbs) {
    expect(examples.length, name).toBeGreaterThan(0);
    for (const [line] of examples) expect(line).toMatch(new RegExp(`^nettool ${name}\\b`));
  }
  // Those that need no network are run.
  const local = verbs
    .flatMap(({ examples }) => examples.map(([line]) => line))
    .filter((line) => !/resolve|connect/.test(line));
  for (const line of local) {
    const { code, stderr } = await nettoolInside(line.split(' ').slice(1));
    expect([line, stderr, code]).toEqual([line, '', 0]);
  }
});
