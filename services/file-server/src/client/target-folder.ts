/**
 * The folder that a server's files go to. It is held open, and so is every folder below it while something is put
 * there: each name is looked up in the folder that is held, never along a path from the root. So a link that lies in
 * the way, or that somebody puts there between a check and its use, leads nowhere: it is refused.
 *
 * Linux gives a held folder a path, /proc/self/fd/N. Elsewhere each folder on the way is checked with lstat before it
 * is used, which somebody who changes the target at the same time can get around.
 */
import { closeSync, constants, existsSync, lstatSync, mkdirSync, openSync } from 'node:fs';
import { systemCode } from '@small-servers/shared/errors';
import { displayName } from './display-name.ts';
import { localFailure } from './failures.ts';
import { localNameProblem } from './local-name.ts';
import { type NativeWriter, type NewFile, openNativeWriter } from './native-writer.ts';

const HELD_PATHS = '/proc/self/fd';
const SLASH = Buffer.from('/');

/** Folders of a tree that are held at a time; the one used longest ago is let go first. */
const MAX_HELD = 64;

/** A folder that names are looked up in. Good until the next call of `directory`. */
export class LocalFolder {
  /** Made by this very program: nothing that it did not put there is in it. */
  readonly isNew: boolean;
  readonly #prefix: Buffer;
  readonly #descriptor: number | undefined;

  constructor(prefix: Buffer, isNew: boolean, descriptor?: number) {
    this.#prefix = prefix;
    this.isNew = isNew;
    this.#descriptor = descriptor;
  }

  /** The path by which the system finds a name in this folder. */
  at(name: Buffer): Buffer {
    return Buffer.concat([this.#prefix, name]);
  }

  /** The quick way to put a small file here; `false` if it is not there: the way by `at` says why. */
  put(writer: NativeWriter, file: NewFile): boolean {
    return this.#descriptor !== undefined && writer(this.#descriptor, file);
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
  }
}

export class TargetFolder {
  readonly #root: LocalFolder;
  readonly #holds: boolean;
  readonly #held = new Map<string, LocalFolder>();
  /** Asked for last: the files of a folder come one after the other. */
  #last: { readonly names: readonly Buffer[]; readonly folder: LocalFolder } | undefined;
  #writer: NativeWriter | undefined;
  #hasLookedForWriter = false;

  /**
   * Opens a folder that the user named, and makes it if it is missing. The user's own path may hold links.
   *
   * @throws AppError LOCAL_FILE_FAILED
   */
  constructor(path: string, holds = existsSync(HELD_PATHS)) {
    this.#holds = holds;
    try {
      const made = mkdirSync(path, { recursive: true });
      this.#root = this.#hold(Buffer.from(path), made !== undefined, constants.O_RDONLY | constants.O_DIRECTORY);
    } catch (error) {
      throw localFailure(path, error);
    }
  }

  /**
   * The folder of these names below, made as far as it is missing.
   *
   * @throws AppError LOCAL_FILE_FAILED for a link or a file in the way, for a name that can't be had on this system
   */
  directory(names: readonly Buffer[]): LocalFolder {
    if (this.#last !== undefined && isSamePath(this.#last.names, names)) return this.#last.folder;
    let folder = this.#root;
    let key = '';
    for (const name of names) {
      key += `${name.toString('latin1')}/`;
      const held = this.#held.get(key);
      // The last one looked for is the last to be let go.
      if (held !== undefined) this.#held.delete(key);
      folder = held ?? this.#enter(folder, name);
      this.#held.set(key, folder);
    }
    this.#letGo(names.length);
    this.#last = { names, folder };
    return folder;
  }

  /** The path of a file in one of these folders. @throws as `directory` */
  at(folder: LocalFolder, name: Buffer): Buffer {
    this.#checkName(name);
    return folder.at(name);
  }

  /**
   * Puts a small file into one of these folders by the system's own calls. `false` if it is not there, for whatever
   * reason: what there is to say of it is said by the calls of Node on its path.
   *
   * @throws as `directory`, for a name that can't be had
   */
  put(folder: LocalFolder, file: NewFile): boolean {
    this.#checkName(file.name);
    if (!this.#hasLookedForWriter) this.#writer = this.#holds ? openNativeWriter(process) : undefined;
    this.#hasLookedForWriter = true;
    return this.#writer !== undefined && folder.put(this.#writer, file);
  }

  close(): void {
    for (const folder of this.#held.values()) folder.close();
    this.#held.clear();
    this.#last = undefined;
    this.#root.close();
  }

  #checkName(name: Buffer): void {
    const problem = localNameProblem(name, process.platform);
    if (problem !== undefined) throw localFailure(`${displayName(name)}: this name is not written here: ${problem}`);
  }

  #enter(parent: LocalFolder, name: Buffer): LocalFolder {
    const path = this.at(parent, name);
    let made = true;
    try {
      mkdirSync(path);
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw localFailure(displayName(name), error);
      made = false;
    }
    const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
    try {
      return this.#hold(path, made, flags);
    } catch (error) {
      const isBarred = ['ENOTDIR', 'ELOOP'].includes(systemCode(error) ?? '');
      const why = 'there is a link or a file where a folder must be, and links are not followed out of the target';
      throw isBarred ? localFailure(`${displayName(name)}: ${why}`) : localFailure(displayName(name), error);
    }
  }

  #hold(path: Buffer, made: boolean, flags: number): LocalFolder {
    if (this.#holds) {
      const descriptor = openSync(path, flags);
      return new LocalFolder(Buffer.from(`${HELD_PATHS}/${descriptor}/`), made, descriptor);
    }
    const followed = (flags & constants.O_NOFOLLOW) === 0;
    if (!followed && !lstatSync(path).isDirectory())
      throw Object.assign(new Error('not a folder'), { code: 'ENOTDIR' });
    return new LocalFolder(Buffer.concat([path, SLASH]), made);
  }

  /** Keeps the folders of the path just asked for, whatever their number. */
  #letGo(inUse: number): void {
    for (const [key, folder] of this.#held) {
      if (this.#held.size <= Math.max(MAX_HELD, inUse)) return;
      folder.close();
      this.#held.delete(key);
    }
  }
}

function isSamePath(a: readonly Buffer[], b: readonly Buffer[]): boolean {
  return a === b || (a.length === b.length && a.every((name, at) => name.equals(b[at] as Buffer)));
}
