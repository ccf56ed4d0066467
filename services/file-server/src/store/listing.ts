/**
 * One page of a listing: sorted by the bytes of the names, a directory before what it holds, whatever the number of
 * names. A directory gives its names in no order, so each page needs a look at all of them; the smallest few thousand
 * are kept meanwhile, and serve the next pages too as long as the directory stays as it is.
 */
import type { BigIntStats } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { decodePath, pathOf } from '../protocol/path.ts';
import { hasCode } from './failures.ts';
import { hiddenName, isHidden } from './names.ts';
import type { FileOperations } from './operations.ts';
import type { Place, Root } from './root.ts';
import type { Entry, ListedEntry, ListPage, ListRequest } from './store.ts';

/** Names of one directory that are in memory at a time. */
export const WINDOW_NAMES = 8192;
/** The same of each directory below the listed one: as many at once as the listing is deep. */
const NESTED_WINDOW_NAMES = 2048;
/** Windows that are kept for the next page. */
const KEPT_WINDOWS = 4;
/** How long the loop may be held up by entries that are in memory. */
const SLICE_MS = 4;
/** A page ends behind the entry whose path passes this: a path takes up to 9 KiB, an ordinary one some 30 bytes. */
const MAX_PAGE_CHARACTERS = 256 * 1024;
/** Entries that the disk is asked for at once. */
const PARALLEL = 16;

/** The smallest names of a directory that come after one, in order. */
interface Window {
  /** In latin1, as `FileOperations.names` gives them. */
  readonly names: readonly string[];
  /** There are names after these. */
  readonly more: boolean;
}

export interface ListingHost {
  readonly root: Root;
  readonly operations: FileOperations;
  /** A directory that changed more recently may change again without its times telling. */
  readonly settledMs: number;
  now(): number;
  entryOf(stats: BigIntStats): Entry;
}

export class Listing {
  readonly #host: ListingHost;
  readonly #windows = new Map<string, Window>();

  constructor(host: ListingHost) {
    this.#host = host;
  }

  async page(names: readonly Buffer[], request: ListRequest): Promise<ListPage> {
    const collector = new Collector(request.limit);
    const after = request.after === undefined ? [] : decodePath(request.after).names;
    const place = await this.#host.root.directory(names);
    try {
      await this.#collect(place, names, { prefix: [], after, depth: request.depth, collector });
    } finally {
      place.close();
    }
    return { entries: collector.entries, more: collector.more };
  }

  async #collect(place: Place, names: readonly Buffer[], walk: Walk): Promise<void> {
    const { prefix, depth, collector } = walk;
    const [after, ...deeper] = walk.after;
    const descends = depth > 1;
    // The page before ended at this directory, or below it.
    if (after !== undefined && descends) await this.#descend(names, after, { prefix, after: deeper, depth, collector });
    for await (const { name, entry } of this.#inOrder(place, names, after, walk)) {
      collector.add({ ...entry, path: pathOf([...prefix, name]) });
      if (collector.more) return;
      if (descends && entry.kind === 'directory') {
        await this.#descend(names, name, { prefix, after: [], depth, collector });
      }
    }
  }

  /** The entries of one directory, in the order of their names, until the page is full. */
  async *#inOrder(
    place: Place,
    names: readonly Buffer[],
    after: Buffer | undefined,
    { prefix, collector }: Walk,
  ): AsyncGenerator<{ name: Buffer; entry: Entry }> {
    const windowNames = prefix.length === 0 ? WINDOW_NAMES : Math.max(NESTED_WINDOW_NAMES, collector.wanted);
    let last = after?.toString('latin1');
    let window: Window;
    do {
      window = await this.#window(place, last, { windowNames, wanted: collector.wanted });
      last = window.names.at(-1);
      for (let start = 0; start < window.names.length; start += PARALLEL) {
        const some = window.names.slice(start, start + PARALLEL).map((name) => Buffer.from(name, 'latin1'));
        const entries = await this.#entries(place, names, some, collector);
        for (const [index, name] of some.entries()) {
          if (collector.more) return;
          const entry = entries[index];
          // One that is gone since the directory was read is left out.
          if (entry !== undefined) yield { name, entry };
        }
      }
    } while (window.more && !collector.more);
  }

  async #descend(names: readonly Buffer[], name: Buffer, walk: Walk): Promise<void> {
    const inner = [...names, name];
    if (isHidden(inner)) return;
    let directory: Place;
    try {
      directory = await this.#host.root.directory(inner);
    } catch (error) {
      // Gone, replaced by a file or a link, or closed to us: what it holds is not listed.
      if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'NOTFOUND', 'NOTDIR')) return;
      throw error;
    }
    try {
      const { prefix, after, depth, collector } = walk;
      await this.#collect(directory, inner, { prefix: [...prefix, name], after, depth: depth - 1, collector });
    } finally {
      directory.close();
    }
  }

  async #entries(
    place: Place,
    names: readonly Buffer[],
    some: readonly Buffer[],
    collector: Collector,
  ): Promise<(Entry | undefined)[]> {
    if (collector.sliceIsOver(this.#host.now())) await setImmediate();
    const path = [...names];
    return Promise.all(
      some.map((name) => {
        path[names.length] = name;
        return this.#entry(place, path, name);
      }),
    );
  }

  #entry(place: Place, path: readonly Buffer[], name: Buffer): Entry | undefined | Promise<Entry | undefined> {
    const stats = this.#host.root.lookCached(path);
    if (stats === 'unknown') return this.#entryFromDisk(place, name);
    return stats && this.#host.entryOf(stats);
  }

  async #entryFromDisk(place: Place, name: Buffer): Promise<Entry | undefined> {
    const stats = await this.#host.root.lookFrom(place, name);
    return stats && this.#host.entryOf(stats);
  }

  async #window(
    place: Place,
    after: string | undefined,
    { windowNames, wanted }: { windowNames: number; wanted: number },
  ): Promise<Window> {
    const stats = await this.#host.root.statPlace(place);
    const key = `${stats.dev} ${stats.ino} ${stats.mtimeNs} ${stats.ctimeNs}`;
    const kept = after === undefined ? undefined : this.#windows.get(key);
    const first = kept?.names[0];
    if (kept !== undefined && after !== undefined && first !== undefined && first <= after) {
      const rest = kept.names.slice(indexAfter(kept.names, after));
      if (rest.length > 0 || !kept.more) return { names: rest, more: kept.more };
    }
    const window = await this.#scan(place, after, windowNames);
    const settled = this.#host.now() - Number(stats.ctimeNs / 1_000_000n) > this.#host.settledMs;
    // One that a single page uses up is not worth keeping.
    if (settled && window.names.length > wanted) this.#keep(key, window);
    return window;
  }

  #keep(key: string, window: Window): void {
    this.#windows.delete(key);
    this.#windows.set(key, window);
    if (this.#windows.size <= KEPT_WINDOWS) return;
    for (const oldest of this.#windows.keys()) {
      this.#windows.delete(oldest);
      return;
    }
  }

  async #scan(place: Place, after: string | undefined, windowNames: number): Promise<Window> {
    const isRoot = place.descriptor === this.#host.root.place.descriptor;
    const smallest = new SmallestNames(windowNames);
    for await (const name of this.#host.operations.names(place.itself)) {
      if (isRoot && name === HIDDEN) continue;
      if (after === undefined || name > after) smallest.add(name);
    }
    return smallest.window();
  }
}

const HIDDEN = hiddenName.toString('latin1');

interface Walk {
  readonly prefix: readonly Buffer[];
  /** Relative to the directory that is being listed. */
  readonly after: readonly Buffer[];
  readonly depth: number;
  readonly collector: Collector;
}

/** The entries of one page, and one more only to know of. */
class Collector {
  readonly entries: ListedEntry[] = [];
  more = false;
  readonly #limit: number;
  #characters = 0;
  #sliceEndMs: number | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get wanted(): number {
    return this.#limit - this.entries.length + 1;
  }

  add(entry: ListedEntry): void {
    if (this.entries.length === this.#limit || this.#characters > MAX_PAGE_CHARACTERS) {
      this.more = true;
      return;
    }
    this.entries.push(entry);
    this.#characters += entry.path.text.length;
  }

  sliceIsOver(nowMs: number): boolean {
    if (this.#sliceEndMs !== undefined && nowMs < this.#sliceEndMs) return false;
    const first = this.#sliceEndMs === undefined;
    this.#sliceEndMs = nowMs + SLICE_MS;
    return !first;
  }
}

/** Keeps the smallest of many names: twice the room, sorted and halved when it is full. */
class SmallestNames {
  readonly #limit: number;
  readonly #names: string[] = [];
  #largest: string | undefined;
  #dropped = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(name: string): void {
    if (this.#largest !== undefined && name > this.#largest) {
      this.#dropped = true;
      return;
    }
    this.#names.push(name);
    if (this.#names.length >= 2 * this.#limit) this.#halve();
  }

  #halve(): void {
    this.#names.sort();
    if (this.#names.length > this.#limit) {
      this.#names.length = this.#limit;
      this.#dropped = true;
    }
    this.#largest = this.#names.length === this.#limit ? this.#names.at(-1) : undefined;
  }

  window(): Window {
    this.#halve();
    return { names: this.#names, more: this.#dropped };
  }
}

/** Where in sorted names the first one after `after` is. */
function indexAfter(names: readonly string[], after: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((names[middle] as string) <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}
