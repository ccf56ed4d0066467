/**
 * A server that answers one question of each command with something else: exit 1, one line that can be read, nothing on
 * standard output, and an end, however much the server has to say.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runProgram } from '../../../../test/support/daemon.ts';
import { get } from './harness.ts';
import { content, entryFields, item, type Script, startScripted, withoutEnd } from './scripted-server.ts';

/** What the kernel and the client take before it looks at it, and no more. */
const MOST_SENT_BYTES = 96 * 1024 * 1024;

/** Every command that asks, with the flags that keep it from asking again. */
const commands: readonly (readonly string[])[] = [
  ['rm', 'f'],
  ['mv', 'f', 'g'],
  ['mkdir', 'd'],
  ['mkdir', 'd/e', '-p'],
  ['sum', 'f', '--retries', '0'],
  ['stat', 'f', '--retries', '0'],
  ['ls', 'd', '--retries', '0'],
  ['probe'],
  ['get', 'f', '-', '--retries', '0'],
];

/** Runs a command of the program against a server, and bounds what that could get rid of. */
async function runAgainst(script: Script, [name = '', ...rest]: readonly string[], greeting?: string) {
  const sockets = new Set<Socket>();
  await using server = await startScripted((line, socket, itself) => {
    sockets.add(socket);
    return script(line, socket, itself);
  }, greeting);
  const args = [name, `127.0.0.1:${server.port}`, ...rest, '--timeout', '300ms'];
  const ran = await runProgram('file-server', args);
  const sentBytes = Math.max(0, ...[...sockets].map(({ bytesWritten }) => bytesWritten));
  return { ...ran, sentBytes, lines: server.lines };
}

describe('every command that is answered by', () => {
  test.each<[string, Script, RegExp, string?]>([
    ['a greeting of another protocol', () => undefined, /no file server answers there/, '220 ftp.example ready\r\n'],
    ['content before it asked', () => undefined, /DATA in a place/, 'DATA 5\r\nhello\r\nOK crc32=3610a686\r\n'],
    ['a line without end', (_line, socket) => void withoutEnd(socket, 'x'), /a line over 32768 bytes/],
    ['zeros without end', (_line, socket) => void withoutEnd(socket, '\0'), /a line over 32768 bytes/],
    ['fields without end', (_line, socket) => void withoutEnd(socket, 'OK a=1 b=2 '), /a line over 32768 bytes/],
    ['lines without end', (_line, socket) => void withoutEnd(socket, '\r\n'), /no file server answers there/],
    [
      'entries without end',
      (_line, socket) => void withoutEnd(socket, item('f', 1)),
      /ITEM in a place|a listing out of order/,
    ],
    [
      'content without end',
      (_line, socket) => {
        socket.write('DATA 9007199254740991\r\n');
        withoutEnd(socket, '\0');
        return undefined;
      },
      /DATA in a place/,
    ],
    ['a demand for content', () => `SEND 0 id=${'a'.repeat(32)}\r\n`, /SEND in a place/],
    ['a web page', () => 'HTTP/1.1 400 Bad Request\r\n\r\n', /no file server answers there/],
    ['fields with control characters', () => 'OK type=\u001b[2J\r\n', /a field that is not key=value/],
    ['a field twice', () => 'OK a=1 a=2\r\n', /a field that is given twice/],
  ])('%s', async (_what, script, words, greeting) => {
    const all = await Promise.all(commands.map((command) => runAgainst(script, command, greeting)));
    for (const [index, { code, stdout, stderr, sentBytes }] of all.entries()) {
      const command = commands[index]?.join(' ');
      expect([code, stdout], command).toEqual([1, '']);
      expect(stderr, command).toMatch(
        /^file-server: [\x20-\x7e]*(?:the server broke the protocol: |no file server answers there )[\x20-\x7e]+\n$/,
      );
      expect(stderr, command).toMatch(words);
      expect(sentBytes, command).toBeLessThan(MOST_SENT_BYTES);
    }
  });

  test.each<[string, Script, RegExp]>([
    ['nothing', () => undefined, /said nothing for 0\.3 s; is the port right/],
    ['half a line', (_line, socket) => void socket.end('OK type=fi'), /the far end closed the connection/],
    ['a reset', (_line, socket) => void socket.resetAndDestroy(), /the far end reset the connection/],
    ['escapes', () => 'ERR DENIED retry=no: \u001b[2J\u0007\r\n', /DENIED: \\x1b\[2J\\x07/],
    ['a code of tomorrow', () => 'ERR TOMORROW retry=no new=1: not today\r\n', /TOMORROW: not today/],
  ])('%s', async (_what, script, words) => {
    const all = await Promise.all(commands.map((command) => runAgainst(script, command)));
    for (const [index, { code, stdout, stderr }] of all.entries()) {
      const command = commands[index]?.join(' ');
      expect([code, stdout], command).toEqual([1, '']);
      expect(stderr, command).toMatch(/^file-server: [\x20-\x7e]+\n$/);
      expect(stderr, command).toMatch(words);
    }
  });
});

describe('answers of the right kind that say what can not be:', () => {
  const folder = `OK ${entryFields(0, 'directory')}\r\n`;
  const file = `OK ${entryFields(5)}\r\n`;

  test.each<[string, readonly string[], Script, RegExp]>([
    [
      'a sum that is none',
      ['sum', 'f'],
      (line) => (line.startsWith('STAT') ? file : 'OK sha256=1234\r\n'),
      /no sha256/,
    ],
    ['no sum', ['sum', 'f'], (line) => (line.startsWith('STAT') ? file : 'OK\r\n'), /no sha256/],
    ['an entry of no type', ['stat', 'f'], () => 'OK size=1 etag=e1\r\n', /no file, directory or other/],
    ['an etag for a path', ['stat', 'f'], () => `OK ${entryFields(1, 'file', '../../x')}\r\n`, /an etag that is not/],
    ['CAPS without a word', ['probe'], () => 'OK\r\n', /what needs a token/],
    ['CAPS with auth=toString', ['probe'], () => 'OK protocol=1 auth=toString\r\n', /what needs a token/],
    [
      'CAPS with a limit below zero',
      ['probe'],
      () => 'OK protocol=1 writable=yes auth=none authenticated=yes maxsize=-1\r\n',
      /no number/,
    ],
    ['two answers to one question', ['rm', 'a', 'b'], () => 'OK\r\nOK\r\n', /a reply to nothing that was asked/],
  ])('%s', async (_what, command, script, words) => {
    const { code, stdout, stderr } = await runAgainst(script, command);
    expect([code, stdout, stderr]).toEqual([1, '', expect.stringMatching(words)]);
    expect(stderr).toMatch(/^file-server: [\x20-\x7e]+\n$/);
  });

  const isFolder = 'ERR ISDIR retry=no: that is a directory\r\n';

  test.each([
    ['leads out of it', item('..', 0, 'directory')],
    ['leads out of it in the middle', item('a/../../x', 1)],
    ['has a name that forges a command', item('a%0D%0ADEL%20x', 1) + item('../x', 1)],
  ])('what is in a folder that rm -r is to delete, which %s: nothing is deleted', async (_what, items) => {
    const { code, stderr, lines } = await runAgainst(
      (line) => (line.startsWith('LIST') ? `${items}OK count=1 more=no\r\n` : isFolder),
      ['rm', 'd', '-r'],
    );
    expect([code, stderr]).toEqual([1, expect.stringContaining('the server broke the protocol')]);
    expect(lines.map((line) => line.split(' ', 2).join(' '))).toEqual(['DEL d', 'LIST d']);
  });

  test('a folder without end, which rm -r is to delete: nothing is deleted', async () => {
    let count = 0;
    const { code, stderr, lines } = await runAgainst(
      (line) => {
        if (!line.startsWith('LIST')) return isFolder;
        const items = Array.from({ length: 100 }, () => item(String(count++).padStart(9, '0'), 1));
        return `${items.join('')}OK count=100 more=yes\r\n`;
      },
      ['rm', 'd', '-r', '--max-files', '1000'],
    );
    expect([code, stderr]).toEqual([1, expect.stringContaining('--max-files')]);
    expect(lines.filter((line) => !line.startsWith('LIST'))).toEqual(['DEL d']);
    expect(count).toBeLessThanOrEqual(1_100);
  });

  test('ls of a name that forges lines and moves the cursor prints one harmless line', async () => {
    const { code, stdout } = await runAgainst(
      (line) => (line.startsWith('LIST') ? `${item('%1B%5B2J%0Aforged%07', 4)}OK count=1 more=no\r\n` : folder),
      ['ls', 'd'],
    );
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^- .* \\x1b\[2J\\nforged\\x07\n$/)]);
  });
});

describe('get of content that goes on', () => {
  let target: string;
  beforeEach(async () => {
    target = await mkdtemp(join(tmpdir(), 'small-servers-'));
  });
  afterEach(() => rm(target, { recursive: true }));

  const flags = { retries: '0', timeout: '300ms' };

  test.each([
    ['small', 5],
    ['large', 700_000],
  ])('behind its promised length, without end: exit 1 and no file (%s)', async (_what, size) => {
    const sockets: Socket[] = [];
    await using server = await startScripted((line, socket) => {
      if (line.startsWith('STAT')) return `OK ${entryFields(size)}\r\n`;
      sockets.push(socket);
      socket.write(`DATA ${size} etag=e1\r\n`);
      withoutEnd(socket, '\0');
      return undefined;
    });
    const { code, stderr } = await get({ port: server.port, path: 'f', local: join(target, 'f'), flags });
    expect([code, stderr]).toEqual([1, expect.stringContaining('the server broke the protocol: ')]);
    expect(await readdir(target)).not.toContain('f');
    expect(sockets[0]?.bytesWritten).toBeLessThan(MOST_SENT_BYTES);
  });

  test('behind the OK that closes it, without end: the file is whole, and that is all', async () => {
    await using server = await startScripted((line, socket) => {
      if (line.startsWith('STAT')) return `OK ${entryFields(5)}\r\n`;
      socket.write(content(Buffer.from('hello')));
      withoutEnd(socket, 'and more ');
      return undefined;
    });
    expect(await get({ port: server.port, path: 'f', local: join(target, 'f'), flags })).toMatchObject({ code: 0 });
    expect(await readFile(join(target, 'f'), 'utf8')).toBe('hello');
    expect(await readdir(target)).toEqual(['f']);
  });
});
