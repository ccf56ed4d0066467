/** What changes the tree: each of these is one step that is done or not, whatever happens meanwhile. */
import { hash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { FileError } from '../protocol/codes.ts';
import type { FilePath } from '../protocol/path.ts';
import { type DigestCache, entryOf, etagOf, kindOf, protocolSize } from './entries.ts';
import { hasCode } from './failures.ts';
import { PathLocks } from './locks.ts';
import { isHidden, isNewName, requireNewName } from './names.ts';
import type { FileOperations } from './operations.ts';
import type { Partials } from './partials.ts';
import type { Root, Spot } from './root.ts';
import type { Entry, Precondition, UploadRequest } from './store.ts';
import type { Committing } from './upload.ts';
import type { Usage } from './usage.ts';

const MODE_NEW_FILE = 0o666;
const MODE_NEW_DIRECTORY = 0o777;

export interface ChangesHost {
  readonly root: Root;
  readonly operations: FileOperations;
  readonly digests: DigestCache;
  readonly usage: Usage;
}

export class Changes {
  readonly #host: ChangesHost;
  readonly #partials: Partials;
  readonly #locks = new PathLocks();
  readonly #fileMode = MODE_NEW_FILE & ~process.umask();

  constructor(host: ChangesHost, partials: Partials) {
    this.#host = host;
    this.#partials = partials;
  }

  /** Whether an upload to that path could be committed as things are. @throws EXISTS, CHANGED, ISDIR, BADNAME, ... */
  async requireTarget(path: FilePath, precondition: Precondition): Promise<void> {
    requireReachableTarget(path);
    const spot = await this.#host.root.spot(path);
    try {
      const { dev } = await this.#host.root.statPlace(spot.place);
      if (dev !== this.#partials.device) {
        throw new FileError('DENIED', 'that directory is on another file system than the root: no upload goes there');
      }
      const there = await this.#host.root.look(path);
      requirePrecondition(there, precondition);
      if (there === undefined) requireNewName(path);
    } finally {
      spot.place.close();
    }
  }

  /** The commit of an upload, from its whole partial file to the entry under its name. */
  async publish({ id, request, descriptor, sizeBytes, sha256 }: Committing): Promise<Entry> {
    const { operations, usage, digests } = this.#host;
    const { path, precondition } = request;
    await operations.changeMode(descriptor, this.#fileMode);
    await operations.syncData(descriptor);
    return this.#at(path, async (spot) => {
      const partial = this.#partials.path(id);
      let before: BigIntStats | undefined;
      if (precondition.kind === 'none') {
        await this.#link(partial, spot);
      } else {
        before = await this.#host.root.look(path);
        requirePrecondition(before, precondition);
        await operations.rename(partial, spot.path);
      }
      usage.changed(sizeBytes - sizeOf(before));
      const stats = await this.#host.root.statHeld(descriptor);
      await this.#host.root.sync(spot.place);
      const entry = digests.entry(stats);
      digests.set(entry.etag, sha256);
      return { ...entry, sha256 };
    });
  }

  /**
   * A new file whose content is here, on a file system in memory: it has no name before it is whole, so there is
   * nothing that a crash could leave behind. Undefined, and nothing done, for whatever else is asked for or there.
   */
  createNow({ path, precondition, sha256: expected }: UploadRequest, content: Buffer): Entry | undefined {
    const { root, operations, usage, digests } = this.#host;
    const { unnamed } = root;
    // Replacing a certain version takes a look and a rename; and who holds the lock may be between the two.
    if (unnamed === undefined || operations.hasDisk || precondition.kind === 'etag') return undefined;
    if (this.#locks.isHeld(path.text) || isHidden(path.names) || !isNewName(path)) return undefined;
    const sha256 = hash('sha256', content);
    if (expected !== undefined && expected !== sha256) return undefined;
    const descriptor = unnamed.create(this.#partials.descriptor, this.#fileMode);
    if (descriptor < 0) return undefined;
    try {
      if (!wholeNow(operations, descriptor, content)) return undefined;
      if (!root.nameNow(descriptor, path)) return undefined;
      usage.changed(content.length);
      const entry = entryOf(operations.statNow(descriptor), sha256);
      digests.set(entry.etag, sha256);
      return entry;
    } finally {
      operations.closeNow(descriptor);
    }
  }

  /** Gives a partial file its name, unless that is taken by now: the one check that nobody can come between. */
  async #link(partial: Buffer, spot: Spot): Promise<void> {
    const { operations } = this.#host;
    try {
      await operations.link(partial, spot.path);
    } catch (error) {
      if (!hasCode(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error;
      // A file system without hard links (FAT, some of FUSE).
      await operations.renameNew(partial, spot.path);
      return;
    }
    // The file is there, whatever becomes of its other name: the next sweep sees two names, and removes this one.
    await operations.unlink(partial, true).catch(() => {});
  }

  async makeDirectory(path: FilePath): Promise<Entry> {
    requireReachableTarget(path);
    return this.#at(path, async (spot) => {
      requirePrecondition(await this.#host.root.look(path), { kind: 'none' });
      requireNewName(path);
      await this.#host.operations.makeDirectory(spot.path, MODE_NEW_DIRECTORY);
      await this.#host.root.sync(spot.place);
      return this.#host.digests.entry(await this.#host.operations.lstat(spot.path));
    });
  }

  async removeDirectory(path: FilePath): Promise<void> {
    requireReachable(path);
    await this.#at(path, async (spot) => {
      await this.#host.operations.removeDirectory(spot.path);
      await this.#host.root.sync(spot.place);
    });
  }

  async remove(path: FilePath, etag: string | undefined): Promise<void> {
    requireReachable(path);
    if (path.names.length === 0) throw new FileError('ISDIR', 'that is a directory');
    await this.#at(path, async (spot) => {
      const stats = await this.#host.operations.lstat(spot.path);
      if (kindOf(stats) === 'directory') throw new FileError('ISDIR', 'that is a directory');
      if (etag !== undefined) requireEtag(stats, etag);
      await this.#host.operations.unlink(spot.path);
      if (stats.nlink === 1n) this.#host.usage.changed(-sizeOf(stats));
      await this.#host.root.sync(spot.place);
    });
  }

  async move(from: FilePath, to: FilePath, precondition: Precondition): Promise<Entry> {
    requireReachable(from);
    requireReachableTarget(to);
    return this.#locks.hold([from.text, to.text], async () => {
      const source = await this.#host.root.spot(from);
      try {
        const target = await this.#host.root.spot(to);
        try {
          return await this.#moveSpot(source, target, to, precondition);
        } finally {
          target.place.close();
        }
      } finally {
        source.place.close();
      }
    });
  }

  async #moveSpot(source: Spot, target: Spot, to: FilePath, precondition: Precondition): Promise<Entry> {
    const { operations, usage, digests, root } = this.#host;
    const moved = await operations.lstat(source.path);
    if (kindOf(moved) === 'other') throw new FileError('DENIED', 'links and special files are not moved');
    const before = await this.#host.root.look(to);
    requirePrecondition(before, precondition);
    if (before === undefined) requireNewName(to);
    if (precondition.kind === 'none') await operations.renameNew(source.path, target.path);
    else await operations.rename(source.path, target.path);
    const after = await operations.lstat(target.path);
    if (before?.ino !== moved.ino) usage.changed(-sizeOf(before));
    await root.sync(target.place);
    await root.sync(source.place);
    this.#carryDigest(moved, after);
    return digests.entry(after);
  }

  /** A move changes only the ctime, and with it the etag; what is known of the content stays true. */
  #carryDigest(before: BigIntStats, after: BigIntStats): void {
    const same = before.ino === after.ino && before.size === after.size && before.mtimeNs === after.mtimeNs;
    const sha256 = this.#host.digests.get(etagOf(before));
    if (same && sha256 !== undefined) this.#host.digests.set(etagOf(after), sha256);
  }

  /** Runs `work` on a path that nobody else of this process is changing. */
  #at<T>(path: FilePath, work: (spot: Spot) => Promise<T>): Promise<T> {
    return this.#locks.hold([path.text], async () => {
      const spot = await this.#host.root.spot(path);
      try {
        return await work(spot);
      } finally {
        spot.place.close();
      }
    });
  }
}

/** Whether all of it is written. Who is to be told why not tries again. */
function wholeNow(operations: FileOperations, descriptor: number, content: Buffer): boolean {
  if (content.length === 0) return true;
  try {
    return operations.writeNow(descriptor, content, 0) === content.length;
  } catch {
    return false;
  }
}

/** @throws NOTFOUND in the store's own directory */
export function requireReachable(path: FilePath): void {
  if (isHidden(path.names)) throw new FileError('NOTFOUND', 'there is no such file or directory');
}

/** @throws BADNAME in the store's own directory */
function requireReachableTarget(path: FilePath): void {
  if (isHidden(path.names)) throw new FileError('BADNAME', "that name is the store's own");
}

function requirePrecondition(there: BigIntStats | undefined, precondition: Precondition): void {
  if (there === undefined) {
    if (precondition.kind === 'etag') throw new FileError('CHANGED', 'there is no such file any more');
    return;
  }
  if (precondition.kind === 'none') throw new FileError('EXISTS', 'there is something of that name');
  const kind = kindOf(there);
  if (kind === 'directory') throw new FileError('ISDIR', 'that is a directory');
  if (kind === 'other') throw new FileError('DENIED', 'links and special files are not replaced');
  if (precondition.kind === 'etag') requireEtag(there, precondition.etag);
}

/** @throws CHANGED, which says what it is now */
function requireEtag(there: BigIntStats, wanted: string): void {
  const etag = etagOf(there);
  if (etag !== wanted) throw new FileError('CHANGED', 'the file has another etag by now', { etag });
}

function sizeOf(stats: BigIntStats | undefined): number {
  return stats !== undefined && kindOf(stats) === 'file' ? protocolSize(stats.size) : 0;
}
