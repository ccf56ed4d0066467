/**
 * The server against a model: random commands on two connections, pipelined and cut anywhere, on the real disk. What
 * is answered must be what a few hundred plain lines in memory say; of a wrong sequence fast-check shows the shortest.
 */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { errorCodes, FileError, type FileErrorCode } from '../src/protocol/codes.ts';
import { decodePath, type FilePath } from '../src/protocol/path.ts';
import type { Entry, Precondition, Upload } from '../src/store/store.ts';
import { memoryDirectory } from './store/support/roots.ts';
import { MemoryStore } from './support/memory-store.ts';
import { Peer, type Reply } from './support/peer.ts';
import { TestServer } from './support/server.ts';

const MAX_FILE_BYTES = 120_000;

/** Files, folders, names that need encoding, names that are refused, and ways through what is no folder. */
const paths = [
  'a',
  'b',
  'd',
  'd/a',
  'd/e',
  'd/e/f',
  'a/x',
  '%C3%A9',
  'sp%20ace',
  '/',
  'CON',
  '../a',
  '.small-servers/x',
];

type EtagChoice = 'none' | 'any' | 'current' | 'stale' | 'absent';

type Operation =
  | { readonly do: 'PING' | 'junk' }
  | { readonly do: 'STAT' | 'MKDIR' | 'RMDIR'; readonly path: string }
  | { readonly do: 'SUM'; readonly path: string; readonly alg: 'sha256' | 'crc32' }
  | { readonly do: 'LIST'; readonly path: string; readonly n: number; readonly depth: number; readonly after: string }
  | { readonly do: 'GET'; readonly path: string; readonly off: number; readonly len: number; readonly etag: EtagChoice }
  | { readonly do: 'DEL'; readonly path: string; readonly etag: EtagChoice }
  | { readonly do: 'MOVE'; readonly path: string; readonly to: string; readonly etag: EtagChoice }
  | {
      readonly do: 'PUT';
      readonly path: string;
      readonly content: Buffer;
      readonly form: 'counted' | 'chunked' | 'text';
      readonly etag: EtagChoice;
      readonly sum: 'right' | 'wrong' | 'absent';
    };

const path = fc.constantFrom(...paths);
const etagChoice = fc.constantFrom<EtagChoice>('none', 'any', 'current', 'stale', 'absent');
const content = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 5, arbitrary: fc.constantFrom('DEL a\n', '0\n\n0\n', '.\r\n', 'OK\r\n').map((text) => Buffer.from(text)) },
  { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 130_000 }).map((length) => Buffer.alloc(length, 'long ')) },
);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ do: fc.constantFrom('PING' as const, 'junk' as const) }),
  fc.record({ do: fc.constantFrom('STAT' as const, 'MKDIR' as const, 'RMDIR' as const), path }),
  fc.record({ do: fc.constant('SUM' as const), path, alg: fc.constantFrom('sha256' as const, 'crc32' as const) }),
  fc.record({
    do: fc.constant('LIST' as const),
    path: fc.constantFrom('/', 'd', 'a', 'nothing'),
    n: fc.integer({ min: 1, max: 4 }),
    depth: fc.integer({ min: 1, max: 3 }),
    after: fc.constantFrom('', 'a', 'd', 'd/a', 'zz'),
  }),
  fc.record({
    do: fc.constant('GET' as const),
    path,
    off: fc.oneof(fc.constantFrom(0, 0, 6, 7), fc.integer({ min: 0, max: 30 })),
    len: fc.integer({ min: 0, max: 70_000 }),
    etag: etagChoice,
  }),
  fc.record({ do: fc.constant('DEL' as const), path, etag: etagChoice }),
  fc.record({ do: fc.constant('MOVE' as const), path, to: path, etag: etagChoice }),
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('PUT' as const),
      path,
      content,
      form: fc.constantFrom('counted' as const, 'chunked' as const, 'text' as const),
      etag: etagChoice,
      sum: fc.constantFrom('right' as const, 'wrong' as const, 'absent' as const),
    }),
  },
);

/** An upload that a connection is in the middle of, or that was cut. */
interface HalfDone {
  readonly upload: Upload;
  readonly rest: Buffer;
}

interface Model {
  readonly store: MemoryStore;
  /** Of each connection. */
  readonly halfDone: (HalfDone | undefined)[];
  /** Cut uploads: the model's side, and the server's id for the same. */
  readonly cut: (HalfDone & { readonly id: string })[];
}

interface Real {
  readonly server: TestServer;
  readonly peers: Peer[];
  readonly control: Peer;
}

/** Etags as both sides have them at the moment; a choice between them is the same choice on either side. */
interface Etags {
  readonly model: string | undefined;
  readonly real: string | undefined;
}

const STALE: Etags = { model: 'stale', real: '0123456789abcdef' };

/** What a line says, without what differs from run to run and machine to machine, and without words for people. */
function settled({ line, content }: Reply): string {
  const plain = line
    .replace(/^(ERR \S+ retry=\w+).*/, '$1')
    .replaceAll(/ (?:id|etag|mtime)=\S+/g, '')
    // Whether a digest is known already depends on how long ago the file was written.
    .replace(/^((?:DATA|\w+ (?:path=\S+ )?type=).*) sha256=\S+$/, '$1');
  return content === undefined ? plain : `${plain} | ${content.toString('latin1')}`;
}

const errorLine = (code: FileErrorCode): string => `ERR ${code} retry=${errorCodes[code]}`;

async function etagsOf(text: string, model: Model, real: Real): Promise<Etags> {
  const { line } = await real.control.ask(`STAT ${text}`);
  const entry = await attempt(() => model.store.stat(decodePath(text)));
  return { model: typeof entry === 'string' ? undefined : entry.etag, real: / etag=(\S+)/.exec(line)?.[1] };
}

async function attempt<T>(work: () => Promise<T>): Promise<T | string> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FileError) return errorLine(error.code);
    throw error;
  }
}

const said = (entry: Entry | string, words = 'OK'): string =>
  typeof entry === 'string' ? entry : `${words} type=${entry.kind} size=${entry.sizeBytes}`;

function choose(choice: EtagChoice, { model, real }: Etags): Etags | EtagChoice {
  if (choice !== 'current' && choice !== 'stale') return choice;
  return choice === 'current' && model !== undefined && real !== undefined ? { model, real } : STALE;
}

function preconditionOf(chosen: Etags | EtagChoice): Precondition {
  if (typeof chosen === 'object') return { kind: 'etag', etag: chosen.model ?? '' };
  return { kind: chosen === 'any' ? 'any' : 'none' };
}

/** ` if=...` as the server is told it; where an etag alone can be meant, nothing else is said. */
function option(chosen: Etags | EtagChoice, etagsOnly = false): string {
  if (typeof chosen === 'object') return ` if=${chosen.real}`;
  return chosen === 'absent' || etagsOnly ? '' : ` if=${chosen}`;
}

/** A text is stored in lines: what it says when it is typed. */
function textOf(content: Buffer): { readonly typed: Buffer; readonly stored: Buffer } {
  const lines = content
    .toString('latin1')
    .split('\n')
    .map((line) => line.slice(0, 1_000).replace(/\r$/, ''));
  const typed = lines.map((line) => `${line.startsWith('.') ? '.' : ''}${line}\n`).join('');
  return {
    typed: Buffer.from(`${typed}.\n`, 'latin1'),
    stored: Buffer.from(lines.map((l) => `${l}\n`).join(''), 'latin1'),
  };
}

function chunked(content: Buffer): Buffer {
  const half = content.length >> 1;
  const parts = [content.subarray(0, half), content.subarray(half)].filter(({ length }) => length > 0);
  const framed = parts.flatMap((part) => [Buffer.from(`${part.length}\n`), part, Buffer.from('\n')]);
  return Buffer.concat([...framed, Buffer.from('0\n')]);
}

/** What the server is sent for an operation, and what it must say to that. */
interface Exchange {
  readonly bytes: Buffer;
  readonly expected: readonly string[];
}

async function exchange(operation: Operation, model: Model, etags: Etags): Promise<Exchange> {
  const { store } = model;
  const line = (text: string, ...expected: string[]): Exchange => ({ bytes: Buffer.from(`${text}\r\n`), expected });
  switch (operation.do) {
    case 'PING':
      return line('PING', 'OK');
    case 'junk':
      return line('NONSENSE 12', errorLine('BADCMD'));
    case 'STAT':
      return line(`STAT ${operation.path}`, said(await at(operation.path, (path) => store.stat(path))));
    case 'MKDIR':
      return line(`MKDIR ${operation.path}`, said(await at(operation.path, (path) => store.makeDirectory(path))));
    case 'RMDIR':
      return line(`RMDIR ${operation.path}`, (await at(operation.path, (path) => store.removeDirectory(path))) ?? 'OK');
    case 'SUM': {
      const { path, alg } = operation;
      const sum = await at(path, async (decoded) => {
        await store.open(decoded);
        const bytes = store.content(path);
        const sum = alg === 'crc32' ? crcText(bytes) : createHash('sha256').update(bytes).digest('hex');
        return `OK ${alg}=${sum} size=${bytes.length}`;
      });
      return line(`SUM ${path} alg=${alg}`, sum);
    }
    case 'LIST':
      return list(operation, store);
    case 'GET':
      return get(operation, store, choose(operation.etag, etags));
    case 'DEL': {
      const chosen = choose(operation.etag, etags);
      const etag = typeof chosen === 'object' ? chosen.model : undefined;
      const done = await at(operation.path, (path) => store.remove(path, etag));
      return line(`DEL ${operation.path}${option(chosen, true)}`, done ?? 'OK');
    }
    case 'MOVE': {
      const chosen = choose(operation.etag, etags);
      const moved = await at(operation.path, (from) =>
        at(operation.to, (to) => store.move(from, to, preconditionOf(chosen))),
      );
      return line(`MOVE ${operation.path} ${operation.to}${option(chosen)}`, said(moved));
    }
    case 'PUT':
      return put(operation, store, choose(operation.etag, etags));
  }
}

/** Decodes a path and goes on, both of which may be refused. */
async function at<T>(text: string, work: (path: FilePath) => Promise<T>): Promise<T | string> {
  return attempt(async () => work(decodePath(text)));
}

const crcText = (bytes: Buffer): string => crc32(bytes).toString(16).padStart(8, '0');

async function list({ path, n, depth, after }: Operation & { do: 'LIST' }, store: MemoryStore): Promise<Exchange> {
  const from = after === '' ? undefined : after;
  const page = await at(path, (decoded) => store.list(decoded, { after: from, limit: n, depth }));
  const bytes = Buffer.from(`LIST ${path} n=${n}${from === undefined ? '' : ` after=${from}`} depth=${depth}\n`);
  if (typeof page === 'string') return { bytes, expected: [page] };
  const items = page.entries.map((entry) => said(entry, `ITEM path=${entry.path.text}`));
  const last = page.entries.at(-1)?.path.text;
  const more = page.more ? `yes after=${last}` : 'no';
  return { bytes, expected: [...items, `OK count=${items.length} more=${more}`] };
}

async function get(
  { path, off, len }: Operation & { do: 'GET' },
  store: MemoryStore,
  chosen: Etags | EtagChoice,
): Promise<Exchange> {
  const bytes = Buffer.from(`GET ${path} off=${off} len=${len}${option(chosen, true)}\n`);
  const opened = await at(path, (decoded) => store.open(decoded));
  if (typeof opened === 'string') return { bytes, expected: [opened] };
  const { etag, sizeBytes } = opened.entry;
  if (typeof chosen === 'object' && chosen.model !== etag) return { bytes, expected: [errorLine('CHANGED')] };
  if (off > sizeBytes) return { bytes, expected: [errorLine('OFFSET')] };
  const content = store.content(path).subarray(off, off + len);
  const data = settled({ line: `DATA ${content.length} off=${off} size=${sizeBytes} etag=x`, content });
  return { bytes, expected: [data, `OK crc32=${crcText(content)}`] };
}

async function put(
  { path, content, form, sum }: Operation & { do: 'PUT' },
  store: MemoryStore,
  chosen: Etags | EtagChoice,
): Promise<Exchange> {
  const { typed, stored } = form === 'text' ? textOf(content) : { typed: content, stored: content };
  const payload = form === 'chunked' ? chunked(content) : typed;
  const digest = createHash('sha256')
    .update(sum === 'wrong' ? 'something else' : stored)
    .digest('hex');
  const sha256 = form === 'text' || sum === 'absent' ? undefined : digest;
  const length = form === 'counted' ? String(content.length) : form;
  const head = form === 'text' ? `TEXT ${path}` : `PUT ${path} ${length}`;
  const line = `${head}${option(chosen)}${sha256 === undefined ? '' : ` sha256=${sha256}`}\n`;
  const sizeBytes = form === 'counted' ? content.length : undefined;
  const upload = await at(path, (decoded) =>
    store.createUpload({ path: decoded, sizeBytes, precondition: preconditionOf(chosen), sha256 }),
  );
  const bytes = Buffer.concat([Buffer.from(line), payload]);
  if (typeof upload === 'string') return { bytes, expected: [upload] };
  const entry = await attempt(async () => {
    if (stored.length > 0) await upload.write(stored);
    return upload.commit();
  });
  return { bytes, expected: ['SEND 0', said(entry)] };
}

/** Sends bytes in pieces that end anywhere. */
function sendInPieces(peer: Peer, bytes: Buffer, cuts: readonly number[]): void {
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  let from = 0;
  for (const to of ends) {
    if (to > from) peer.socket.write(bytes.subarray(from, to));
    from = to;
  }
}

type Step = fc.AsyncCommand<Model, Real>;

/** Several commands at once on one connection. */
class Batch implements Step {
  readonly conn: number;
  readonly operations: readonly Operation[];
  readonly cuts: readonly number[];

  constructor(conn: number, operations: readonly Operation[], cuts: readonly number[]) {
    this.conn = conn;
    this.operations = operations;
    this.cuts = cuts;
  }

  check({ halfDone }: Model): boolean {
    return halfDone[this.conn] === undefined;
  }

  async run(model: Model, real: Real): Promise<void> {
    const etags: Etags[] = [];
    for (const each of this.operations) {
      const name = each.do === 'MOVE' ? each.to : 'path' in each ? each.path : '/';
      etags.push(await etagsOf(name, model, real));
    }
    const exchanges: Exchange[] = [];
    for (const [index, each] of this.operations.entries()) {
      exchanges.push(await exchange(each, model, etags[index] ?? STALE));
    }
    const expected = exchanges.flatMap((one) => one.expected).map((line) => settled({ line }));
    const peer = peerOf(real, this.conn);
    sendInPieces(peer, Buffer.concat(exchanges.map(({ bytes }) => bytes)), this.cuts);
    expect((await peer.take(expected.length)).map(settled)).toEqual(expected);
  }

  toString(): string {
    const words = this.operations.map((each) =>
      JSON.stringify({ ...each, content: 'content' in each ? each.content.length : undefined }),
    );
    return `[${this.conn}] ${words.join(' ')}`;
  }
}

/** The line of an upload and a part of what it announced; the rest comes later, or never. */
class Begin implements Step {
  readonly conn: number;
  readonly path: string;
  readonly content: Buffer;

  constructor(conn: number, path: string, content: Buffer) {
    this.conn = conn;
    this.path = path;
    this.content = content;
  }

  check({ halfDone }: Model): boolean {
    return halfDone[this.conn] === undefined && this.content.length > 1;
  }

  async run(model: Model, real: Real): Promise<void> {
    const half = this.content.length >> 1;
    const peer = peerOf(real, this.conn);
    peer.socket.write(`PUT ${this.path} ${this.content.length} if=any\n`);
    const upload = await at(this.path, (path) =>
      model.store.createUpload({ path, sizeBytes: this.content.length, precondition: { kind: 'any' } }),
    );
    const [reply] = await peer.take(1);
    expect(settled(reply as Reply)).toBe(typeof upload === 'string' ? upload : 'SEND 0');
    if (typeof upload === 'string') {
      peer.socket.write(this.content);
      return;
    }
    await upload.write(this.content.subarray(0, half));
    peer.socket.write(this.content.subarray(0, half));
    model.halfDone[this.conn] = { upload, rest: this.content.subarray(half) };
    ids.set(upload, / id=(\S+)/.exec((reply as Reply).line)?.[1] ?? '');
  }

  toString(): string {
    return `[${this.conn}] begins PUT ${this.path} ${this.content.length}`;
  }
}

/** The server's id of an upload of the model. */
const ids = new WeakMap<Upload, string>();

class Finish implements Step {
  readonly conn: number;

  constructor(conn: number) {
    this.conn = conn;
  }

  check({ halfDone }: Model): boolean {
    return halfDone[this.conn] !== undefined;
  }

  async run(model: Model, real: Real): Promise<void> {
    const { upload, rest } = model.halfDone[this.conn] as HalfDone;
    model.halfDone[this.conn] = undefined;
    const entry = await attempt(async () => {
      await upload.write(rest);
      return upload.commit();
    });
    const peer = peerOf(real, this.conn);
    peer.socket.write(rest);
    const [reply] = await peer.take(1);
    expect(settled(reply as Reply)).toBe(said(entry));
  }

  toString(): string {
    return `[${this.conn}] finishes`;
  }
}

/** Ends the connection in the middle of an upload, and makes a new one. */
class Cut implements Step {
  readonly conn: number;

  constructor(conn: number) {
    this.conn = conn;
  }

  check({ halfDone }: Model): boolean {
    return halfDone[this.conn] !== undefined;
  }

  async run(model: Model, real: Real): Promise<void> {
    const half = model.halfDone[this.conn] as HalfDone;
    model.halfDone[this.conn] = undefined;
    const suspended = (record: object): boolean => (record as { outcome?: string }).outcome === 'suspended';
    const before = real.server.records.filter(suspended).length;
    const peer = peerOf(real, this.conn);
    peer.socket.end();
    await real.server.record(suspended, before + 1);
    await peer[Symbol.asyncDispose]();
    await half.upload.suspend();
    model.cut.push({ ...half, id: ids.get(half.upload) ?? '' });
    real.peers[this.conn] = await Peer.connect(real.server.port);
  }

  toString(): string {
    return `[${this.conn}] is cut`;
  }
}

class Resume implements Step {
  readonly conn: number;
  readonly forget: boolean;

  constructor(conn: number, forget: boolean) {
    this.conn = conn;
    this.forget = forget;
  }

  check({ halfDone, cut }: Model): boolean {
    return halfDone[this.conn] === undefined && cut.length > 0;
  }

  async run(model: Model, real: Real): Promise<void> {
    const { upload: before, rest, id } = model.cut.shift() as HalfDone & { id: string };
    const peer = peerOf(real, this.conn);
    if (this.forget) {
      await model.store.abortUpload(before.id);
      expect((await peer.ask(`ABORT ${id}`)).line).toBe('OK');
      expect(settled(await peer.ask(`RESUME ${id}`))).toBe(errorLine('NOTFOUND'));
      return;
    }
    const upload = await model.store.resumeUpload(before.id);
    expect(settled(await peer.ask(`RESUME ${id}`))).toBe(`SEND ${upload.durableBytes}`);
    model.halfDone[this.conn] = { upload, rest };
    ids.set(upload, id);
  }

  toString(): string {
    return `[${this.conn}] ${this.forget ? 'forgets' : 'resumes'}`;
  }
}

/** What is there at the start, on both sides. */
async function fill(store: MemoryStore, root: string): Promise<void> {
  store.makeFolder('d');
  await mkdir(join(root, 'd'));
  for (const [path, content] of [
    ['a', 'six..\n'],
    ['b', ''],
    ['d/a', 'seven..'],
  ] as const) {
    store.put(path, content);
    await writeFile(join(root, path), content);
  }
}

function peerOf(real: Real, conn: number): Peer {
  return real.peers[conn] as Peer;
}

const conn = fc.constantFrom(0, 1);
const steps = fc.commands(
  [
    fc
      .tuple(conn, fc.array(operation, { minLength: 1, maxLength: 5 }), fc.array(fc.nat(2_000), { maxLength: 4 }))
      .map((parts) => new Batch(...parts)),
    fc.tuple(conn, path, content).map((parts) => new Begin(...parts)),
    conn.map((each) => new Finish(each)),
    conn.map((each) => new Cut(each)),
    fc.tuple(conn, fc.boolean()).map((parts) => new Resume(...parts)),
  ],
  { maxCommands: 30, size: 'max' },
);

/** What is in memory is done in other ways than what is on a disk. */
const place = fc.constantFrom(tmpdir(), memoryDirectory ?? tmpdir());

test('what is answered is what the model says', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.constantFrom('onread' as const, 'data' as const), place, async (commands, io, under) => {
      await using server = await TestServer.start({ maxFileSizeBytes: MAX_FILE_BYTES, io }, under);
      await using control = await Peer.connect(server.port);
      const peers = [await Peer.connect(server.port), await Peer.connect(server.port)];
      const store = new MemoryStore({ maxFileBytes: MAX_FILE_BYTES });
      await fill(store, server.root);
      const model: Model = { store, halfDone: [undefined, undefined], cut: [] };
      try {
        await fc.asyncModelRun(() => ({ model, real: { server, peers, control } }), commands);
      } finally {
        for (const peer of peers) await peer[Symbol.asyncDispose]();
      }
    }),
    { numRuns: Number(process.env.MODEL_RUNS ?? 200), seed: 7021 },
  );
});
