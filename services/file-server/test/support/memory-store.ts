/**
 * Files in memory: what the protocol promises, in the plainest code that can be wrong in no way a disk can. Sessions are
 * tested on it, and it is the model that the real store is held against.
 */
import { createHash, randomBytes } from 'node:crypto';
import { FileError } from '../../src/protocol/codes.ts';
import { decodePath, type FilePath, pathOf } from '../../src/protocol/path.ts';
import { isHidden, requireNewName } from '../../src/store/names.ts';
import type {
  Entry,
  FileStore,
  ListedEntry,
  ListPage,
  ListRequest,
  OpenedFile,
  Precondition,
  Put,
  StoreSpace,
  Upload,
  UploadRequest,
} from '../../src/store/store.ts';

interface MemoryFile {
  readonly kind: 'file';
  content: Buffer;
  etag: string;
  sha256: string | undefined;
  modifiedMs: number;
}

interface MemoryDirectory {
  readonly kind: 'directory';
  /** By their latin1 spelling, so that the order of strings is that of bytes. */
  readonly entries: Map<string, MemoryNode>;
  etag: string;
  modifiedMs: number;
}

type MemoryNode = MemoryFile | MemoryDirectory;

export interface MemoryStoreOptions {
  /** 0: no limit; so for both. */
  readonly maxFileBytes?: number;
  readonly maxTotalBytes?: number;
  /** Uploads that are here whole are over in one turn. */
  readonly atOnce?: boolean;
}

const MAX_DEPTH = 32;

export class MemoryStore implements FileStore {
  readonly #root: MemoryDirectory;
  readonly #maxFileBytes: number;
  readonly #maxTotalBytes: number;
  readonly #atOnce: boolean;
  readonly #held = new Map<string, MemoryUpload>();
  readonly #kept = new Map<string, { request: UploadRequest; content: Buffer }>();
  #versions = 0;
  /** Reads and writes wait for it, for tests that stop the store in the middle. */
  gate: Promise<void> | undefined;
  closed = false;

  constructor({ maxFileBytes = 0, maxTotalBytes = 0, atOnce = false }: MemoryStoreOptions = {}) {
    this.#atOnce = atOnce;
    this.#maxFileBytes = maxFileBytes;
    this.#maxTotalBytes = maxTotalBytes;
    this.#root = this.#newDirectory();
  }

  /** What a test has there before anybody connects. */
  put(path: string, content: string | Buffer): void {
    const { names } = decodePath(path);
    const parent = this.#directoryAt(names.slice(0, -1));
    parent.entries.set(keyOf(names.at(-1)), this.#newFile(Buffer.from(content)));
  }

  makeFolder(path: string): void {
    const { names } = decodePath(path);
    this.#directoryAt(names.slice(0, -1)).entries.set(keyOf(names.at(-1)), this.#newDirectory());
  }

  /** Writes to a file without the store's knowledge, as another program may. */
  tamper(path: string, content: Buffer): void {
    const node = this.#nodeAt(decodePath(path).names);
    if (node.kind === 'file') Object.assign(node, this.#newFile(content));
  }

  content(path: string): Buffer {
    const node = this.#nodeAt(decodePath(path).names);
    if (node.kind !== 'file') throw new Error(`${path} is no file`);
    return node.content;
  }

  get keptIds(): readonly string[] {
    return [...this.#kept.keys()];
  }

  get heldCount(): number {
    return this.#held.size;
  }

  async stat(path: FilePath): Promise<Entry> {
    requireReachable(path);
    return entryOf(this.#nodeAt(path.names));
  }

  async list(path: FilePath, { after, limit, depth }: ListRequest): Promise<ListPage> {
    requireReachable(path);
    if (depth > MAX_DEPTH) throw new FileError('BADARG', `depth is at most ${MAX_DEPTH}`);
    const directory = this.#nodeAt(path.names);
    if (directory.kind !== 'directory') throw new FileError('NOTDIR', 'it, or a name on the way, is no directory');
    const from = after === undefined ? [] : decodePath(after).names;
    const all = [...walk(directory, [], depth)].filter((entry) => compare(entry.path.names, from) > 0);
    return { entries: all.slice(0, limit), more: all.length > limit };
  }

  async open(path: FilePath): Promise<OpenedFile> {
    requireReachable(path);
    const node = this.#nodeAt(path.names);
    if (node.kind === 'directory') throw new FileError('ISDIR', 'that is a directory');
    const entry = entryOf(node);
    return {
      entry,
      read: async (target, offset) => {
        await this.gate;
        return offset < node.content.length ? node.content.copy(target, 0, offset) : 0;
      },
      check: async () => entryOf(node),
      isWrittenTo: async () => node.etag !== entry.etag,
      isSettled: true,
      remember: (sha256) => {
        node.sha256 = sha256;
      },
      close: async () => {},
    };
  }

  async createUpload(request: UploadRequest): Promise<Upload> {
    const { path, sizeBytes, precondition } = request;
    if (path.names.length === 0) throw new FileError('ISDIR', 'that is a directory');
    this.#requireSize(sizeBytes ?? 0);
    this.#requireTarget(path, precondition);
    this.requireRoom(sizeBytes ?? 0);
    return this.#hold(randomBytes(16).toString('hex'), request, Buffer.alloc(0));
  }

  putNow(request: UploadRequest, content: Buffer): Put | undefined {
    if (!this.#atOnce) return undefined;
    const { path, precondition } = request;
    try {
      this.#requireSize(content.length);
      this.#requireTarget(path, precondition);
      this.requireRoom(content.length);
      const id = randomBytes(16).toString('hex');
      return { id, entry: this.commit(new MemoryUpload(this, id, request, Buffer.from(content))) };
    } catch (error) {
      if (error instanceof FileError) return undefined;
      throw error;
    }
  }

  async resumeUpload(id: string): Promise<Upload> {
    if (this.#held.has(id)) throw new FileError('BUSY', 'another connection still sends this upload');
    const kept = this.#kept.get(id);
    if (kept === undefined) throw new FileError('NOTFOUND', 'nothing is kept of that upload');
    this.#kept.delete(id);
    return this.#hold(id, kept.request, kept.content);
  }

  async abortUpload(id: string): Promise<void> {
    if (this.#held.has(id)) throw new FileError('BUSY', 'another connection still sends this upload');
    if (!this.#kept.delete(id)) throw new FileError('NOTFOUND', 'nothing is kept of that upload');
  }

  async makeDirectory(path: FilePath): Promise<Entry> {
    const [parent, key] = this.#target(path);
    if (parent.entries.has(key)) throw new FileError('EXISTS', 'there is something of that name');
    requireNewName(path);
    const made = this.#newDirectory();
    parent.entries.set(key, made);
    return entryOf(made);
  }

  async removeDirectory(path: FilePath): Promise<void> {
    requireReachable(path);
    const [parent, key] = this.#spot(path);
    const node = present(parent.entries.get(key));
    if (node.kind !== 'directory') throw new FileError('NOTDIR', 'that is a file');
    if (node.entries.size > 0) throw new FileError('NOTEMPTY', 'the directory is not empty');
    parent.entries.delete(key);
  }

  async remove(path: FilePath, etag: string | undefined): Promise<void> {
    requireReachable(path);
    if (path.names.length === 0) throw new FileError('ISDIR', 'that is a directory');
    const [parent, key] = this.#spot(path);
    const node = present(parent.entries.get(key));
    if (node.kind === 'directory') throw new FileError('ISDIR', 'that is a directory');
    if (etag !== undefined) requireEtag(node, etag);
    parent.entries.delete(key);
  }

  async move(from: FilePath, to: FilePath, precondition: Precondition): Promise<Entry> {
    requireReachable(from);
    if (isHidden(to.names)) throw new FileError('BADNAME', 'that name is the store its own');
    const [source, sourceKey] = this.#spot(from);
    const [target, targetKey] = this.#spot(to);
    const node = present(source.entries.get(sourceKey));
    this.#requirePrecondition(target.entries.get(targetKey), to, precondition);
    if (node.kind === 'directory') {
      if (isWithin(to.names, from.names)) throw new FileError('BADARG', 'a directory does not go into itself');
      if (target.entries.has(targetKey)) throw new FileError('NOTDIR', 'a directory does not replace a file');
    }
    // Two names of one file: nothing happens.
    if (target.entries.get(targetKey) === node) return entryOf(node);
    source.entries.delete(sourceKey);
    target.entries.set(targetKey, node);
    node.etag = this.#nextVersion();
    return entryOf(node);
  }

  async space(): Promise<StoreSpace> {
    return { freeBytes: 2 ** 40, quotaBytes: this.#maxTotalBytes, usedBytes: this.#usedBytes() };
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  commit(upload: MemoryUpload): Entry {
    const { path, sizeBytes, sha256, precondition } = upload.request;
    const digest = createHash('sha256').update(upload.content).digest('hex');
    if (sizeBytes !== undefined && sizeBytes !== upload.content.length) {
      throw new FileError('CHECKSUM', `${upload.content.length} of ${sizeBytes} bytes came`);
    }
    if (sha256 !== undefined && sha256 !== digest)
      throw new FileError('CHECKSUM', `what came has the sha256 ${digest}`);
    this.#requireTarget(path, precondition);
    const [parent, key] = this.#spot(path);
    const file = { ...this.#newFile(upload.content), sha256: digest };
    parent.entries.set(key, file);
    return entryOf(file);
  }

  release(upload: MemoryUpload, keep: boolean): void {
    this.#held.delete(upload.id);
    const { id, request, content } = upload;
    if (keep && content.length > 0) this.#kept.set(id, { request, content });
  }

  grow(upload: MemoryUpload, bytes: number): void {
    const { sizeBytes } = upload.request;
    const total = upload.content.length + bytes;
    if (sizeBytes !== undefined && total > sizeBytes) {
      throw new FileError('TOOBIG', `more came than the ${sizeBytes} bytes that were announced`);
    }
    if (sizeBytes !== undefined) return;
    this.#requireSize(total);
    this.requireRoom(bytes);
  }

  requireRoom(bytes: number): void {
    if (this.#maxTotalBytes > 0 && this.#usedBytes() + bytes > this.#maxTotalBytes) {
      throw new FileError('QUOTA', `${bytes} more bytes are above the quota of ${this.#maxTotalBytes}`);
    }
  }

  #requireSize(bytes: number): void {
    if (this.#maxFileBytes > 0 && bytes > this.#maxFileBytes) {
      throw new FileError('TOOBIG', `a file has at most ${this.#maxFileBytes} bytes here`);
    }
  }

  #usedBytes(): number {
    let used = 0;
    for (const { sizeBytes } of walk(this.#root, [], Number.POSITIVE_INFINITY)) used += sizeBytes;
    for (const { request, content } of [...this.#held.values(), ...this.#kept.values()]) {
      used += Math.max(request.sizeBytes ?? 0, content.length);
    }
    return used;
  }

  #hold(id: string, request: UploadRequest, content: Buffer): Upload {
    const upload = new MemoryUpload(this, id, request, content);
    this.#held.set(id, upload);
    return upload;
  }

  #requireTarget(path: FilePath, precondition: Precondition): void {
    const [parent, key] = this.#target(path);
    this.#requirePrecondition(parent.entries.get(key), path, precondition);
  }

  #requirePrecondition(there: MemoryNode | undefined, path: FilePath, precondition: Precondition): void {
    if (there === undefined) {
      if (precondition.kind === 'etag') throw new FileError('CHANGED', 'there is no such file any more');
      requireNewName(path);
      return;
    }
    if (precondition.kind === 'none') throw new FileError('EXISTS', 'there is something of that name');
    if (there.kind === 'directory') throw new FileError('ISDIR', 'that is a directory');
    if (precondition.kind === 'etag') requireEtag(there, precondition.etag);
  }

  #target(path: FilePath): [MemoryDirectory, string] {
    if (isHidden(path.names)) throw new FileError('BADNAME', 'that name is the store its own');
    return this.#spot(path);
  }

  #spot({ names }: FilePath): [MemoryDirectory, string] {
    if (names.length === 0) throw new FileError('BADARG', 'that cannot be done to the root');
    return [this.#directoryAt(names.slice(0, -1)), keyOf(names.at(-1))];
  }

  #directoryAt(names: readonly Buffer[]): MemoryDirectory {
    const node = this.#nodeAt(names);
    if (node.kind !== 'directory') throw new FileError('NOTDIR', 'it, or a name on the way, is no directory');
    return node;
  }

  #nodeAt(names: readonly Buffer[]): MemoryNode {
    let node: MemoryNode = this.#root;
    for (const name of names) {
      if (node.kind !== 'directory') throw new FileError('NOTDIR', 'it, or a name on the way, is no directory');
      node = present(node.entries.get(keyOf(name)));
    }
    return node;
  }

  #newFile(content: Buffer): MemoryFile {
    return { kind: 'file', content, etag: this.#nextVersion(), sha256: undefined, modifiedMs: this.#versions };
  }

  #newDirectory(): MemoryDirectory {
    return { kind: 'directory', entries: new Map(), etag: this.#nextVersion(), modifiedMs: this.#versions };
  }

  #nextVersion(): string {
    this.#versions += 1;
    return `v${this.#versions}`;
  }
}

class MemoryUpload implements Upload {
  readonly id: string;
  readonly request: UploadRequest;
  content: Buffer;
  readonly #store: MemoryStore;
  readonly #eviction = new AbortController();

  constructor(store: MemoryStore, id: string, request: UploadRequest, content: Buffer) {
    this.#store = store;
    this.id = id;
    this.request = request;
    this.content = content;
  }

  get durableBytes(): number {
    return this.content.length;
  }

  get evicted(): AbortSignal {
    return this.#eviction.signal;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#store.gate;
    try {
      this.#store.grow(this, bytes.length);
    } catch (error) {
      this.#store.release(this, false);
      throw error;
    }
    this.content = Buffer.concat([this.content, bytes]);
  }

  async commit(): Promise<Entry> {
    await this.#store.gate;
    try {
      return this.#store.commit(this);
    } finally {
      this.#store.release(this, false);
    }
  }

  async suspend(): Promise<void> {
    this.#store.release(this, true);
  }

  async abort(): Promise<void> {
    this.#store.release(this, false);
  }
}

const keyOf = (name: Buffer | undefined): string => (name ?? Buffer.alloc(0)).toString('latin1');

function present(node: MemoryNode | undefined): MemoryNode {
  if (node === undefined) throw new FileError('NOTFOUND', 'there is no such file or directory');
  return node;
}

function requireEtag({ etag }: MemoryNode, wanted: string): void {
  if (etag !== wanted) throw new FileError('CHANGED', 'the file has another etag by now', { etag });
}

function requireReachable(path: FilePath): void {
  if (isHidden(path.names)) throw new FileError('NOTFOUND', 'there is no such file or directory');
}

function entryOf(node: MemoryNode): Entry {
  const { kind, etag, modifiedMs } = node;
  const sizeBytes = node.kind === 'file' ? node.content.length : 0;
  return { kind, sizeBytes, modifiedMs, etag, sha256: node.kind === 'file' ? node.sha256 : undefined };
}

function* walk(directory: MemoryDirectory, names: readonly Buffer[], depth: number): Generator<ListedEntry> {
  for (const key of [...directory.entries.keys()].sort()) {
    const node = directory.entries.get(key);
    if (node === undefined) continue;
    const path = [...names, Buffer.from(key, 'latin1')];
    yield { ...entryOf(node), path: pathOf(path) };
    if (node.kind === 'directory' && depth > 1) yield* walk(node, path, depth - 1);
  }
}

/** Name by name, a directory before what it holds. */
function compare(left: readonly Buffer[], right: readonly Buffer[]): number {
  for (const [index, name] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    const order = Buffer.compare(name, other);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function isWithin(names: readonly Buffer[], directory: readonly Buffer[]): boolean {
  return directory.every((name, index) => names[index]?.equals(name) === true);
}
