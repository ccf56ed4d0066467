/** What a session answers, on a store in memory and without a socket: the words, their order, and what ends it. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { everySplit, seededBytes } from '../../../test/support/splits.ts';
import { DigestCache } from '../src/digest-cache.ts';
import { FileError } from '../src/protocol/codes.ts';
import { verbs } from '../src/protocol/verbs.ts';
import { findToken, parseTokens } from '../src/tokens.ts';
import { MemoryStore, type MemoryStoreOptions } from './support/memory-store.ts';
import { answersTo, Wire } from './support/wire.ts';

const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');
const crcOf = (content: string | Buffer): string => crc32(content).toString(16).padStart(8, '0');

/** `hello.txt`, `docs/a` and an empty folder. */
function library(options?: MemoryStoreOptions): MemoryStore {
  const store = new MemoryStore(options);
  store.put('hello.txt', 'hello\n');
  store.makeFolder('docs');
  store.put('docs/a', 'A');
  store.makeFolder('docs/empty');
  return store;
}

const answers = (input: string | Buffer, store = library()): Promise<string> => answersTo(new Wire(store), input);

describe('reading', () => {
  test('GET promises a length, keeps it, and says what it must sum up to', async () => {
    expect(await answers('GET hello.txt\r\n')).toBe(
      `DATA 6 off=0 size=6 mtime=* etag=*\r\nhello\n\r\nOK crc32=${crcOf('hello\n')}\r\n`,
    );
  });

  test.each([
    ['off=2', 'llo\n', 2],
    ['len=2', 'he', 0],
    ['off=1 len=3', 'ell', 1],
    ['off=6', '', 6],
    ['len=0', '', 0],
    ['off=4 len=9007199254740991', 'o\n', 4],
  ])('GET %s gives that range', async (range, content, off) => {
    expect(await answers(`GET hello.txt ${range}\n`)).toBe(
      `DATA ${content.length} off=${off} size=6 mtime=* etag=*\r\n${content}\r\nOK crc32=${crcOf(content)}\r\n`,
    );
  });

  test('GET past the end, of a folder and of nothing are errors that leave the session as it was', async () => {
    expect(await answers('GET hello.txt off=7\nGET docs\nGET nothing\nGET hello.txt/x\nPING\n')).toBe(
      [
        'ERR OFFSET retry=no size=6: the file ends before that',
        'ERR ISDIR retry=no: that is a directory',
        'ERR NOTFOUND retry=no: there is no such file or directory',
        'ERR NOTDIR retry=no: it, or a name on the way, is no directory',
        'OK\r\n',
      ].join('\r\n'),
    );
  });

  test('if= wants the file as it was, ifnot= wants another one', async () => {
    const store = library();
    const { etag } = await store.stat({ names: [Buffer.from('hello.txt')], text: 'hello.txt' });
    const wire = new Wire(store);
    const output = await answersTo(
      wire,
      `GET hello.txt if=${etag} len=0\nGET hello.txt if=other\nGET hello.txt ifnot=${etag}\nGET hello.txt ifnot=x len=0\n`,
    );
    expect(output.split('\r\n')).toEqual([
      ...['DATA 0 off=0 size=6 mtime=* etag=*', '', 'OK crc32=00000000'],
      'ERR CHANGED retry=no etag=*: it is not the file it was',
      'OK unchanged=yes etag=*',
      ...['DATA 0 off=0 size=6 mtime=* etag=*', '', 'OK crc32=00000000', ''],
    ]);
  });

  test('a large file comes whole, in order, and its sum is computed once', async () => {
    const content = seededBytes(5 * 1024 * 1024 + 17, 5);
    const store = library();
    store.put('large', content);
    const wire = new Wire(store);
    for (let round = 1; round <= 2; round += 1) {
      const before = wire.rawOutput.length;
      wire.send('GET large\n');
      while (!wire.output.slice(before).endsWith(`OK crc32=${crcOf(content)}\r\n`)) await wire.settle();
      const output = wire.rawOutput.subarray(before);
      const start = output.indexOf('\r\n') + 2;
      expect(output.subarray(start, start + content.length).equals(content)).toBe(true);
    }
  });

  test('CAT gives the bytes alone, then the end', async () => {
    const wire = new Wire(library());
    expect(await answersTo(wire, 'CAT hello.txt\nPING\n')).toBe('hello\n');
    expect([wire.ended, wire.wasReset]).toEqual([true, false]);
    wire.finish();
    expect(wire.reason).toBe('server-closed');
  });

  test('CAT of nothing says so, and ends', async () => {
    const wire = new Wire(library());
    expect(await answersTo(wire, 'CAT nothing\n')).toBe(
      'ERR NOTFOUND retry=no: there is no such file or directory\r\n',
    );
    expect(wire.ended).toBe(true);
  });

  test('SUM tells a digest, and GET knows it from then on', async () => {
    expect(await answers('SUM hello.txt alg=crc32\nSUM hello.txt\nGET hello.txt len=0\n')).toBe(
      [
        `OK crc32=${crcOf('hello\n')} size=6 etag=*`,
        `OK sha256=${sha256('hello\n')} size=6 etag=*`,
        `DATA 0 off=0 size=6 mtime=* etag=* sha256=${sha256('hello\n')}`,
        '',
        'OK crc32=00000000\r\n',
      ].join('\r\n'),
    );
  });

  test('LIST goes by the bytes of names, a folder before what it holds', async () => {
    const line = (path: string, type: string, size: number) =>
      `ITEM path=${path} type=${type} size=${size} mtime=* etag=*`;
    expect(
      await answers('LIST /\nLIST / depth=2\nLIST docs after=a\nLIST / n=1\nLIST hello.txt\nLIST / depth=33\n'),
    ).toBe(
      [
        ...[line('docs', 'directory', 0), line('hello.txt', 'file', 6), 'OK count=2 more=no'],
        ...[line('docs', 'directory', 0), line('docs/a', 'file', 1), line('docs/empty', 'directory', 0)],
        ...[line('hello.txt', 'file', 6), 'OK count=4 more=no'],
        ...[line('empty', 'directory', 0), 'OK count=1 more=no'],
        ...[line('docs', 'directory', 0), 'OK count=1 more=yes after=docs'],
        'ERR NOTDIR retry=no: it, or a name on the way, is no directory',
        'ERR BADARG retry=no: depth is at most 32\r\n',
      ].join('\r\n'),
    );
  });

  test('a page of LIST never ends on a path that no line has room for', async () => {
    const store = new MemoryStore();
    const name = (letter: string) => encodeURIComponent('\u00e9').repeat(125) + letter;
    const deep = Array.from({ length: 6 }, () => name('x'));
    for (let level = 1; level <= deep.length; level += 1) store.makeFolder(deep.slice(0, level).join('/'));
    for (let index = 0; index < 1_500; index += 1) store.put(`${deep.join('/')}/${index}`, '');
    store.put('z', '');
    const listed: string[] = [];
    for (let after = ''; ; ) {
      const command = `LIST / n=2 depth=32${after}`;
      const lines = (await answers(`${command}\n`, store)).trimEnd().split('\r\n');
      listed.push(...lines.filter((line) => line.startsWith('ITEM ')));
      const next = / more=yes after=(\S+)$/.exec(lines.at(-1) ?? '')?.[1];
      if (next === undefined) break;
      after = ` after=${next}`;
    }
    expect(listed).toHaveLength(1_507);
    expect(new Set(listed).size).toBe(1_507);
  });

  test('a long LIST waits for its reader: no more than a page is in memory', async () => {
    const store = new MemoryStore();
    for (let index = 0; index < 2_500; index += 1) store.put(`file-${String(index).padStart(4, '0')}`, '');
    const wire = new Wire(store);
    wire.takeNothing();
    wire.send('LIST /\n');
    await wire.settle();
    expect(wire.lines).toHaveLength(1_000);
    wire.takeEverything();
    await wire.settle();
    expect(wire.lines).toHaveLength(2_501);
    expect(wire.lines.at(-1)).toBe('OK count=2500 more=no');
  });
});

describe('writing', () => {
  test('PUT stores what follows its line, and only that', async () => {
    const store = library();
    expect(await answers('PUT new 5\nhelloPING\n', store)).toBe(
      `SEND 0 id=*\r\nOK type=file size=5 mtime=* etag=* sha256=${sha256('hello')}\r\nOK\r\n`,
    );
    expect(String(store.content('new'))).toBe('hello');
  });

  test('PUT of what came with its line is done in the turn that reads it, if the store can', async () => {
    const wire = new Wire(library({ atOnce: true }));
    const large = 'x'.repeat(65_537);
    wire.send(`PUT a 3\nabcPUT b 2\nokPUT l ${large.length}\n${large}PING\n`);
    const done = (size: number, content: string) =>
      `OK type=file size=${size} mtime=* etag=* sha256=${sha256(content)}`;
    expect(wire.lines).toEqual(['SEND 0 id=*', done(3, 'abc'), 'SEND 0 id=*', done(2, 'ok')]);
    expect(wire.records).toMatchObject([
      { event: 'transfer', verb: 'PUT', path: 'a', bytes: 3, offset: 0, outcome: 'complete' },
      { event: 'transfer', verb: 'PUT', path: 'b', bytes: 2, offset: 0, outcome: 'complete' },
    ]);
    await wire.settle();
    expect(wire.lines.slice(4)).toEqual(['SEND 0 id=*', done(large.length, large), 'OK']);
  });

  test('what goes wrong then is answered, and its payload is no command', async () => {
    const store = library();
    store.putNow = () => {
      throw new Error('a secret path');
    };
    const wire = new Wire(store);
    expect(await answersTo(wire, 'PUT a 5\nPING\nPING\n')).toBe(
      'ERR INTERNAL retry=later discard=5: the server failed; its log says how\r\nOK\r\n',
    );
    expect(wire.records).toMatchObject([
      { event: 'internal-error', msg: 'a secret path' },
      { event: 'transfer', path: 'a', outcome: 'failed', code: 'INTERNAL' },
    ]);
  });

  test('PUT of nothing is a file of no bytes', async () => {
    const store = library();
    expect(await answers('PUT new 0\nPING\n', store)).toMatch(/^SEND 0 id=\*\r\nOK type=file size=0 .*\r\nOK\r\n$/);
    expect(store.content('new')).toHaveLength(0);
  });

  test('PUT replaces only on request: if=none is the default, any replaces, an etag names what is replaced', async () => {
    const store = library();
    const { etag } = await store.stat({ names: [Buffer.from('hello.txt')], text: 'hello.txt' });
    const wire = new Wire(store);
    await answersTo(wire, 'PUT hello.txt 1\naPUT hello.txt 1 if=zzz\nb');
    await answersTo(
      wire,
      `PUT hello.txt 1 if=${etag}\ncPUT hello.txt 1 if=any\ndPUT x 1 if=any\nePUT y 1 if=${etag}\nf`,
    );
    expect(wire.lines.filter((line) => !line.startsWith('SEND')).map((line) => line.split(' ', 2).join(' '))).toEqual([
      'ERR EXISTS',
      'ERR CHANGED',
      'OK type=file',
      'OK type=file',
      'OK type=file',
      'ERR CHANGED',
    ]);
    expect(String(store.content('hello.txt'))).toBe('d');
  });

  test('what does not hash to the sha256 of the command is not stored', async () => {
    const store = library();
    const right = `PUT a 5 sha256=${sha256('hello').toUpperCase()}\nhello`;
    const wrong = `PUT b 5 sha256=${sha256('hello')}\nhallo`;
    const wire = new Wire(store);
    await answersTo(wire, right, wrong, 'STAT b\n');
    expect(wire.lines.map((line) => line.split(' ', 2).join(' '))).toEqual([
      ...['SEND 0', 'OK type=file', 'SEND 0', 'ERR CHECKSUM', 'ERR NOTFOUND'],
    ]);
  });

  test('chunks make one file, whatever is in them', async () => {
    const store = library();
    const input = 'PUT c chunked\n3\nabc\n5\r\n\n0\nP\r\n4\nING\n\n0\nPING\n';
    expect(await answers(input, store)).toMatch(/^SEND 0 id=\*\r\nOK type=file size=12 .*\r\nOK\r\n$/);
    expect(String(store.content('c'))).toBe('abc\n0\nP\rING\n');
  });

  test('TEXT stores lines up to a dot, ended by LF; a dot before a line is taken off', async () => {
    const store = library();
    expect(await answers('TEXT t\r\none\r\n..two\r\n\r\n.three\r\n.\r\nPING\r\n', store)).toMatch(/\r\nOK\r\n$/);
    expect(String(store.content('t'))).toBe('one\n.two\n\nthree\n');
  });

  test('TEXT takes bytes that no command has', async () => {
    const store = library();
    await answers(Buffer.from('TEXT t\nZ\u00fcrich \0 \x1b[2J\n.\n'), store);
    expect(String(store.content('t'))).toBe('Z\u00fcrich \0 \x1b[2J\n');
  });

  test('a large upload comes whole', async () => {
    const store = library();
    const content = seededBytes(3 * 1024 * 1024 + 5, 9);
    const wire = new Wire(store);
    wire.send(`PUT big ${content.length} sha256=${sha256(content)}\n`);
    for (let at = 0; at < content.length; at += 200_000) {
      wire.send(content.subarray(at, at + 200_000));
      await wire.settle();
    }
    expect(wire.lines.at(-1)).toMatch(/^OK type=file size=3145733 /);
    expect(store.content('big').equals(content)).toBe(true);
  });

  test('a peer faster than the store is held, and nothing is lost', async () => {
    const store = library();
    const content = seededBytes(8 * 1024 * 1024, 13);
    const { promise, resolve } = Promise.withResolvers<void>();
    store.gate = promise;
    const wire = new Wire(store);
    wire.send(`PUT big ${content.length}\n`);
    await wire.settle();
    for (let at = 0; at < content.length; at += 262_144) wire.send(content.subarray(at, at + 262_144));
    await wire.settle();
    expect(wire.held).toBe(true);
    expect(wire.bytes.in).toBeLessThan(3 * 1024 * 1024);
    resolve();
    while (wire.lines.length < 2) await wire.settle();
    expect(store.content('big').equals(content)).toBe(true);
  });

  test('changes of names', async () => {
    const store = library();
    const input =
      'MKDIR d\nMKDIR d\nMOVE hello.txt d/h\nMOVE docs/a d/h\nMOVE docs/a d/h if=any\nRMDIR d\nDEL d\nDEL d/h if=x\nDEL d/h\nRMDIR d\nDEL d/h\n';
    expect((await answers(input, store)).split('\r\n').map((line) => line.split(' ', 2).join(' '))).toEqual([
      ...['OK type=directory', 'ERR EXISTS', 'OK type=file', 'ERR EXISTS', 'OK type=file', 'ERR NOTEMPTY'],
      ...['ERR ISDIR', 'ERR CHANGED', 'OK', 'OK', 'ERR NOTFOUND', ''],
    ]);
  });

  test('names that cannot be made are refused with what is wrong with them', async () => {
    const refused = [
      'a%0Ab',
      'CON',
      'a%5Cb',
      '..',
      'a/../b',
      '%2e%2e/x',
      'a%2Fb',
      'a%00b',
      '%C3',
      'e%CC%81',
      '.small-servers',
    ];
    const wire = new Wire(library());
    for (const path of refused) await answersTo(wire, `PUT ${path} 1\nx`);
    expect(wire.lines.map((line) => line.split(' ', 2).join(' '))).toEqual(refused.map(() => 'ERR BADNAME'));
  });
});

describe('what a refused payload looks like does not matter', () => {
  const evil = 'DEL hello.txt\n.\n0\n';
  test.each([
    ['PUT docs', `PUT docs ${evil.length}\n${evil}`, 'ISDIR|EXISTS'],
    ['PUT over something', `PUT hello.txt ${evil.length}\n${evil}`, 'EXISTS'],
    ['PUT with a bad name', `PUT a/../b ${evil.length}\n${evil}`, 'BADNAME'],
    ['PUT with a bad option', `PUT b ${evil.length} iff=any\n${evil}`, 'BADARG'],
    ['PUT in chunks', `PUT hello.txt chunked\n${evil.length}\n${evil}\n14\nDEL hello.txt\n\n0\n`, 'EXISTS'],
    ['TEXT', 'TEXT hello.txt\nDEL hello.txt\n..\n.\n', 'EXISTS'],
    ['TEXT with a bad name', 'TEXT ..\nDEL hello.txt\n.\n', 'BADNAME'],
  ])('%s', async (_what, input, code) => {
    const store = library();
    const output = await answers(`${input}PING\n`, store);
    expect(output).toMatch(
      new RegExp(`^ERR (?:${code}) retry=no discard=(?:\\d+|chunked|text): [^\\r]*\\r\\nOK\\r\\n$`),
    );
    expect(String(store.content('hello.txt'))).toBe('hello\n');
  });

  test('on a read-only server, without a token and in the middle of one that grew too long, too', async () => {
    const payload = 'DEL hello.txt\n';
    for (const [limits, code] of [
      [{ writable: false }, 'READONLY'],
      [{ tokens: parseTokens(`sha256:${sha256('t')}`) }, 'AUTH'],
    ] as const) {
      const wire = new Wire(library(), limits);
      await answersTo(
        wire,
        `PUT n ${payload.length}\n${payload}PUT n chunked\n${payload.length}\n${payload}\n0\nTEXT n\n${payload}.\nPING\n`,
      );
      expect(wire.lines.map((line) => line.split(' ', 2).join(' '))).toEqual([...Array(3).fill(`ERR ${code}`), 'OK']);
    }
    const store = new MemoryStore({ maxFileBytes: 10 });
    store.put('hello.txt', 'hello\n');
    const chunks = `PUT n chunked\n${payload.length}\n${payload}\n${payload.length}\n${payload}\n0\nPING\n`;
    expect(await answers(chunks, store)).toMatch(/^SEND 0 id=\*\r\nERR TOOBIG .*\r\nOK\r\n$/);
    expect(store.heldCount).toBe(0);
  });

  test('a payload whose end nobody knows ends the session', async () => {
    for (const length of ['-1', '+5', '007', '1e3', '9007199254740992', '0x10', '5.0', '', 'Chunked']) {
      const store = library();
      const wire = new Wire(store);
      await answersTo(wire, `PUT n ${length}\nDEL hello.txt\n`);
      expect(wire.lines).toEqual([expect.stringMatching(/^ERR BADARG retry=no: /)]);
      expect(wire.ended).toBe(true);
      expect(String(store.content('hello.txt'))).toBe('hello\n');
    }
  });

  test('so does a chunk that is not as long as it said', async () => {
    for (const chunks of ['3\nabcd\n0\n', 'x\n', '3\nabc0\n', '-1\n']) {
      const store = library();
      const wire = new Wire(store);
      await answersTo(wire, `PUT n chunked\n${chunks}DEL hello.txt\n`);
      expect(wire.lines.at(-1)).toMatch(/^ERR BADARG /);
      expect(wire.ended).toBe(true);
      await expect(store.stat({ names: [Buffer.from('n')], text: 'n' })).rejects.toMatchObject({ code: 'NOTFOUND' });
      expect(String(store.content('hello.txt'))).toBe('hello\n');
    }
  });
});

describe('lines', () => {
  test('LF and CRLF, upper and lower case, with blank lines between', async () => {
    expect(await answers('\n\r\nping\r\n\nPing\nPING\r\n')).toBe('OK\r\nOK\r\nOK\r\n');
  });

  test('a line has 4096 bytes with its end, and none more', async () => {
    for (const end of ['\n', '\r\n']) {
      const longest = `STAT ${'a'.repeat(4096 - 5 - end.length)}${end}`;
      expect(await answers(`${longest}PING\n`)).toMatch(/^ERR NOTFOUND .*\r\nOK\r\n$/);
      const wire = new Wire(library());
      expect(await answersTo(wire, `A${longest}PING\n`)).toBe(
        'ERR LINETOOLONG retry=no: a line has at most 4096 bytes\r\n',
      );
      expect(wire.ended).toBe(true);
    }
  });

  test('one without an end does not grow for ever', async () => {
    const wire = new Wire(library());
    expect(await answersTo(wire, 'A'.repeat(4097))).toMatch(/^ERR LINETOOLONG /);
  });

  test.each([
    ['NUL', 'STAT a\0b\n'],
    ['a bare CR', 'STAT a\rDEL hello.txt\n'],
    ['two CR', 'STAT a\r\r\n'],
    ['not ASCII', 'STAT Z\u00fcrich\n'],
    ['telnet IAC', Buffer.from([0xff, 0xf4, 0xff, 0xfd, 0x06, 0x0a])],
  ])('%s is an error that closes', async (_what, line) => {
    const store = library();
    const wire = new Wire(store);
    expect(await answersTo(wire, Buffer.concat([Buffer.from(line as Buffer), Buffer.from('DEL hello.txt\n')]))).toMatch(
      /^ERR BADCMD retry=no: [^\r]+\r\n$/,
    );
    expect(wire.ended).toBe(true);
    expect(String(store.content('hello.txt'))).toBe('hello\n');
  });

  test.each([
    ['FOO', 'BADCMD'],
    ['GET', 'BADARG'],
    ['GET hello.txt ', 'BADARG'],
    ['GET  hello.txt', 'BADARG'],
    ['GET hello.txt off=01', 'BADARG'],
    ['GET hello.txt off=9007199254740992', 'BADARG'],
    ['GET hello.txt off=1 off=1', 'BADARG'],
    ['GET hello.txt path=x', 'BADARG'],
    ['GET hello.txt constructor=x', 'BADARG'],
    ['GET hello%2', 'BADNAME'],
    ['GET hello%zz', 'BADNAME'],
    ['GET hello.txt if=a!b', 'BADARG'],
    ['PING PONG', 'BADARG'],
    ['LIST / n=0', 'BADARG'],
    ['LIST / after=/', 'BADARG'],
    ['SUM hello.txt alg=md5', 'BADARG'],
    ['RESUME ../../etc/passwd', 'BADARG'],
    ['toString', 'BADCMD'],
    ['\t', 'BADCMD'],
  ])('%s is %s, and the session goes on', async (line, code) => {
    expect(await answers(`${line}\nPING\n`)).toMatch(
      new RegExp(`^ERR ${code} retry=no: [\\x20-\\x7e]+\\r\\nOK\\r\\n$`),
    );
  });

  test('a last line without its end is not obeyed', async () => {
    const store = library();
    const wire = new Wire(store);
    wire.send('PING\nDEL hello.txt');
    wire.finish();
    await wire.settle();
    expect(wire.output).toBe('OK\r\nERR BADCMD retry=no: the last line has no end\r\n');
    expect(String(store.content('hello.txt'))).toBe('hello\n');
    expect(wire.reason).toBe('protocol-error');
  });

  test('a peer that ends its side gets every answer first', async () => {
    const wire = new Wire(library());
    wire.send('GET hello.txt len=0\nSTAT docs\nPING\n');
    wire.finish();
    expect(wire.reason).toBeUndefined();
    await wire.settle();
    expect(wire.lines.at(-1)).toBe('OK');
    expect(wire.lines).toHaveLength(5);
    expect(wire.reason).toBe('peer-closed');
  });
});

describe('foreign peers', () => {
  test.each([
    ['GET / HTTP/1.1\r\nHost: x\r\n\r\nDEL hello.txt\n', 'HTTP'],
    ['POST /x HTTP/1.0\r\n\r\nDEL hello.txt\r\n', 'HTTP'],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'HTTP'],
    ['OPTIONS * HTTP/1.1\nDEL hello.txt\n', 'HTTP'],
    ['CONNECT example.org:443 HTTP/1.1\r\n\r\nDEL hello.txt\r\n', 'HTTP'],
    ['GET http://example.org/x HTTP/1.1\r\n\r\nDEL hello.txt\r\n', 'HTTP'],
    ['M-SEARCH * HTTP/1.1\r\n\r\nDEL hello.txt\r\n', 'HTTP'],
    ['VERSION-CONTROL /x HTTP/1.1\r\n\r\nDEL hello.txt\r\n', 'HTTP'],
    ['MOVE /hello.txt HTTP/1.1\r\nDestination: /x\r\n\r\nDEL hello.txt\r\n', 'HTTP'],
    ['MOVE http://example.org/x HTTP/1.1\r\n\r\nDEL hello.txt\r\n', 'HTTP'],
    ['GET x HTTP/1.1\r\n\r\nDEL hello.txt\r\n', 'HTTP'],
    ['GET /a b HTTP/1.1\r\n\r\nDEL hello.txt\r\n', 'HTTP'],
    ['POST  HTTP/1.1\r\n\r\nDEL hello.txt\r\n', 'HTTP'],
    ['GET / HTTP/3\r\n\r\nDEL hello.txt\r\n', 'HTTP'],
    [Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x0a]), 'TLS'],
    [Buffer.from([0x16]), 'TLS'],
    ['SSH-2.0-OpenSSH_9.2\r\n', 'SSH'],
    ['PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nDEL hello.txt\r\n', 'the PROXY protocol'],
  ])('%j is told so in one line, logged, and closed', async (hello, protocol) => {
    const store = library();
    const wire = new Wire(store);
    expect(await answersTo(wire, hello)).toBe(
      `ERR BADCMD retry=no: this port does not speak ${protocol}; connect with nc and type HELP\r\n`,
    );
    expect(wire.ended).toBe(true);
    expect(wire.records).toMatchObject([{ event: 'foreign-protocol', conn: 'w', protocol }]);
    expect(String(store.content('hello.txt'))).toBe('hello\n');
  });
});

test('names that look like HTTP are names, in every command', async () => {
  const wire = new Wire(library());
  const exchanges = [
    ['MKDIR HTTP', 'OK type=directory'],
    ['PUT HTTP/1.1 0', 'SEND 0 id=*', 'OK type=file size=0'],
    ['STAT HTTP/1.1', 'OK type=file size=0'],
    ['GET HTTP/1.1', 'DATA 0', '', 'OK crc32=00000000'],
    ['GET /HTTP/1.1 off=0', 'DATA 0', '', 'OK crc32=00000000'],
    ['STAT docs/HTTP/2.txt', 'ERR NOTFOUND'],
    ['DEL HTTP/1.1', 'OK'],
    ['MOVE hello.txt HTTP/1.1', 'OK type=file size=6'],
    ['move HTTP/1.1 /HTTP/2 if=none', 'OK type=file size=6'],
    ['MOVE HTTP/2 HTTP/1.1', 'OK type=file size=6'],
    ['STAT HTTP/1.1', 'OK type=file size=6'],
  ] as const;
  const lines = (await answersTo(wire, exchanges.map(([line]) => `${line}\r\n`).join(''))).split('\r\n');
  const expected = exchanges.flatMap(([, ...answers]) => answers);
  expect(lines.map((line, index) => line.slice(0, expected[index]?.length))).toEqual([...expected, '']);
  expect(wire.ended).toBe(false);
});

describe('every input is answered alike, however it is cut', () => {
  const inputs = [
    'PING\r\nGET hello.txt\nPUT n 7 if=any\nDEL x\r\nPUT n 3\nabcSTAT n\n\nLIST / depth=2\nQUIT\nPING\n',
    'PUT c chunked\n3\nabc\n10\r\n0123456789\n0\nGET c\nPUT c chunked\n3\nPIN\n0\nPING\n',
    'TEXT t\r\n.\r\nTEXT t\r\nPING\r\n.\r\nTEXT u\n..\n.x\n\n.\nGET u\nSUM u\n',
    'PUT ../x 4\nPINGPUT z -1\nPING\n',
    'STAT a\rb\nPING\n',
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    '\x16\x03\x01\x00\x05hello\n',
    'AUTH x\nRESUME 00000000000000000000000000000000\nABORT 00000000000000000000000000000000\nMOVE hello.txt b\nCAT b\n',
    `PUT a 3\nabcPUT a 3\nDEL\nPUT a 3 if=any\nxyzPUT b 0\nPUT c 3 sha256=${sha256('abc')}\r\nabcPUT d 3 sha256=${sha256('')}\nabcPUT CON 5\nPING\nGET a\nLIST /\n`,
  ];
  test.each(inputs)('%j', async (input) => {
    const bytes = Buffer.from(input, 'latin1');
    const whole = await answersTo(new Wire(library()), bytes);
    expect(whole).not.toBe('');
    expect(await answersTo(new Wire(library({ atOnce: true })), bytes)).toBe(whole);
    for (const [head, tail] of everySplit(bytes)) {
      const wire = new Wire(library({ atOnce: head.length % 3 === 0 }));
      wire.send(head);
      // Both at once half of the time: what arrives while a command waits is as good as what arrives after it.
      if (head.length % 2 === 0) await wire.settle();
      wire.send(tail);
      await wire.settle();
      expect(await answersTo(wire), `cut at ${head.length}`).toBe(whole);
    }
    const single = new Wire(library());
    for (const byte of bytes) single.send(Buffer.of(byte));
    await single.settle();
    await single.settle();
    expect(await answersTo(single)).toBe(whole);
  });
});

describe('tokens', () => {
  const tokens = parseTokens(`# of the library\nsha256:${sha256('secret')} ann\r\n\nsha256:${sha256('other')}\n`);

  test('are found by what was shown, and by nothing like it', () => {
    expect(findToken(tokens, 'secret')?.name).toBe('ann');
    expect(findToken(tokens, 'other')?.name).toBe('line 4');
    for (const wrong of ['', 'Secret', 'secret ', sha256('secret')]) expect(findToken(tokens, wrong)).toBeUndefined();
  });

  test.each(['', '# nothing', 'secret', 'sha256:abc', `md5:${sha256('x')}`])('%j is no file of tokens', (text) => {
    expect(() => parseTokens(text)).toThrow(/^(?:line 1 is not|it holds no token)/);
    expect(() => parseTokens(text)).not.toThrow(/secret/);
  });

  test('--auth writes: reading is open, changes need one', async () => {
    const wire = new Wire(library(), { tokens });
    await answersTo(
      wire,
      'GET hello.txt len=0\nDEL hello.txt\nAUTH wrong\nDEL hello.txt\nAUTH secret\nDEL hello.txt\nCAPS\n',
    );
    expect(wire.lines.slice(3, -1)).toEqual([
      'ERR AUTH retry=auth: changes need a token: AUTH token',
      'ERR AUTH retry=auth: that is no token of this server',
      'ERR AUTH retry=auth: changes need a token: AUTH token',
      'OK',
      'OK',
    ]);
    expect(wire.lines.at(-1)).toContain(' auth=writes authenticated=yes ');
    expect(JSON.stringify(wire.records)).not.toMatch(/secret|wrong/);
  });

  test('--auth all: everything needs one but what is needed to show it', async () => {
    const wire = new Wire(library(), { tokens, auth: 'all' });
    await answersTo(wire, 'PING\nSTAT hello.txt\nLIST /\nDF\nGET hello.txt\nCAT hello.txt\nAUTH other\nSTAT docs\n');
    expect(wire.lines.map((line) => line.split(' ', 2).join(' '))).toEqual([
      ...['OK', 'ERR AUTH', 'ERR AUTH', 'ERR AUTH', 'ERR AUTH', 'ERR AUTH', 'OK', 'OK type=directory'],
    ]);
  });

  test('one that was taken out of the file opens nothing any more', async () => {
    const wire = new Wire(library(), { tokens });
    await answersTo(wire, 'AUTH secret\nMKDIR one\n');
    wire.changeLimits({ tokens: tokens.slice(1) });
    await answersTo(wire, 'MKDIR two\nAUTH secret\nAUTH other\nMKDIR two\n');
    expect(wire.lines.map((line) => line.split(' ', 2).join(' '))).toEqual([
      ...['OK', 'OK type=directory', 'ERR AUTH', 'ERR AUTH', 'OK', 'OK type=directory'],
    ]);
    expect(wire.records.filter(({ event }) => event === 'authenticated').map(({ token }) => token)).toEqual([
      ...['ann', 'line 4'],
    ]);
  });

  test('three that are wrong end the connection, and each is logged without it', async () => {
    const wire = new Wire(library(), { tokens });
    await answersTo(wire, 'AUTH a\nAUTH b\nAUTH c\nAUTH secret\nDEL hello.txt\n');
    expect(wire.lines).toHaveLength(3);
    wire.finish();
    expect(wire.reason).toBe('not-authenticated');
    expect(wire.records.map(({ event, attempts }) => [event, attempts])).toEqual(
      [1, 2, 3].map((n) => ['auth-failed', n]),
    );
  });

  test('where none is needed, showing one is no mistake', async () => {
    expect(await answers('AUTH anything\n')).toBe('OK auth=none\r\n');
  });
});

describe('time', () => {
  test('the first command has a deadline that trickling bytes do not move', async () => {
    const wire = new Wire(library(), { firstCommandTimeoutMs: 10_000 });
    for (let second = 0; second < 9; second += 1) {
      wire.send('P');
      wire.pass(1_000);
    }
    expect(wire.ended).toBe(false);
    wire.pass(1_000);
    expect(wire.output).toBe('ERR TIMEOUT retry=later: no whole command came in time; HELP lists them\r\n');
    wire.pass(2_000);
    expect(wire.reason).toBe('no-command');
  });

  test('after it a person may think for as long as the idle time-out lets them', async () => {
    const wire = new Wire(library());
    await answersTo(wire, 'PING\n');
    wire.pass(3_600_000);
    expect(wire.ended).toBe(false);
  });

  test('with --auth all a token must come in time', async () => {
    const tokens = parseTokens(`sha256:${sha256('t')}`);
    const late = new Wire(library(), { auth: 'all', tokens });
    await answersTo(late, 'PING\n');
    late.pass(60_000);
    expect(late.lines.at(-1)).toBe('ERR TIMEOUT retry=later: no valid token came in time');
    const early = new Wire(library(), { auth: 'all', tokens });
    await answersTo(early, 'AUTH t\n');
    early.pass(60_000);
    expect(early.ended).toBe(false);
  });

  test('a token that is taken away in the midst of a file ends it by a reset, not by a word among its bytes', async () => {
    const store = library();
    store.put('large', Buffer.alloc(8 * 1024 * 1024, 'x'));
    const wire = new Wire(store, { auth: 'all', tokens: parseTokens(`sha256:${sha256('t')}`) });
    await answersTo(wire, 'AUTH t\n');
    wire.takeNothing();
    wire.send('GET large\n');
    await wire.settle();
    wire.changeLimits({ tokens: parseTokens(`sha256:${sha256('another')}`) });
    wire.pass(60_000);
    expect([wire.wasReset, wire.reason]).toEqual([true, 'not-authenticated']);
    expect(wire.output).not.toContain('ERR');
  });

  test('an upload that moves may take hours; one that stands still is kept for a RESUME', async () => {
    const store = library();
    const wire = new Wire(store);
    await answersTo(wire, 'PUT slow 1000\n');
    for (let hour = 0; hour < 100; hour += 1) {
      await answersTo(wire, 'x');
      for (let look = 0; look < 9; look += 1) wire.pass(6_000);
    }
    expect(wire.lines).toEqual(['SEND 0 id=*']);
    for (let look = 0; look < 10; look += 1) wire.pass(6_000);
    await wire.settle();
    expect(wire.lines.at(-1)).toBe('ERR TIMEOUT retry=later id=*: the transfer stood still; RESUME goes on with it');
    expect(store.keptIds).toHaveLength(1);
    wire.finish();
    expect(wire.reason).toBe('stalled');
    expect(wire.records.at(-1)).toMatchObject({ verb: 'PUT', path: 'slow', bytes: 100, outcome: 'suspended' });
  });

  test('a download that nobody reads is reset', async () => {
    const store = library();
    store.put('large', seededBytes(4 * 1024 * 1024, 1));
    const wire = new Wire(store);
    wire.takeNothing();
    wire.send('GET large\n');
    await wire.settle();
    wire.pass(1_000);
    wire.pass(59_000);
    expect(wire.reason).toBeUndefined();
    wire.pass(1_000);
    expect([wire.reason, wire.wasReset]).toEqual(['stalled', true]);
    await wire.settle();
    expect(wire.records.at(-1)).toMatchObject({ verb: 'GET', outcome: 'cut' });
  });

  test('a store that takes its time is not the peer standing still', async () => {
    const store = library();
    const { promise, resolve } = Promise.withResolvers<void>();
    store.gate = promise;
    const wire = new Wire(store);
    wire.send('PUT a 5\nhello');
    await wire.settle();
    for (let minute = 0; minute < 10; minute += 1) wire.pass(60_000);
    expect(wire.reason).toBeUndefined();
    resolve();
    await wire.settle();
    expect(wire.lines.at(-1)).toMatch(/^OK type=file/);
  });

  test('who types a text is left to think', async () => {
    const wire = new Wire(library());
    await answersTo(wire, 'TEXT t\none\n');
    wire.pass(1_000);
    wire.pass(600_000);
    expect(await answersTo(wire, 'two\n.\n')).toContain('OK type=file size=8');
  });
});

describe('what is cut', () => {
  test('an upload is kept and goes on from there, under its own precondition and sum', async () => {
    const store = library();
    const first = new Wire(store);
    await answersTo(first, `PUT up 10 sha256=${sha256('0123456789')}\n01234`);
    const [, id = ''] = /id=([0-9a-f]{32})/.exec(first.output) ?? [];
    first.lose();
    await first.settle();
    const second = new Wire(store);
    await answersTo(second, `RESUME ${id}\n`);
    expect(second.lines).toEqual(['SEND 5 id=*']);
    await answersTo(second, '56789PING\n');
    expect(second.lines.slice(1)).toEqual([`OK type=file size=10 mtime=* etag=* sha256=${sha256('0123456789')}`, 'OK']);
    expect(second.records).toMatchObject([{ verb: 'RESUME', path: 'up', bytes: 5, offset: 5, outcome: 'complete' }]);
    expect(store.keptIds).toEqual([]);
  });

  test('one in chunks goes on in chunks; ABORT forgets one', async () => {
    const store = library();
    const ids: string[] = [];
    for (const path of ['a', 'b']) {
      const wire = new Wire(store);
      await answersTo(wire, `PUT ${path} chunked\n3\nabc\n2\nd`);
      ids.push(/id=([0-9a-f]{32})/.exec(wire.output)?.[1] ?? '');
      wire.finish();
      await wire.settle();
      expect(wire.reason).toBe('peer-closed');
    }
    const wire = new Wire(store);
    await answersTo(wire, `ABORT ${ids[1]}\nRESUME ${ids[1]}\nRESUME ${ids[0]}\n`);
    await answersTo(wire, '1\ne\n0\n');
    expect(wire.lines.map((line) => line.split(' ', 2).join(' '))).toEqual([
      ...['OK', 'ERR NOTFOUND', 'SEND 4', 'OK type=file'],
    ]);
    expect(String(store.content('a'))).toBe('abcde');
  });

  test('a connection lost when all is here changes nothing: it is stored', async () => {
    const store = library();
    const { promise, resolve } = Promise.withResolvers<void>();
    store.gate = promise;
    const wire = new Wire(store);
    await answersTo(wire, 'PUT up 5\nhello');
    wire.lose();
    await wire.settle();
    resolve();
    await wire.settle();
    expect(String(store.content('up'))).toBe('hello');
    expect([store.keptIds, store.heldCount]).toEqual([[], 0]);
    expect(wire.records).toMatchObject([{ verb: 'PUT', outcome: 'complete' }]);
  });

  test('a second RESUME of the same upload is BUSY', async () => {
    const store = library();
    const first = new Wire(store);
    await answersTo(first, 'PUT up 10\n01234');
    const [, id = ''] = /id=([0-9a-f]{32})/.exec(first.output) ?? [];
    expect(await answersTo(new Wire(store), `RESUME ${id}\n`)).toMatch(/^ERR BUSY retry=later: /);
  });

  test('a typed text is not kept', async () => {
    const store = library();
    const wire = new Wire(store);
    await answersTo(wire, 'TEXT t\nhalf\n');
    wire.lose();
    await wire.settle();
    expect([store.keptIds, store.heldCount]).toEqual([[], 0]);
    expect(wire.records.at(-1)).toMatchObject({ verb: 'TEXT', outcome: 'cut' });
  });

  test('a file that shrinks is never padded: the connection is reset', async () => {
    const store = library();
    store.put('large', seededBytes(8 * 1024 * 1024, 2));
    for (const command of ['GET', 'CAT']) {
      const wire = new Wire(store);
      wire.takeNothing();
      wire.send(`${command} large\n`);
      await wire.settle();
      store.tamper('large', Buffer.alloc(100));
      wire.takeEverything();
      await wire.settle();
      expect([wire.reason, wire.wasReset], command).toEqual(['cut-short', true]);
      expect(wire.rawOutput.length).toBeLessThan(8 * 1024 * 1024);
      expect(wire.records.at(-1)).toMatchObject({ verb: command, outcome: 'cut', code: 'CHANGED' });
      store.tamper('large', seededBytes(8 * 1024 * 1024, 2));
    }
  });

  test('a file that was written to meanwhile is sent as promised, and not called right', async () => {
    const store = library();
    store.put('large', seededBytes(8 * 1024 * 1024, 2));
    const wire = new Wire(store);
    wire.takeNothing();
    wire.send('GET large\n');
    await wire.settle();
    store.tamper('large', seededBytes(8 * 1024 * 1024, 3));
    wire.takeEverything();
    while (!wire.output.endsWith('\r\n')) await wire.settle();
    expect(wire.output.slice(-90)).toContain('\r\nERR CHANGED retry=no: it was written to meanwhile\r\n');
  });

  test('a small file that was written to while it was read is not sent at all', async () => {
    const store = library();
    const gate = Promise.withResolvers<void>();
    store.gate = gate.promise;
    const wire = new Wire(store);
    wire.send('GET hello.txt\n');
    await wire.settle();
    store.tamper('hello.txt', Buffer.from('HELLO\n'));
    gate.resolve();
    await wire.settle();
    expect(wire.lines).toEqual(['ERR CHANGED retry=no: it was written to meanwhile']);
  });
});

describe('what is known of a file', () => {
  const content = seededBytes(3 * 1024 * 1024, 11);

  test.each(['sha256', 'crc32'])('is not the %s of the part that one saw who left before its end', async (alg) => {
    const store = library();
    store.put('large', content);
    const digests = new DigestCache(10);
    const gate = Promise.withResolvers<void>();
    store.gate = gate.promise;
    const leaver = new Wire(store, {}, { digests });
    leaver.send(`SUM large alg=${alg}\n`);
    await leaver.settle();
    leaver.lose();
    await leaver.settle();
    gate.resolve();
    await leaver.settle();
    const wire = new Wire(store, {}, { digests });
    const sum = alg === 'crc32' ? crcOf(content) : sha256(content);
    expect(await answersTo(wire, `SUM large alg=${alg}\n`)).toContain(`OK ${alg}=${sum} `);
  });

  test('is not the crc32 of the part that was sent before its reader was cut', async () => {
    const store = library();
    store.put('large', content);
    const digests = new DigestCache(10);
    const tokens = parseTokens(`sha256:${sha256('secret')}`);
    const reader = new Wire(store, { auth: 'all', tokens }, { digests });
    await answersTo(reader, 'AUTH secret\n');
    const gate = Promise.withResolvers<void>();
    store.gate = gate.promise;
    reader.send('GET large\n');
    await reader.settle();
    reader.changeLimits({ tokens: parseTokens(`sha256:${sha256('other')}`) });
    reader.pass(60_000);
    expect(reader.wasReset).toBe(true);
    gate.resolve();
    await reader.settle();
    const wire = new Wire(store, {}, { digests });
    wire.send('GET large\n');
    while (!/\r\nOK .*\r\n$/.test(wire.output)) await wire.settle();
    expect(wire.output.slice(-21)).toBe(`\r\nOK crc32=${crcOf(content)}\r\n`);
  });
});

test('a connection that is superseded keeps nothing of the pool', async () => {
  const store = library();
  const evicted = new AbortController();
  const create = store.createUpload.bind(store);
  store.createUpload = async (request) =>
    Object.defineProperty(await create(request), 'evicted', { value: evicted.signal });
  const wire = new Wire(store);
  await answersTo(wire, 'PUT large 10000000\n', Buffer.alloc(200_000));
  expect(wire.blocks.lentBlocks).toBe(1);
  evicted.abort();
  await wire.settle();
  expect([wire.reason, wire.blocks.lentBlocks]).toEqual(['superseded', 0]);
});

describe('a stop', () => {
  test('an idle session is told and ended at once', async () => {
    const wire = new Wire(library());
    await answersTo(wire, 'PING\n');
    wire.session.onDrain();
    expect(wire.lines).toEqual(['OK', 'ERR SHUTDOWN retry=later: the server stops']);
    wire.finish();
    expect(wire.reason).toBe('drained');
  });

  test('a transfer ends first; what was pipelined behind it is not begun', async () => {
    const store = library();
    const wire = new Wire(store);
    await answersTo(wire, 'PUT a 5\nhel');
    wire.session.onDrain();
    expect(wire.session.isBusy()).toBe(true);
    expect(wire.ended).toBe(false);
    await answersTo(wire, 'loDEL hello.txt\n');
    expect(wire.lines.slice(1).map((line) => line.split(' ', 2).join(' '))).toEqual(['OK type=file', 'ERR SHUTDOWN']);
    expect(wire.session.isBusy()).toBe(false);
    expect(String(store.content('hello.txt'))).toBe('hello\n');
  });
});

test('pages of a listing are asked for in the name of the session, so that they cost less than listings', async () => {
  const store = library();
  const list = vi.spyOn(store, 'list');
  const wire = new Wire(store);
  await answersTo(wire, 'LIST / n=1\nLIST / n=1 after=docs\n');
  expect(list.mock.calls.map(([, { reader }]) => reader)).toEqual([wire.session, wire.session]);
});

test('a peer waits for us while a command is worked on, and not while it does not take what it asked for', async () => {
  const store = library();
  store.put('large', Buffer.alloc(1024 * 1024));
  const wire = new Wire(store);
  wire.send('SUM large\n');
  expect(wire.session.isWorking()).toBe(true);
  await wire.settle();
  expect([wire.session.isWorking(), wire.lines.length]).toEqual([false, 1]);
  wire.takeNothing();
  await answersTo(wire, 'GET large\n');
  expect([wire.session.isWorking(), wire.session.isBusy()]).toEqual([false, true]);
});

describe('limits', () => {
  test('--max-files-per-connection counts files, not commands', async () => {
    const wire = new Wire(library(), { maxFilesPerConnection: 2 });
    await answersTo(wire, 'GET hello.txt len=0\nPING\nPUT n 1\nxPING\nGET hello.txt\nPING\n');
    expect(wire.lines.slice(-2).map((line) => line.split(' ', 3).join(' '))).toEqual(['OK', 'ERR LIMIT retry=later:']);
    wire.finish();
    expect(wire.reason).toBe('file-limit');
  });

  test('a peer that sends commands and reads no answers is not listened to for ever', async () => {
    const wire = new Wire(library());
    wire.takeNothing();
    for (let round = 0; round < 400; round += 1) wire.send('HELP\n'.repeat(100));
    await wire.settle();
    expect(wire.unsentBytes).toBeLessThan(1024 * 1024);
    expect(wire.held).toBe(true);
    wire.takeEverything();
    for (let round = 0; wire.held && round < 100; round += 1) await wire.settle();
    expect(wire.held).toBe(false);
  });

  test.each([
    ['blank lines', '', '\n', 'PING\n'],
    ['lines that are no commands', '', 'x\n', 'PING\n'],
    ['commands that ask nothing of the store', '', 'PING\n', 'PING\n'],
    ['commands that are refused', '', 'RMDIR a\n', 'PING\n'],
    ['lines of a text', 'TEXT t\n', '\n', '.\n'],
    ['chunks', 'PUT c chunked\n', '1\na\n', '0\n'],
  ])('%s do not keep the others waiting, however many one read holds', async (_, begin, line, end) => {
    const wire = new Wire(library({}), { writable: begin !== '' });
    await answersTo(wire, begin);
    wire.send(line.repeat(20_000) + end);
    let turns = 0;
    for (; wire.held; turns += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(turns).toBeGreaterThan(15);
    await wire.settle();
    expect(wire.lines.at(-1)).toMatch(/^OK/);
  });

  test('many reads in one turn of the event loop are no more than one', async () => {
    const wire = new Wire(library());
    for (let read = 0; read < 32; read += 1) wire.send('STAT hello.txt\n'.repeat(10));
    await new Promise((resolve) => setImmediate(resolve));
    expect(wire.lines.length).toBeLessThanOrEqual(40);
  });

  test('after some pipelined commands the next one waits for another turn of the event loop', async () => {
    const wire = new Wire(library());
    wire.send('STAT hello.txt\n'.repeat(100));
    await new Promise((resolve) => setImmediate(resolve));
    expect(wire.lines.length).toBeGreaterThan(0);
    expect(wire.lines.length).toBeLessThanOrEqual(40);
    for (let round = 0; round < 10; round += 1) await wire.settle();
    expect(wire.lines.length).toBe(100);
  });

  test('a connection that had its last word is read from for a while only', async () => {
    const wire = new Wire(library());
    await answersTo(wire, 'A\0\n');
    expect(wire.ended).toBe(true);
    for (let round = 0; round < 5; round += 1) wire.send(Buffer.alloc(262_144, 'A'));
    expect(wire.reason).toBe('protocol-error');
  });

  test('a fault of the store is ours: the peer hears INTERNAL, the log gets the stack', async () => {
    const store = library();
    store.stat = () => Promise.reject(new Error('a secret path'));
    const wire = new Wire(store);
    expect(await answersTo(wire, 'STAT x\nPING\n')).toBe(
      'ERR INTERNAL retry=later: the server failed; its log says how\r\nOK\r\n',
    );
    expect(wire.records).toMatchObject([{ level: 'error', event: 'internal-error', msg: 'a secret path' }]);
  });
});

test('CAPS and HELP name every verb there is', async () => {
  const wire = new Wire(library());
  await answersTo(wire, 'CAPS\nHELP\n');
  const [caps = '', head = '', ...help] = wire.lines;
  expect(caps).toContain(` verbs=${Object.keys(verbs).join(',')} `);
  const promised = Number(/^DATA (\d+)$/.exec(head)?.[1]);
  expect(wire.output.slice(wire.output.indexOf(head) + head.length + 2)).toHaveLength(promised + '\r\nOK\r\n'.length);
  for (const verb of Object.keys(verbs)) expect(help.some((line) => line.split(' ')[0] === verb)).toBe(true);
  expect(Math.max(...help.map((line) => line.length))).toBeLessThanOrEqual(80);
});

describe('the log', () => {
  test('tells of each command of which nothing was done, and shows no token that was typed in the wrong place', async () => {
    const wire = new Wire(library(), { writable: false });
    await answersTo(wire, 'PUT a/b 3\nxyzDEL hello.txt\nGET\nsecret-token\nAUTH one two\nSTAT nothing\n');
    expect(wire.records.map(({ event, verb, path, word, code }) => [event, verb, path, word, code])).toEqual([
      ['command-refused', 'PUT', 'a/b', undefined, 'READONLY'],
      ['command-refused', 'DEL', 'hello.txt', undefined, 'READONLY'],
      ['command-refused', 'GET', undefined, undefined, 'BADARG'],
      ['command-refused', undefined, undefined, 'secret-t', 'BADCMD'],
      ['command-refused', 'AUTH', undefined, undefined, 'BADARG'],
    ]);
    expect(wire.records[0]?.msg).toBe('192.0.2.1:4000 PUT a/b: READONLY, this server is read-only');
    expect(JSON.stringify(wire.records)).not.toMatch(/secret-token|one two/);
  });

  test('tells why a connection was ended, and why a change was not made', async () => {
    const wire = new Wire(library());
    await answersTo(wire, 'MKDIR docs\nDEL nothing\nMOVE nothing a\nA\0\n');
    expect(wire.records.map(({ event, verb, path, code }) => [event, verb, path, code])).toEqual([
      ['command-refused', 'MKDIR', 'docs', 'EXISTS'],
      ['command-refused', 'DEL', 'nothing', 'NOTFOUND'],
      ['command-refused', 'MOVE', 'nothing', 'NOTFOUND'],
      ['command-refused', undefined, undefined, 'BADCMD'],
    ]);
  });

  test('has ten of them for a connection, and a hundred a second of all, with the number that was passed over', async () => {
    const store = library();
    const first = new Wire(store);
    await answersTo(first, 'x\n'.repeat(50));
    expect(first.records).toHaveLength(10);
    const { transfers } = first;
    const error = new FileError('BADCMD', 'no');
    for (let peer = 0; peer < 1_500; peer += 1) transfers.refused({ id: `${peer}`, peer: 'p' }, { refusals: 1 }, error);
    expect(first.records).toHaveLength(1_000);
    first.nowMs += 1_000;
    transfers.refused({ id: 'z', peer: 'p' }, { refusals: 1 }, error);
    expect(first.records.at(-1)).toMatchObject({ unlogged: 510 });
  });

  test('warns of a full disk', async () => {
    const store = library();
    store.createUpload = () => Promise.reject(new FileError('NOSPACE', 'the disk is full'));
    const wire = new Wire(store);
    await answersTo(wire, 'PUT a 3\nabc');
    expect(wire.records).toMatchObject([{ level: 'warn', event: 'transfer', outcome: 'refused', code: 'NOSPACE' }]);
  });
});
