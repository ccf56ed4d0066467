/** Small files whose reply is the one that the listing promised: taken as it stands, and nothing else is. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seededBytes } from '../../../../test/support/splits.ts';
import type { Exchange } from '../../src/client/connection.ts';
import { formatCrc32, startRange } from '../../src/client/range.ts';
import { decodePath } from '../../src/protocol/path.ts';
import { type RemoteEntry, statEntry } from '../../src/protocol/reply-entry.ts';
import { parseReply } from '../../src/protocol/reply-parser.ts';
import { Peer } from '../support/peer.ts';
import { TestServer } from '../support/server.ts';
import { get, type Ran } from './harness.ts';
import { entryFields, item, type Script, startScripted, TIME } from './scripted-server.ts';

let home: string;
let target: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'small-servers-'));
  target = join(home, 'target');
});
afterEach(() => rm(home, { recursive: true }));

/** What our server answers to GET of all of a file. */
function whole(bytes: Buffer, etag = 'e1'): Buffer {
  const header = `DATA ${bytes.length} off=0 size=${bytes.length} mtime=${TIME} etag=${etag}\r\n`;
  return Buffer.concat([Buffer.from(header), bytes, Buffer.from(`\r\nOK crc32=${formatCrc32(crc32(bytes))}\r\n`)]);
}

const files = new Map([
  ['a', seededBytes(7, 1)],
  ['b', Buffer.alloc(0)],
  ['c', Buffer.from('\r\nOK crc32=00000000\r\n')],
]);
const listing = `${[...files].map(([name, bytes]) => item(name, bytes.length)).join('')}OK count=3 more=no\r\n`;
const replies = Buffer.concat([...files.values()].map((bytes) => whole(bytes)));

/** Answers the GETs of all files, which come together, with these pieces, each in a turn of its own. */
function answering(pieces: readonly Uint8Array[]): Script {
  let asked = 0;
  return (line, socket) => {
    if (line.startsWith('STAT')) return `OK ${entryFields(0, 'directory')}\r\n`;
    if (line.startsWith('LIST')) return listing;
    asked += 1;
    if (asked !== files.size) return undefined;
    socket.setNoDelay(true);
    const send = (at: number): void => {
      const piece = pieces[at];
      if (piece !== undefined && !socket.destroyed) socket.write(piece, () => setImmediate(send, at + 1));
    };
    send(0);
    return undefined;
  };
}

async function fetchFrom(script: Script): Promise<Ran> {
  await rm(target, { recursive: true, force: true });
  await using server = await startScripted(script);
  const flags = { recursive: 'true', retries: '0', timeout: '200ms', parallel: '1' };
  return await get({ port: server.port, path: 'tree', local: target, flags });
}

async function found(): Promise<ReadonlyMap<string, Buffer>> {
  const there = (await readdir(target)).toSorted();
  return new Map(await Promise.all(there.map(async (name) => [name, await readFile(join(target, name))] as const)));
}

test('cut in two at any byte, the replies bring the same files', async () => {
  for (let at = 1; at < replies.length; at++) {
    expect(await fetchFrom(answering([replies.subarray(0, at), replies.subarray(at)]))).toMatchObject({ code: 0 });
    expect(await found(), `cut at ${at}`).toEqual(files);
  }
});

test('with any byte changed, no file has another content than its digest says', async () => {
  for (let at = 0; at < replies.length; at++) {
    const wrong = Buffer.from(replies);
    wrong[at] = (wrong[at] as number) ^ 0x01;
    await fetchFrom(answering([wrong]));
    for (const [name, bytes] of await found())
      expect(bytes, `${name}, with byte ${at} changed`).toEqual(files.get(name));
  }
}, 60_000);

describe('one reply', () => {
  const bytes = seededBytes(100, 5);
  const entry: RemoteEntry = {
    path: decodePath('f'),
    kind: 'file',
    sizeBytes: bytes.length,
    modifiedMs: Date.parse(TIME),
    etag: 'e1',
    sha256: undefined,
  };

  /** The exchange that a GET makes, and what it brought. */
  function ask(
    changes: Partial<RemoteEntry> = {},
    takes: (all: Buffer) => void = () => {},
  ): { exchange: Exchange; taken: Buffer[]; ends: (Error | undefined)[] } {
    const taken: Buffer[] = [];
    const ends: (Error | undefined)[] = [];
    let exchange: Exchange | undefined;
    const receiver = {
      write: () => undefined,
      complete: () => {},
      takeAll: (all: Buffer) => {
        takes(all);
        taken.push(Buffer.from(all));
      },
    };
    const connection = {
      send: (_line: string, sent: Exchange) => {
        exchange = sent;
      },
    };
    const request = { path: entry.path, entry: { ...entry, ...changes }, offset: 0 };
    startRange(connection, request, receiver, (error) => ends.push(error));
    return { exchange: exchange as Exchange, taken, ends };
  }

  test('is taken where all of it is there, with what follows left, and only once', () => {
    const { exchange, taken, ends } = ask();
    const reply = whole(bytes);
    const chunk = Buffer.concat([Buffer.from('before'), reply, Buffer.from('behind')]);
    expect(exchange.takeAhead?.(chunk, 6)).toBe(6 + reply.length);
    exchange.fail(new Error('the connection ended'));
    expect([exchange.isOver, taken, ends]).toEqual([true, [bytes], [undefined]]);
  });

  test('is left alone as long as a byte of it is missing', () => {
    const reply = whole(bytes);
    for (let length = 0; length < reply.length; length++) {
      const { exchange, taken } = ask();
      expect(exchange.takeAhead?.(reply.subarray(0, length), 0)).toBe(0);
      expect(taken).toEqual([]);
    }
  });

  test('whose receiver throws ends with what it threw, and the connection goes on behind it', () => {
    const { exchange, ends } = ask({}, () => {
      throw new Error('the disk is full');
    });
    const reply = whole(bytes);
    expect([exchange.takeAhead?.(reply, 0), exchange.isOver, ends]).toEqual([
      reply.length,
      true,
      [new Error('the disk is full')],
    ]);
  });

  test.each([
    ['size', { sizeBytes: 99 }],
    ['time', { modifiedMs: entry.modifiedMs + 1 }],
    ['etag', { etag: 'e2' }],
    ['sha256', { sha256: 'a'.repeat(64) }],
  ])('of another %s than the listing told is left alone', (_what, changes) => {
    const { exchange, taken } = ask(changes);
    expect([exchange.takeAhead?.(whole(bytes), 0), taken]).toEqual([0, []]);
  });

  test('is what our own server sends, before it knows the sha256 and after', async () => {
    await using server = await TestServer.start();
    await writeFile(join(server.root, 'f'), bytes);
    const peer = await Peer.connect(server.port);
    for (const sum of ['crc32', 'sha256']) {
      await peer.ask(`SUM f alg=${sum}`);
      const stat = parseReply(Buffer.from((await peer.ask('STAT f')).line));
      if (stat.kind !== 'ok') throw new Error(stat.kind);
      peer.socket.write('GET f\r\n');
      const [data, closing] = await peer.take(2);
      const lines = [`${data?.line}\r\n`, `\r\n${closing?.line}\r\n`].map((text) => Buffer.from(text));
      const raw = Buffer.concat([lines[0] as Buffer, data?.content ?? Buffer.alloc(0), lines[1] as Buffer]);
      const { exchange, taken } = ask(statEntry(stat.fields));
      expect([sum, exchange.takeAhead?.(raw, 0), taken]).toEqual([sum, raw.length, [bytes]]);
    }
    peer.socket.destroy();
  });
});
