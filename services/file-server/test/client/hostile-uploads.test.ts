/** A server that lies about what it was sent: no upload is called done that is not. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { seededBytes } from '../../../../test/support/splits.ts';
import { put } from './harness.ts';
import { entryFields, type Script, startScripted } from './scripted-server.ts';

let home: string;
const LARGE_BYTES = 400_000;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'small-servers-'));
  vi.stubEnv('XDG_STATE_HOME', join(home, 'state'));
  await writeFile(join(home, 'small'), 'hello');
  await writeFile(join(home, 'large'), seededBytes(LARGE_BYTES, 1));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(home, { recursive: true });
});

const flags = { retries: '1', timeout: '300ms' };
const id = 'a'.repeat(32);

/** Answers a PUT with SEND at once, and with `stored` when all of the payload has come. */
function storing(sizeBytes: number, stored: string): Script {
  return (line, socket) => {
    // Behind a payload without LF the line is not alone.
    if (!line.startsWith('PUT')) return line.endsWith('DEL f if=e1') ? 'OK\r\n' : undefined;
    if (sizeBytes <= 65_536) return `SEND 0 id=${id}\r\n${stored}`;
    const before = socket.bytesRead;
    const wait = (): void => {
      if (socket.bytesRead - before >= sizeBytes - 65_536) socket.write(stored);
      else setImmediate(wait);
    };
    wait();
    return `SEND 0 id=${id}\r\n`;
  };
}

describe('an upload', () => {
  test.each([
    ['small', 5],
    ['large', LARGE_BYTES],
  ])('of which less was stored is no success (%s)', async (local, size) => {
    await using server = await startScripted(storing(size, `OK ${entryFields(size - 1)}\r\n`));
    const { code, stderr } = await put({ port: server.port, path: 'f', local: join(home, local), flags });
    expect([code, stderr]).toEqual([1, expect.stringContaining(`the server stored ${size - 1} bytes`)]);
  });

  test('that was stored with another digest is no success, and what was stored is taken away again', async () => {
    const stored = `OK ${entryFields(LARGE_BYTES)} sha256=${'0'.repeat(64)}\r\n`;
    await using server = await startScripted(storing(LARGE_BYTES, stored));
    const { code, stderr } = await put({ port: server.port, path: 'f', local: join(home, 'large'), flags });
    expect([code, stderr]).toEqual([1, expect.stringContaining(`with the sha256 ${'0'.repeat(64)}`)]);
    expect(server.lines.filter((line) => line.endsWith('DEL f if=e1'))).toHaveLength(1);
  });

  test.each([
    ['begins in the middle', `SEND 7 id=${id}\r\n`],
    ['is stored before it was sent', `OK ${entryFields(LARGE_BYTES)}\r\n`],
    ['is answered by content', 'DATA 5\r\nhello\r\nOK\r\n'],
    ['is answered by an entry', `ITEM path=a ${entryFields(1)}\r\n`],
    ['is awaited twice', `SEND 0 id=${id}\r\nSEND 0 id=${id}\r\n`],
    ['is answered with an entry of no type', `SEND 0 id=${id}\r\nOK\r\n`],
  ])('that %s is a broken protocol', async (_what, answer) => {
    await using server = await startScripted((line) => (line.startsWith('PUT') ? answer : undefined));
    const { code, stderr } = await put({ port: server.port, path: 'f', local: join(home, 'large'), flags });
    expect([code, stderr]).toEqual([1, expect.stringContaining('the server broke the protocol: ')]);
  });

  test('that is resumed behind its end is a broken protocol', async () => {
    await using server = await startScripted((line, socket) => {
      if (line.startsWith('RESUME')) return `SEND ${LARGE_BYTES + 1} id=${id}\r\n`;
      if (line.startsWith('PUT')) socket.end(`SEND 0 id=${id}\r\n`);
      return undefined;
    });
    const { code, stderr } = await put({ port: server.port, path: 'f', local: join(home, 'large'), flags });
    expect([code, stderr]).toEqual([1, expect.stringContaining('more of an upload than was sent')]);
  });

  test('that is refused in the middle ends there: the rest is not sent, and the server says why', async () => {
    await using server = await startScripted((line) =>
      line.startsWith('PUT') ? `SEND 0 id=${id}\r\nERR NOSPACE retry=later: the disk is full\r\n` : undefined,
    );
    const { code, stderr } = await put({ port: server.port, path: 'f', local: join(home, 'large'), flags });
    expect([code, stderr, server.connections]).toEqual([1, expect.stringMatching(/^f: NOSPACE: the disk is full/), 1]);
  });

  test('of standard input that was stored with another digest is no success', async () => {
    await using server = await startScripted((line) => {
      if (line.startsWith('PUT')) return `SEND 0 id=${id}\r\n`;
      if (line === '0') return `OK ${entryFields(5)} sha256=${'0'.repeat(64)}\r\n`;
      return line.startsWith('DEL') ? 'OK\r\n' : undefined;
    });
    const { code, stderr } = await put({ port: server.port, path: 'f', input: [Buffer.from('hello')], flags });
    expect([code, stderr]).toEqual([1, expect.stringContaining(`with the sha256 ${'0'.repeat(64)}`)]);
    expect(server.lines).toContain('DEL f if=e1');
  });

  test.each(['small', 'large', undefined])(
    'that is never said to be stored is given up in time (%s)',
    async (local) => {
      await using server = await startScripted((line) => (line.startsWith('PUT') ? `SEND 0 id=${id}\r\n` : undefined));
      const { code, stderr } = await put({
        port: server.port,
        path: 'f',
        ...(local === undefined ? { input: [Buffer.from('hello')] } : { local: join(home, local) }),
        flags: { timeout: '300ms', retries: '0' },
      });
      expect([code, stderr]).toEqual([1, expect.stringMatching(/nothing moved for 0\.3 s/)]);
    },
  );

  test('id that is no id makes no note', async () => {
    await using server = await startScripted((line, socket) => {
      if (line.startsWith('PUT')) socket.end('SEND 0 id=../../../../tmp/evil\r\n');
      return undefined;
    });
    const notes = (): Promise<readonly string[]> => readdir(join(home, 'state/small-servers/uploads')).catch(() => []);
    const before = await notes();
    await put({ port: server.port, path: 'f', local: join(home, 'large'), flags: { ...flags, retries: '0' } });
    expect(await notes()).toEqual(before);
  });
});

test('a message of the server on the way to the terminal is escaped', async () => {
  await using server = await startScripted(() => 'ERR DENIED retry=no: \u001b]0;owned\u0007\r\n');
  const { stderr } = await put({ port: server.port, path: 'f', local: join(home, 'small'), flags });
  expect(stderr).toBe('f: DENIED: \\x1b]0;owned\\x07\n');
});
