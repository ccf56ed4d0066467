/**
 * The store's own directory at the top of the root, where uploads grow until they are whole. It is on the file system
 * of the root, so that a link or a rename makes them appear, and no verb reaches it.
 *
 *   <id>.<instance>.part   held by a process that is writing it
 *   <id>.part              kept for a RESUME
 *   <id>.json              its record (record.ts); .json.new while it is written
 *
 * Taking up a partial file is a rename from the second name to the first: of two who try, one gets it.
 */
import type { BigIntStats } from 'node:fs';
import { FileError } from '../protocol/codes.ts';
import { kindOf } from './entries.ts';
import { hasCode } from './failures.ts';
import { type Instance, instancePattern, isOpen } from './instance.ts';
import { hiddenName } from './names.ts';
import { type FileOperations, openFlags } from './operations.ts';
import { decodeRecord, encodeRecord, type UploadRecord } from './record.ts';
import type { Place, Root } from './root.ts';

/** A partial file that was taken up: this process alone writes it. */
export interface Claimed {
  readonly record: UploadRecord;
  readonly descriptor: number;
}

/** What is kept from before. */
export interface Kept {
  readonly id: string;
  readonly durableBytes: number;
  readonly modifiedMs: number;
}

export interface Swept {
  readonly kept: readonly Kept[];
  readonly removed: number;
}

const MODE_DIRECTORY = 0o700;
const OPEN_TO_OTHERS = 0o077n;
const WRITABLE_BY_OTHERS = 0o022n;
export const MODE_PARTIAL = 0o600;

/** More than any record has: the longest path takes three characters a byte. */
const MAX_RECORD_BYTES = 64 * 1024;

const ID = /^[0-9a-f]{32}$/;
const FILE = new RegExp(`^([0-9a-f]{32})(?:\\.(${instancePattern}))?\\.(part|json|json\\.new)$`);

interface Found {
  /** Held: by whom; kept: an empty string. */
  part?: string;
  record?: boolean;
  unfinished?: boolean;
}

export class Partials {
  readonly #operations: FileOperations;
  readonly #place: Place;
  readonly #instance: Instance;
  /** Of the directory, and so of all that is put there. */
  readonly #owner: bigint;
  /** Of its file system: files of another cannot be linked or renamed from here. */
  readonly device: bigint;

  private constructor(
    operations: FileOperations,
    place: Place,
    instance: Instance,
    { device, owner }: { readonly device: bigint; readonly owner: bigint },
  ) {
    this.#operations = operations;
    this.#place = place;
    this.#instance = instance;
    this.device = device;
    this.#owner = owner;
  }

  /**
   * Makes the directory if it is not there.
   * @throws NOTDIR if something else has its name, DENIED if others could write there
   */
  static async open(root: Root, operations: FileOperations, instance: Instance): Promise<Partials> {
    try {
      await operations.makeDirectory(root.place.at(hiddenName), MODE_DIRECTORY);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
    const place = await root.directory([hiddenName]);
    try {
      const { dev, uid } = await requireOurs(place, operations);
      return new Partials(operations, place, instance, { device: dev, owner: uid });
    } catch (error) {
      place.close();
      throw error;
    }
  }

  close(): void {
    this.#place.close();
  }

  /** Of the directory. */
  get descriptor(): number {
    return this.#place.descriptor;
  }

  path(id: string): Buffer {
    return this.#place.at(Buffer.from(`${id}.${this.#instance.name}.part`));
  }

  #keptPath(id: string): Buffer {
    return this.#place.at(Buffer.from(`${id}.part`));
  }

  #recordPath(id: string): Buffer {
    return this.#place.at(Buffer.from(`${id}.json`));
  }

  #unfinishedPath(id: string): Buffer {
    return this.#place.at(Buffer.from(`${id}.json.new`));
  }

  /** A new partial file, open for writing. */
  create(id: string): Promise<number> {
    return this.#operations.open(this.path(id), openFlags.create, MODE_PARTIAL);
  }

  /** Writes the record so that a crash leaves the one before or this one. */
  async record(record: UploadRecord): Promise<void> {
    const path = this.#unfinishedPath(record.id);
    const descriptor = await this.#createAnew(path);
    try {
      await writeAll(this.#operations, descriptor, encodeRecord(record), 0);
      await this.#operations.syncData(descriptor);
    } finally {
      this.#operations.closeNow(descriptor);
    }
    await this.#operations.rename(path, this.#recordPath(record.id));
  }

  /** What an earlier attempt left is removed, never opened: whatever it is, nothing is written into it. */
  async #createAnew(path: Buffer): Promise<number> {
    try {
      return await this.#operations.open(path, openFlags.create, MODE_PARTIAL);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
    await this.#unlinkIfThere(path);
    return this.#operations.open(path, openFlags.create, MODE_PARTIAL);
  }

  async removeRecord(id: string): Promise<void> {
    await this.#unlinkIfThere(this.#recordPath(id));
  }

  /** Removes all of an upload that this process holds. */
  async discard(id: string): Promise<void> {
    await this.#unlinkIfThere(this.path(id));
    await this.#unlinkIfThere(this.#unfinishedPath(id));
    await this.removeRecord(id);
  }

  /** Lets go of a partial file whose record is written. */
  async keep(id: string): Promise<void> {
    await this.#operations.rename(this.path(id), this.#keptPath(id));
  }

  /** For one that no upload of this process writes. @throws NOTFOUND, or BUSY if another process holds it */
  async claim(id: string): Promise<Claimed> {
    await this.#take(id);
    return this.#orKeep(id, async () => {
      const record = await this.#readRecord(id);
      if (record === undefined) {
        await this.discard(id);
        throw nothingKept();
      }
      return { record, descriptor: await this.#openToResume(record) };
    });
  }

  async #openToResume({ id, durableBytes }: UploadRecord): Promise<number> {
    const descriptor = await this.#openPart(id);
    try {
      const stats = await this.#operations.stat(descriptor);
      // Two names: it was made to appear, and the crash came before this name was removed. Of another owner: who could
      // write there while the directory was open to all could go on writing to it under its name.
      const isOurs = kindOf(stats) === 'file' && stats.nlink === 1n && stats.uid === this.#owner;
      if (!isOurs || stats.size < BigInt(durableBytes)) {
        await this.discard(id);
        throw nothingKept();
      }
      await this.#operations.truncate(descriptor, durableBytes);
      return descriptor;
    } catch (error) {
      this.#operations.closeNow(descriptor);
      throw error;
    }
  }

  /** @throws NOTFOUND for what only has the name of one: a link, or a FIFO that nobody reads */
  async #openPart(id: string): Promise<number> {
    try {
      return await this.#operations.open(this.path(id), openFlags.resume);
    } catch (error) {
      if (!hasCode(error, 'ELOOP', 'ENXIO')) throw error;
      await this.discard(id);
      throw nothingKept();
    }
  }

  /** Removes an upload that nobody holds. @throws as `claim` does */
  async remove(id: string): Promise<void> {
    await this.#take(id);
    await this.#orKeep(id, () => this.discard(id));
  }

  /** Whatever goes wrong with an upload that was just taken up: the next who asks for it finds it where it was. */
  async #orKeep<T>(id: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      // A rename needs no descriptor, and where nothing is left it does nothing.
      await this.keep(id).catch(() => {});
      throw error;
    }
  }

  async #take(id: string): Promise<void> {
    if (!ID.test(id)) throw nothingKept();
    try {
      await this.#operations.rename(this.#keptPath(id), this.path(id));
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
      await this.#inherit(id);
    }
  }

  /** Takes up what was held to the end by a process that is gone, or by us. */
  async #inherit(id: string): Promise<void> {
    const holder = (await this.#find()).get(id)?.part;
    if (holder === undefined) throw nothingKept();
    // Ours, and who asks knows that nobody of us writes it: a name that could not be removed or given back.
    if (holder !== '' && holder !== this.#instance.name && isOpen(holder)) {
      throw new FileError('BUSY', 'another process of the server still holds that upload');
    }
    try {
      await this.#operations.rename(this.#heldPath(id, holder), this.path(id));
    } catch (error) {
      throw hasCode(error, 'ENOENT') ? nothingKept() : error;
    }
  }

  async #readRecord(id: string): Promise<UploadRecord | undefined> {
    let descriptor: number;
    try {
      descriptor = await this.#operations.open(this.#recordPath(id), openFlags.read);
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ELOOP')) return undefined;
      throw error;
    }
    try {
      if (kindOf(await this.#operations.stat(descriptor)) !== 'file') return undefined;
      const bytes = Buffer.alloc(MAX_RECORD_BYTES);
      const length = await this.#operations.read(descriptor, bytes, 0);
      const record = decodeRecord(bytes.subarray(0, length));
      return record?.id === id ? record : undefined;
    } finally {
      this.#operations.closeNow(descriptor);
    }
  }

  async #find(): Promise<Map<string, Found>> {
    const found = new Map<string, Found>();
    for await (const name of this.#operations.names(this.#place.itself)) {
      const [, id, holder = '', kind] = FILE.exec(name) ?? [];
      if (id === undefined) continue;
      const files = found.get(id) ?? {};
      found.set(id, files);
      if (kind === 'part') files.part = holder;
      else if (kind === 'json') files.record = true;
      else files.unfinished = true;
    }
    return found;
  }

  /**
   * Clears up after processes that are gone. What has a record and was written to since `oldestMs` is kept for a
   * RESUME; the rest, which nobody can name any more, is removed.
   *
   * @param isHeld whether this process is writing that upload; another one is believed to write what it holds
   */
  async sweep(oldestMs: number, isHeld: (id: string) => boolean): Promise<Swept> {
    const kept: Kept[] = [];
    let removed = 0;
    for (const [id, found] of await this.#find()) {
      if (this.#isWritten(id, found.part, isHeld)) continue;
      const resumable = await this.#resumable(id, found, oldestMs);
      if (resumable !== undefined) {
        kept.push(resumable);
        if (found.unfinished === true) await this.#unlinkIfThere(this.#unfinishedPath(id));
        continue;
      }
      removed++;
      await this.#unlinkIfThere(this.#heldPath(id, found.part));
      await this.#unlinkIfThere(this.#unfinishedPath(id));
      await this.#unlinkIfThere(this.#recordPath(id));
    }
    return { kept: kept.sort((a, b) => a.modifiedMs - b.modifiedMs), removed };
  }

  #isWritten(id: string, holder: string | undefined, isHeld: (id: string) => boolean): boolean {
    if (holder === this.#instance.name) return isHeld(id);
    return holder !== undefined && holder !== '' && isOpen(holder);
  }

  #heldPath(id: string, holder: string | undefined): Buffer {
    const suffix = holder === undefined || holder === '' ? '' : `.${holder}`;
    return this.#place.at(Buffer.from(`${id}${suffix}.part`));
  }

  async #resumable(id: string, found: Found, oldestMs: number): Promise<Kept | undefined> {
    const record = found.record === true ? await this.#readRecord(id) : undefined;
    if (record === undefined) return undefined;
    const path = this.#heldPath(id, found.part);
    try {
      const stats = await this.#operations.lstat(path);
      const modifiedMs = Number(stats.mtimeNs / 1_000_000n);
      if (kindOf(stats) !== 'file' || stats.nlink !== 1n || modifiedMs < oldestMs) return undefined;
      if (found.part !== undefined && found.part !== '') await this.#operations.rename(path, this.#keptPath(id));
      return { id, durableBytes: record.durableBytes, modifiedMs };
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  async #unlinkIfThere(path: Buffer): Promise<void> {
    try {
      await this.#operations.unlink(path);
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
}

/**
 * Who may write there could put a file of their own in the place of somebody's upload, and who may read there learns the
 * ids that RESUME and ABORT believe. So one that is ours is closed to all others, without a word: nobody else has
 * business there. On a file system where that changes nothing (FAT), reading by others is borne and writing is not.
 * @throws DENIED
 */
async function requireOurs(place: Place, operations: FileOperations): Promise<BigIntStats> {
  const itself = place.at(Buffer.from('.'));
  const user = process.geteuid?.();
  let stats = await operations.lstat(itself);
  if (user === undefined) return stats;
  if (stats.uid !== BigInt(user)) {
    throw new FileError(
      'DENIED',
      `belongs to the user ${stats.uid}: chown -R it to ${user}, who runs the server, or let ${stats.uid} run it`,
    );
  }
  if ((stats.mode & OPEN_TO_OTHERS) !== 0n) {
    const descriptor = await operations.open(itself, openFlags.directory);
    try {
      await operations.changeMode(descriptor, MODE_DIRECTORY);
    } catch {
      // What it is now decides.
    } finally {
      operations.closeNow(descriptor);
    }
    stats = await operations.lstat(itself);
  }
  if ((stats.mode & WRITABLE_BY_OTHERS) !== 0n) {
    throw new FileError(
      'DENIED',
      'can be written by others, and chmod 700 does not change that: mount its file system with umask=077',
    );
  }
  return stats;
}

/** Of an id that nobody can go on with. */
export function nothingKept(): FileError {
  return new FileError('NOTFOUND', 'nothing is kept of that upload');
}

/** Writes to the last byte, however few the system takes at a time. */
export async function writeAll(
  operations: FileOperations,
  descriptor: number,
  bytes: Uint8Array,
  offset: number,
): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const rest = done === 0 ? bytes : bytes.subarray(done);
    const written = await operations.write(descriptor, rest, offset + done);
    if (written === 0) throw new FileError('INTERNAL', 'the file system takes no more bytes and does not say why');
    done += written;
  }
}
