/**
 * Confinement to the root. The root is held by its descriptor, and every path is walked from there, one name at a time,
 * without following a link, by the descriptor of the directory before: `/proc/self/fd/<n>/<name>`. Whoever swaps a
 * directory for a link meanwhile changes what the next walk finds, never where this one is. Nothing of a walk is kept
 * for the next one, since a directory that is held could be moved out of the root.
 *
 * Where the kernel can do such a walk in one step (openat2), what is in its memory is opened so, and the walk is for
 * the rest. Where there is no /proc (no Linux) each name is looked at before and after, which a swap at the right
 * moments gets past: `describe` of the store says so, and SECURITY.md.
 */
import type { BigIntStats } from 'node:fs';
import { FileError } from '../protocol/codes.ts';
import type { FilePath } from '../protocol/path.ts';
import type { FileStats } from './entries.ts';
import { hasCode } from './failures.ts';
import { absent, type NativeFiles, type UnnamedFiles, unknown } from './native-files.ts';
import { type FileOperations, openFlags } from './operations.ts';

export type Confinement = 'openat2' | 'walk' | 'look-before-and-after';

/** A directory below the root that is held open, to name entries of it. */
export interface Place {
  /** -1 where a place is no more than a path that was looked at. */
  readonly descriptor: number;
  /** For file operations; good while the place is open. */
  at(name: Buffer): Buffer;
  /** The directory itself, for the same. */
  readonly itself: Buffer;
  close(): void;
}

/** Where an entry is: a place, and its name there. */
export interface Spot {
  readonly place: Place;
  readonly name: Buffer;
  /** The entry, for file operations. */
  readonly path: Buffer;
}

const SLASH = Buffer.from('/');
const DOT = Buffer.from('.');

function joined(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, SLASH, name]);
}

function byDescriptor(descriptor: number, close: () => void): Place {
  const itself = Buffer.from(`/proc/self/fd/${descriptor}`);
  return { descriptor, itself, at: (name) => joined(itself, name), close };
}

export class Root {
  readonly confinement: Confinement;
  readonly #operations: FileOperations;
  readonly #native: NativeFiles | undefined;
  readonly #place: Place;
  #closed = false;

  private constructor(
    operations: FileOperations,
    native: NativeFiles | undefined,
    place: Place,
    confinement: Confinement,
  ) {
    this.#operations = operations;
    this.#native = native;
    this.#place = place;
    this.confinement = confinement;
  }

  /**
   * Opens the root; a link there is followed. `nativeFor` is asked for the calls that answer from memory.
   * @throws the system's error if it is no directory, or may not be read
   */
  static async open(
    path: string,
    operations: FileOperations,
    nativeFor: (descriptor: number) => NativeFiles | undefined,
  ): Promise<Root> {
    const descriptor = await operations.open(Buffer.from(path), openFlags.root);
    try {
      if (await walkable(descriptor, operations)) {
        const native = nativeFor(descriptor);
        const place = byDescriptor(descriptor, () => operations.closeNow(descriptor));
        return new Root(operations, native, place, native === undefined ? 'walk' : 'openat2');
      }
    } catch (error) {
      operations.closeNow(descriptor);
      throw error;
    }
    const itself = Buffer.from(path);
    const place: Place = {
      descriptor,
      itself,
      at: (name) => joined(itself, name),
      close: () => operations.closeNow(descriptor),
    };
    return new Root(operations, undefined, place, 'look-before-and-after');
  }

  get place(): Place {
    // The number of a closed descriptor may stand for anything by now.
    if (this.#closed) throw new Error('the root is closed');
    return this.#place;
  }

  /** The root itself stays open. */
  #borrowed(): Place {
    return { ...this.place, close: () => {} };
  }

  close(): void {
    this.#closed = true;
    this.#place.close();
  }

  /** A descriptor of the entry if its whole path is in memory, `absent`, or `unknown`: then `spot` is the way. */
  openCached(names: readonly Buffer[], flags: number): number {
    if (this.#native === undefined || names.length === 0) return unknown;
    return this.#native.open(this.place.descriptor, names, flags);
  }

  readCached(descriptor: number, target: Uint8Array, offset: number): number {
    return this.#native === undefined ? unknown : this.#native.read(descriptor, target, offset);
  }

  /** Files without a name, where everything is in memory and can be reached in one step. */
  get unnamed(): UnnamedFiles | undefined {
    return this.#native?.unnamed;
  }

  /** Gives a file that has none the name `path`: whether it has it, which it has not if anything else does. */
  nameNow(descriptor: number, { names }: FilePath): boolean {
    const name = names.at(-1);
    const unnamed = this.unnamed;
    if (name === undefined || unnamed === undefined) return false;
    if (names.length === 1) return unnamed.link(descriptor, this.place.descriptor, name);
    const directory = this.openCached(names.slice(0, -1), openFlags.place);
    if (directory < 0) return false;
    try {
      return unnamed.link(descriptor, directory, name);
    } finally {
      this.#operations.closeNow(directory);
    }
  }

  /** Opens the directory that `path` names. @throws NOTFOUND, NOTDIR, ... */
  async directory(names: readonly Buffer[]): Promise<Place> {
    if (names.length === 0) return this.#borrowed();
    const cached = this.openCached(names, openFlags.place);
    if (cached >= 0) return byDescriptor(cached, () => this.#operations.closeNow(cached));
    if (cached === absent) throw new FileError('NOTFOUND', 'there is no such file or directory');
    return this.confinement === 'look-before-and-after' ? this.#looked(names) : this.#walked(names);
  }

  /** Of what is held open: on a local file system the inode is in memory. */
  async statHeld(descriptor: number): Promise<BigIntStats> {
    return this.#native === undefined ? this.#operations.stat(descriptor) : this.#operations.statNow(descriptor);
  }

  async statPlace(place: Place): Promise<BigIntStats> {
    return place.descriptor < 0 ? this.#operations.lstat(place.itself) : this.statHeld(place.descriptor);
  }

  /**
   * What a path names now, of whatever kind; a link is not followed. Undefined if it names nothing.
   * @throws NOTDIR, DENIED, ...; NOTFOUND or undefined if a directory on the way is missing
   */
  async look(path: FilePath): Promise<BigIntStats | undefined> {
    if (path.names.length === 0) return this.statHeld(this.place.descriptor);
    const cached = this.lookCached(path.names);
    if (cached !== 'unknown') return cached;
    const spot = await this.spot(path);
    try {
      return await this.lookFrom(spot.place, spot.name);
    } finally {
      spot.place.close();
    }
  }

  /** The same, if all of it is in memory. */
  lookCached(names: readonly Buffer[]): BigIntStats | undefined | 'unknown' {
    const descriptor = this.openCached(names, openFlags.entry);
    if (descriptor === absent) return undefined;
    if (descriptor < 0) return 'unknown';
    try {
      return this.#operations.statNow(descriptor);
    } finally {
      this.#operations.closeNow(descriptor);
    }
  }

  /** The same of one name in a directory whose names are `names`, if all of it is in memory. */
  lookInside(place: Place, names: readonly Buffer[], name: Buffer): FileStats | undefined | 'unknown' {
    // The name has no slash in it, so it can't lead out of a directory that is held.
    const found = place.descriptor < 0 ? unknown : (this.#native?.look?.(place.descriptor, name) ?? unknown);
    if (found === unknown) return this.lookCached([...names, name]);
    return found === absent ? undefined : found;
  }

  /** The same of one name in a directory, from the disk. */
  async lookFrom(place: Place, name: Buffer): Promise<BigIntStats | undefined> {
    try {
      return await this.#operations.lstat(place.at(name));
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** Brings the names of a directory to disk. One that the server may not read is left to the system. */
  async sync(place: Place): Promise<void> {
    if (!this.#operations.hasDisk) return;
    if (place.descriptor === this.#place.descriptor) return this.#operations.sync(place.descriptor);
    let descriptor: number;
    try {
      const cached = this.#native?.open(place.descriptor, [DOT], openFlags.directory) ?? unknown;
      descriptor = cached >= 0 ? cached : await this.#operations.open(place.at(DOT), openFlags.directory);
    } catch (error) {
      if (hasCode(error, 'EACCES')) return;
      throw error;
    }
    try {
      await this.#operations.sync(descriptor);
    } finally {
      this.#operations.closeNow(descriptor);
    }
  }

  /** Opens the directory that holds `path`. @throws BADARG for the root itself, which no directory holds */
  async spot(path: FilePath): Promise<Spot> {
    const name = path.names.at(-1);
    if (name === undefined) throw new FileError('BADARG', 'that cannot be done to the root');
    const place = await this.directory(path.names.slice(0, -1));
    return { place, name, path: place.at(name) };
  }

  async #walked(names: readonly Buffer[]): Promise<Place> {
    let place = this.#borrowed();
    for (const name of names) {
      try {
        const descriptor = await this.#operations.open(place.at(name), openFlags.place);
        const outer = place;
        place = byDescriptor(descriptor, () => this.#operations.closeNow(descriptor));
        outer.close();
      } catch (error) {
        place.close();
        throw isLink(error)
          ? new FileError('NOTDIR', 'it, or a name on the way, is no directory', { cause: error })
          : error;
      }
    }
    return place;
  }

  async #looked(names: readonly Buffer[]): Promise<Place> {
    let path = this.place.itself;
    for (const name of names) {
      path = joined(path, name);
      const stats = await this.#operations.lstat(path);
      if (!stats.isDirectory()) throw new FileError('NOTDIR', 'it, or a name on the way, is no directory');
    }
    const itself = path;
    return { descriptor: -1, itself, at: (name) => joined(itself, name), close: () => {} };
  }

  /**
   * For systems without the walk, after a file was opened: that its name still leads to it without a link.
   * @throws DENIED
   */
  async lookAgain(path: FilePath, opened: BigIntStats): Promise<void> {
    if (this.confinement !== 'look-before-and-after') return;
    const { path: name } = await this.spot(path);
    const now = await this.#operations.lstat(name);
    if (now.ino !== opened.ino || now.dev !== opened.dev) throw new FileError('DENIED', 'the path changed meanwhile');
  }
}

function isLink(error: unknown): boolean {
  return hasCode(error, 'ELOOP', 'ENOTDIR');
}

/** Whether `/proc/self/fd/<n>` leads to what is held there. */
async function walkable(descriptor: number, operations: FileOperations): Promise<boolean> {
  const held = await operations.stat(descriptor);
  let reached: number;
  try {
    reached = await operations.open(Buffer.from(`/proc/self/fd/${descriptor}/.`), openFlags.place);
  } catch {
    return false;
  }
  try {
    const there = await operations.stat(reached);
    return there.ino === held.ino && there.dev === held.dev;
  } finally {
    operations.closeNow(reached);
  }
}
