/** README.md: a newcomer's session, played from the first command to the last with a fleet of its own. */
import { readFile, rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { nodePath, repository } from './support/daemon.ts';
import { serviceNames, TestFleet } from './support/fleet.ts';
import { program, testWith } from './support/programs.ts';
import { binFolder, isAsShown, readSessions, runSession } from './support/sessions.ts';

const sessions = readSessions(await readFile(`${repository}README.md`, 'utf8'));

/** The ports that the README shows, and whose they are; both echo services have one number, over TCP and over UDP. */
const shownPorts = [
  ['echo-tcp', '7007'],
  ['udp-echo', '7007'],
  ['time-stream-tcp', '7037'],
  ['file-server', '7021'],
] as const;

const PATIENCE_MS = 120_000;

describe('README.md', { timeout: PATIENCE_MS }, () => {
  let fleet: TestFleet;
  const bins = binFolder(['fleet', 'echo-tcp', 'nettool']);
  beforeAll(async () => {
    fleet = await TestFleet.create();
  });
  afterAll(async () => {
    await fleet[Symbol.asyncDispose]();
    await rm(bins, { recursive: true });
  });

  /** A script of the root is `fleet NAME` (test/fleet.test.ts holds that), without pnpm's own start-up. */
  const here = (command: string): string =>
    command
      .replace(/^npx pnpm@12 (start|stop|reload|status|preflight)$/, 'fleet $1')
      .replace(/^npx pnpm@12 (?=echo-tcp |nettool )/, '')
      .replaceAll('7007', String(fleet.port(/^nc -u|udp/.test(command) ? 'udp-echo' : 'echo-tcp')))
      .replaceAll('7021', String(fleet.port('file-server')))
      .replaceAll('7037', String(fleet.port('time-stream-tcp')))
      .replaceAll('logs/', `${fleet.state}/logs/`)
      .replace(/^npx pnpm@12 logs/, `${nodePath} ${repository}shared/src/logs/bin.js`);
  const there = (printed: string): string =>
    shownPorts.reduce((text, [service, shown]) => text.replaceAll(String(fleet.port(service)), shown), printed);

  test('has the session', () => expect(sessions.length).toBeGreaterThan(3));

  for (const session of sessions) {
    const { line, exchanges } = session;
    testWith(['bash', 'nc', 'socat', 'tail'].map(program), `line ${line}: ${exchanges[0]?.command}`, async () => {
      const check = async (): Promise<void> => {
        const printed = await runSession(session, bins, here, fleet.environment());
        for (const [index, { command, output }] of exchanges.entries()) {
          const text = there(printed[index] ?? 'nothing: the session ended before it\n');
          if (!isAsShown(output, text)) expect(`$ ${command}\n${text}`).toBe(`$ ${command}\n${output.join('\n')}\n`);
        }
      };
      // A record goes through pm2 on its way to the file: it may be there a moment after its connection's end.
      if (/^(?:tail|npx pnpm@12 logs) /.test(exchanges[0]?.command ?? '')) await vi.waitFor(check, { timeout: 10_000 });
      else await check();
    });
  }

  test('ends with nothing left running', async () => {
    expect(await fleet.processes()).toEqual(new Map());
  });
});

test('every file and every root script that the README names is there', async () => {
  const text = await readFile(`${repository}README.md`, 'utf8');
  const { scripts } = JSON.parse(await readFile(`${repository}package.json`, 'utf8')) as { scripts: object };
  const bins = [...(await serviceNames()), 'nettool'];
  for (const [, name = ''] of text.matchAll(/npx pnpm@12 ([a-z-]+)/g)) {
    expect([...Object.keys(scripts), ...bins], `npx pnpm@12 ${name}`).toContain(name);
  }
});
