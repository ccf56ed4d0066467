/** docs/course.md and docs/nettool.md: every session is run, and every piece of source they point at is there. */
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { afterAll, describe, expect, test } from 'vitest';
import { repository, startDaemon } from './support/daemon.ts';
import { program, testWith } from './support/programs.ts';
import { binFolder, isAsShown, readSessions, runSession, type Session } from './support/sessions.ts';
import { chrony, startChrony } from './support/time-servers.ts';

const folder = binFolder(['nettool', 'udp-echo', 'time-stream-tcp', 'sntp-client', 'file-server']);
afterAll(() => rmSync(folder, { recursive: true }));

/** Stops what was started. */
type Stop = () => Promise<unknown> | unknown;

/** What a session can need beside it: the port its text shows, and how to start it on a free one. */
const companions: Readonly<
  Record<string, { shownPort: number; start(args: readonly string[]): Promise<{ port: number; stop: Stop }> }>
> = {
  'echo-tcp': {
    shownPort: 7007,
    start: async (args) => {
      const daemon = await startDaemon('echo-tcp', args);
      return { port: daemon.port, stop: () => daemon.stop('SIGKILL') };
    },
  },
  'udp-echo': {
    shownPort: 7007,
    start: async (args) => {
      const daemon = await startDaemon('udp-echo', args);
      return { port: daemon.port, stop: () => daemon.stop('SIGKILL') };
    },
  },
  'time-stream-tcp': {
    shownPort: 7037,
    start: async (args) => {
      const daemon = await startDaemon('time-stream-tcp', args);
      return { port: daemon.port, stop: () => daemon.stop('SIGKILL') };
    },
  },
  'file-server': {
    shownPort: 7021,
    start: async (args) => {
      const daemon = await startDaemon('file-server', args);
      return { port: daemon.port, stop: () => daemon.stop('SIGKILL') };
    },
  },
  chrony: {
    shownPort: 11_123,
    start: async () => {
      const server = await startChrony();
      return { port: server.port, stop: () => server[Symbol.asyncDispose]() };
    },
  },
  /** A server that takes connections and says nothing. */
  silent: {
    shownPort: 7999,
    start: async () => {
      const sockets: Socket[] = [];
      const server = createServer({ allowHalfOpen: true }, (socket) => void sockets.push(socket.resume()));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const stop = () => {
        for (const socket of sockets) socket.destroy();
        server.close();
      };
      return { port: (server.address() as { port: number }).port, stop };
    },
  },
};

async function run(session: Session): Promise<readonly string[]> {
  const [name, ...args] = session.needs;
  if (name === undefined) return runSession(session, folder, (text) => text);
  const companion = companions[name];
  if (companion === undefined) throw new Error(`nothing called ${name} can run beside a session`);
  const { shownPort, start } = companion;
  const { port, stop } = await start(args);
  try {
    const printed = await runSession(session, folder, (text) => text.replaceAll(String(shownPort), String(port)));
    return printed.map((text) => text.replaceAll(String(port), String(shownPort)));
  } finally {
    await stop();
  }
}

describe.each(['docs/course.md', 'docs/nettool.md'])('%s', (page) => {
  const text = readFileSync(`${repository}${page}`, 'utf8');
  const needs = ['bash', 'nc', 'head'].map(program);

  for (const session of readSessions(text)) {
    const [first] = session.exchanges;
    testWith(
      session.needs.includes('chrony') ? [...needs, ...chrony] : needs,
      `line ${session.line}: ${first?.command}`,
      async () => {
        const printed = await run(session);
        expect(printed).toHaveLength(session.exchanges.length);
        for (const [index, { command, output }] of session.exchanges.entries()) {
          if (isAsShown(output, printed[index] ?? '')) continue;
          expect(`$ ${command}\n${printed[index]}`).toBe(`$ ${command}\n${output.join('\n')}\n`);
        }
      },
    );
  }

  test('the source it points at is there', () => {
    const pieces = [...text.matchAll(/^Source: ([\s\S]*?)\n\n/gm)].map(([, piece = '']) => piece);
    for (const piece of pieces) {
      const files = [...piece.matchAll(/\]\(\.\.\/([^)]+)\)/g)].map(([, path = '']) => `${repository}${path}`);
      for (const path of files) expect(existsSync(path), path).toBe(true);
      const source = files.map((path) => readFileSync(path, 'utf8')).join('\n');
      for (const [, name = ''] of piece.matchAll(/`([^`]+)`/g)) expect(source).toContain(name);
    }
  });
});

describe('comparing a session', () => {
  test.each([
    [['a  0.42 ms  b'], 'a 17 ms b\n', true],
    [['from 127.0.0.1:1'], 'from 127.0.0.1:40000\n', true],
    [['name ...'], 'name anything at all\n', true],
    [['a', '...', 'b'], 'a\nx\ny\nb\n', true],
    [['a', '...'], 'a\n', true],
    [['a'], 'a\nb\n', false],
    [['a', 'b'], 'a\n', false],
    [['5 bytes'], '6 bytes\n', false],
    [['.'], 'x\n', false],
    [[], '', true],
    [[], 'x\n', false],
  ])('%j and %j: %s', (shown, printed, expected) => {
    expect(isAsShown(shown, printed)).toBe(expected);
  });
});
