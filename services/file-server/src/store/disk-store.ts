/**
 * The files of one directory: `FileStore` on a disk. Confinement is in root.ts, what changes the tree in changes.ts,
 * uploads in uploads.ts, listings in listing.ts.
 */
import type { BigIntStats } from 'node:fs';
import { AppError } from '@small-servers/shared/errors';
import { FileError } from '../protocol/codes.ts';
import type { FilePath } from '../protocol/path.ts';
import { Turn } from '../turn.ts';
import { Changes, requireReachable } from './changes.ts';
import { countBytes } from './count.ts';
import { DigestCache, type FileStats, kindOf } from './entries.ts';
import { asFileError, hasCode, inProtocolWords } from './failures.ts';
import { type Residence, residenceOf, settledAfterMs } from './file-systems.ts';
import { type Instance, openInstance } from './instance.ts';
import { Listing } from './listing.ts';
import { memoryOperations } from './memory-operations.ts';
import { hiddenName, isHidden } from './names.ts';
import { absent, type NativeFiles, openNativeFiles } from './native-files.ts';
import { DiskFile } from './opened-file.ts';
import { type FileOperations, openFlags, realOperations, remoteOperations } from './operations.ts';
import { Partials } from './partials.ts';
import { type Confinement, Root } from './root.ts';
import type { DigestMaker } from './running-digest.ts';
import { chooseSha256 } from './sha256.ts';
import type {
  Entry,
  FileStore,
  ListPage,
  ListRequest,
  OpenedFile,
  Precondition,
  Put,
  StoreSpace,
  Upload,
  UploadRequest,
} from './store.ts';
import { Uploads } from './uploads.ts';
import { Usage } from './usage.ts';

export interface DiskStoreOptions {
  /** The directory to serve; a link to one will do. */
  readonly root: string;
  /** Without it nothing below the root is ever changed, not even by the store itself. */
  readonly writable: boolean;
  /** Of one file; 0 for no limit. */
  readonly maxFileBytes: number;
  /** Of all files and partial uploads together; 0 for no quota. */
  readonly maxTotalBytes: number;
  /** What is left of an upload is removed when nothing was added to it for so long; 0 keeps it. */
  readonly keepPartialMs: number;
  /** Uploads that are kept for a RESUME at most; beyond it the oldest goes. */
  readonly maxKeptPartials: number;
  /** A holder of an upload whose sender was silent for so long gives way to a RESUME. */
  readonly holderIdleMs: number;
  /** Digests that are remembered. */
  readonly maxDigests: number;
  /** Shared with whatever else keeps the event loop busy. */
  readonly turn?: Turn;
  /** Milliseconds since 1970; only the tests give another. */
  readonly now?: () => number;
  /** Only the tests and the bench give others. */
  readonly operations?: FileOperations;
  readonly nativeFor?: (descriptor: number) => NativeFiles | undefined;
  readonly digest?: DigestMaker;
}

/** How the store works on this machine, for the log. */
export interface StoreDescription {
  /** `openat2` and `walk` are safe from any race; `look-before-and-after` is not (there is no /proc/self/fd). */
  readonly confinement: Confinement;
  /** SHA-256 by OpenSSL, or in TypeScript. */
  readonly digest: 'openssl' | 'portable';
  /** Partial uploads that were found at the start: kept for a RESUME, and removed. */
  readonly keptPartials: number;
  readonly removedPartials: number;
}

const MAX_DEPTH = 32;
/** The files are counted again when room seems to be missing, for others may have removed some; not more often. */
const RECOUNT_INTERVAL_MS = 60_000;

/** @throws AppError USAGE_INVALID if the root is no directory, PERMISSION_DENIED if it may not be used so */
export async function openDiskStore(options: DiskStoreOptions): Promise<DiskStore> {
  try {
    return await openStore(options);
  } catch (error) {
    throw inWords(error, options);
  }
}

function inWords(error: unknown, { root, writable }: DiskStoreOptions): unknown {
  if (hasCode(error, 'ENOENT')) {
    return new AppError('USAGE_INVALID', `root ${root}: there is no such directory`, { cause: error });
  }
  if (hasCode(error, 'ENOTDIR', 'NOTDIR', 'EEXIST')) {
    const what =
      error instanceof FileError ? `its ${hiddenName} is no directory, which uploads need` : 'is no directory';
    return new AppError('USAGE_INVALID', `root ${root}: ${what}`, { cause: error });
  }
  if (error instanceof FileError && error.code === 'DENIED') {
    return new AppError('PERMISSION_DENIED', `root ${root}: its ${hiddenName} ${error.message}`, { cause: error });
  }
  if (hasCode(error, 'EACCES', 'EPERM', 'EROFS')) {
    const may = writable ? 'read and write' : 'read';
    return new AppError('PERMISSION_DENIED', `root ${root}: this user may not ${may} there`, { cause: error });
  }
  return error;
}

const operationsFor: Readonly<Record<Residence, FileOperations>> = {
  memory: memoryOperations,
  local: realOperations,
  other: remoteOperations,
};

async function openStore(options: DiskStoreOptions): Promise<DiskStore> {
  const { fileSystemType } = await realOperations.space(Buffer.from(options.root));
  const residence = residenceOf(fileSystemType);
  const operations = options.operations ?? operationsFor[residence];
  const nativeFor =
    options.nativeFor ?? ((descriptor: number) => openNativeFiles(process, descriptor, residence === 'memory'));
  const root = await Root.open(options.root, operations, residence === 'other' ? () => undefined : nativeFor);
  const instance = openInstance();
  let partials: Partials | undefined;
  try {
    partials = options.writable ? await Partials.open(root, operations, instance) : undefined;
    const store = new DiskStore(options, { operations, root, instance, partials, residence });
    await store.start();
    return store;
  } catch (error) {
    partials?.close();
    instance.close();
    root.close();
    throw error;
  }
}

interface Parts {
  readonly operations: FileOperations;
  readonly root: Root;
  readonly instance: Instance;
  readonly partials: Partials | undefined;
  readonly residence: Residence;
}

export class DiskStore implements FileStore {
  readonly root: Root;
  readonly operations: FileOperations;
  readonly digests: DigestCache;
  readonly usage: Usage;
  readonly inMemory: boolean;
  readonly settledMs: number;
  readonly now: () => number;
  readonly #instance: Instance;
  readonly #partials: Partials | undefined;
  readonly #changes: Changes | undefined;
  readonly #uploads: Uploads | undefined;
  readonly #listing: Listing;
  readonly #digestIsNative: boolean;
  #counting: Promise<void> | undefined;
  #countedMs: number | undefined;
  #closing: Promise<void> | undefined;
  #found = { keptPartials: 0, removedPartials: 0 };

  /** `openDiskStore` makes one. */
  constructor(options: DiskStoreOptions, { operations, root, instance, partials, residence }: Parts) {
    this.operations = operations;
    this.root = root;
    this.inMemory = residence === 'memory';
    this.settledMs = settledAfterMs(residence);
    this.now = options.now ?? Date.now;
    this.digests = new DigestCache(options.maxDigests);
    this.usage = new Usage(options.maxTotalBytes);
    this.#instance = instance;
    this.#partials = partials;
    this.#listing = new Listing(this);
    const { maker, native } = chooseSha256(process);
    this.#digestIsNative = native && options.digest === undefined;
    if (partials === undefined) return;
    const changes = new Changes(this, partials);
    this.#changes = changes;
    this.#uploads = new Uploads(options, {
      operations,
      partials,
      changes,
      usage: this.usage,
      digest: options.digest ?? maker,
      turn: options.turn ?? new Turn(() => performance.now()),
      now: this.now,
      freeBytes: async () => (await operations.space(root.place.itself)).freeBytes,
      withRoom: (reserve) => this.#withRoom(reserve),
    });
  }

  async start(): Promise<void> {
    if (this.#uploads === undefined) return;
    const removedPartials = await this.#uploads.start();
    this.#found = { keptPartials: this.#uploads.keptCount, removedPartials };
    if (this.usage.quotaBytes > 0) await this.#count();
  }

  describe(): StoreDescription {
    const digest = this.#digestIsNative ? 'openssl' : 'portable';
    return { confinement: this.root.confinement, digest, ...this.#found };
  }

  stat(path: FilePath): Promise<Entry> {
    return inProtocolWords(async () => {
      requireReachable(path);
      const stats = await this.root.look(path);
      if (stats === undefined) throw new FileError('NOTFOUND', 'there is no such file or directory');
      return this.digests.entry(stats);
    });
  }

  list(path: FilePath, request: ListRequest): Promise<ListPage> {
    return inProtocolWords(async () => {
      requireReachable(path);
      if (request.depth > MAX_DEPTH) throw new FileError('BADARG', `depth is at most ${MAX_DEPTH}`);
      return this.#listing.page(path.names, request);
    });
  }

  entryOf(stats: FileStats): Entry {
    return this.digests.entry(stats);
  }

  open(path: FilePath): Promise<OpenedFile> {
    return inProtocolWords(async () => {
      requireReachable(path);
      if (path.names.length === 0) throw new FileError('ISDIR', 'that is a directory');
      const cached = this.root.openCached(path.names, openFlags.read);
      if (cached === absent) throw new FileError('NOTFOUND', 'there is no such file or directory');
      const descriptor = cached >= 0 ? cached : await this.#openFromDisk(path);
      try {
        const stats = cached >= 0 ? this.operations.statNow(descriptor) : await this.operations.stat(descriptor);
        requireFile(stats);
        await this.root.lookAgain(path, stats);
        return new DiskFile(this, descriptor, stats, cached >= 0);
      } catch (error) {
        this.operations.closeNow(descriptor);
        throw error;
      }
    });
  }

  openNow(path: FilePath): OpenedFile | undefined {
    if (isHidden(path.names)) return undefined;
    const descriptor = this.root.openCached(path.names, openFlags.read);
    if (descriptor < 0) return undefined;
    try {
      const stats = this.operations.statNow(descriptor);
      if (kindOf(stats) === 'file') return new DiskFile(this, descriptor, stats, true);
    } catch {
      // `open` finds words for it.
    }
    this.operations.closeNow(descriptor);
    return undefined;
  }

  async #openFromDisk(path: FilePath): Promise<number> {
    const spot = await this.root.spot(path);
    try {
      return await this.operations.open(spot.path, openFlags.read);
    } finally {
      spot.place.close();
    }
  }

  createUpload(request: UploadRequest): Promise<Upload> {
    return inProtocolWords(() => this.#writableUploads().create(request));
  }

  putNow(request: UploadRequest, content: Buffer): Put | undefined {
    if (this.#closing !== undefined) return undefined;
    try {
      return this.#uploads?.putNow(request, content);
    } catch (error) {
      throw asFileError(error);
    }
  }

  resumeUpload(id: string): Promise<Upload> {
    return inProtocolWords(() => this.#writableUploads().resume(id));
  }

  abortUpload(id: string): Promise<void> {
    return inProtocolWords(() => this.#writableUploads().remove(id));
  }

  makeDirectory(path: FilePath): Promise<Entry> {
    return inProtocolWords(() => this.#writable().makeDirectory(path));
  }

  removeDirectory(path: FilePath): Promise<void> {
    return inProtocolWords(() => this.#writable().removeDirectory(path));
  }

  remove(path: FilePath, etag: string | undefined): Promise<void> {
    return inProtocolWords(() => this.#writable().remove(path, etag));
  }

  move(from: FilePath, to: FilePath, precondition: Precondition): Promise<Entry> {
    return inProtocolWords(() => this.#writable().move(from, to, precondition));
  }

  space(): Promise<StoreSpace> {
    return inProtocolWords(async () => {
      const { freeBytes } = await this.operations.space(this.root.place.itself);
      // With a quota it is known at every moment; without one nobody keeps account.
      if (this.usage.quotaBytes === 0 && this.#recountIsDue()) await this.#count();
      return { freeBytes, quotaBytes: this.usage.quotaBytes, usedBytes: this.usage.usedBytes };
    });
  }

  /** As `keepPartialMs` of the options, from now on. */
  keepPartialsFor(ms: number): void {
    this.#uploads?.keepFor(ms);
  }

  /** Removes what is left of uploads that nobody can resume; by itself at the start and now and then. */
  sweep(): Promise<number> {
    return inProtocolWords(() => this.#writableUploads().sweep());
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#uploads?.close();
    await this.#counting?.catch(() => {});
    this.#partials?.close();
    this.#instance.close();
    this.root.close();
  }

  #writable(): Changes {
    if (this.#changes === undefined) throw new FileError('READONLY', 'this server only reads');
    return this.#changes;
  }

  #writableUploads(): Uploads {
    if (this.#closing !== undefined) throw new FileError('SHUTDOWN', 'the server is shutting down');
    if (this.#uploads === undefined) throw new FileError('READONLY', 'this server only reads');
    return this.#uploads;
  }

  async #withRoom(reserve: () => void): Promise<void> {
    try {
      reserve();
    } catch (error) {
      if (!hasCode(error, 'QUOTA') || !this.#recountIsDue()) throw error;
      await this.#count();
      reserve();
    }
  }

  #recountIsDue(): boolean {
    return this.#countedMs === undefined || this.now() - this.#countedMs >= RECOUNT_INTERVAL_MS;
  }

  async #count(): Promise<void> {
    this.#counting ??= this.usage
      .recount(() => countBytes(this))
      .finally(() => {
        this.#counting = undefined;
        this.#countedMs = this.now();
      });
    await this.#counting;
  }
}

function requireFile(stats: BigIntStats): void {
  const kind = kindOf(stats);
  if (kind === 'directory') throw new FileError('ISDIR', 'that is a directory');
  if (kind === 'other') throw new FileError('DENIED', 'it is no regular file');
}
