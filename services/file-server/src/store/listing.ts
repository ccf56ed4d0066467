/**
 * One page of a listing: sorted by the bytes of the names, a directory before what it holds, whatever the number of
 * names. A directory gives its names in no order, so each page needs a look at all of them; the smallest few thousand
 * are kept meanwhile, and serve other pages too (windows.ts).
 */
import { setImmediate } from 'node:timers/promises';
import { FileError } from '../protocol/codes.ts';
import { decodePath, pathOf } from '../protocol/path.ts';
import type { FileStats } from './entries.ts';
import { hasCode } from './failures.ts';
import { hiddenName, isHidden } from './names.ts';
import type { FileOperations } from './operations.ts';
import type { Place, Root } from './root.ts';
import { Slots } from './slots.ts';
import type { Entry, ListedEntry, ListPage, ListReader, ListRequest } from './store.ts';
import { type Seen, type Window, Windows } from './windows.ts';

/** Names of one directory that are in memory at a time. */
export const WINDOW_NAMES = 8192;
/** For a listing that goes on from page to page, and may go to the end: a directory is read less often for it. */
const LATER_WINDOW_NAMES = 4 * WINDOW_NAMES;
/** The same of each directory below the listed one: as many at once as the listing is deep. */
const NESTED_WINDOW_NAMES = 2048;
/** Names that are sorted in one go. */
const SLICE_NAMES = 8192;
/** Directories that are read at a time, whoever asks: each takes the processor, and memory for two windows. */
const SCANS_AT_ONCE = 4;
/** How many names are read before it is asked whether anybody still waits for them. */
const NAMES_BETWEEN_LOOKS = 1024;
/** How long the loop may be held up by entries that are in memory. */
const SLICE_MS = 4;
/** A page ends behind the entry whose path passes this: a path takes up to 9 KiB, an ordinary one some 30 bytes. */
const MAX_PAGE_CHARACTERS = 256 * 1024;
/** Entries that the disk is asked for at once. */
const PARALLEL = 16;

/** A name, and what it stands for; nothing, if it is gone since the directory was read. */
interface Named {
  readonly name: Buffer;
  entry: Entry | undefined;
}

export interface ListingHost {
  readonly root: Root;
  readonly operations: FileOperations;
  /** A directory that changed more recently may change again without its times telling. */
  readonly settledMs: number;
  now(): number;
  entryOf(stats: FileStats): Entry;
}

/** A listing that one reader goes through, as far as it came. */
interface Course {
  readonly key: string;
  /** The last path that was given; undefined: it is over. */
  readonly after: string | undefined;
  /** A moment of the windows. */
  readonly began: number;
}

export class Listing {
  readonly #host: ListingHost;
  readonly #windows = new Windows();
  readonly #scans = new Slots(SCANS_AT_ONCE);
  /** Of each reader the listing that it asked for last. */
  readonly #courses = new WeakMap<ListReader, Course>();

  constructor(host: ListingHost) {
    this.#host = host;
  }

  async page(names: readonly Buffer[], request: ListRequest): Promise<ListPage> {
    const { reader } = request;
    const key = `${request.depth} ${pathOf(names).text}`;
    const before = reader && this.#courses.get(reader);
    const goesOn = before?.key === key && before.after !== undefined && before.after === request.after;
    const began = goesOn ? before.began : this.#windows.moment();
    const collector = new Collector(request.limit, { began, goesOn, reader });
    const after = request.after === undefined ? [] : decodePath(request.after).names;
    const place = await this.#host.root.directory(names);
    try {
      await this.#collect(place, names, { prefix: [], after, depth: request.depth, collector });
    } finally {
      place.close();
    }
    const { entries, more } = collector;
    // Who asks on behind the end looks for what is new there.
    const last = more ? entries.at(-1)?.path.text : undefined;
    if (reader !== undefined) this.#courses.set(reader, { key, after: last, began });
    return { entries, more };
  }

  async #collect(place: Place, names: readonly Buffer[], walk: Walk): Promise<void> {
    const { prefix, depth, collector } = walk;
    const [after, ...deeper] = walk.after;
    const descends = depth > 1;
    // The page before ended at this directory, or below it.
    if (after !== undefined && descends) await this.#descend(names, after, { prefix, after: deeper, depth, collector });
    for await (const some of this.#inOrder(place, names, after, walk)) {
      for (const { name, entry } of some) {
        if (entry === undefined) continue;
        collector.add({ ...entry, path: pathOf([...prefix, name]) });
        if (collector.more) return;
        if (descends && entry.kind === 'directory') {
          await this.#descend(names, name, { prefix, after: [], depth, collector });
        }
      }
    }
  }

  /** The entries of one directory, some at a time, in the order of their names, until the page is full. */
  async *#inOrder(
    place: Place,
    names: readonly Buffer[],
    after: Buffer | undefined,
    { prefix, collector }: Walk,
  ): AsyncGenerator<readonly Named[]> {
    const topNames = collector.goesOn ? LATER_WINDOW_NAMES : WINDOW_NAMES;
    const windowNames = prefix.length === 0 ? topNames : Math.max(NESTED_WINDOW_NAMES, collector.wanted);
    let last = after?.toString('latin1');
    let window: Window;
    do {
      window = await this.#window(place, last, windowNames, collector);
      last = window.names.at(-1);
      for (let start = 0; start < window.names.length && !collector.more; start += PARALLEL) {
        yield await this.#entries(place, names, window.names.slice(start, start + PARALLEL), collector);
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
    some: readonly string[],
    collector: Collector,
  ): Promise<readonly Named[]> {
    if (collector.sliceIsOver(this.#host.now())) await setImmediate();
    const found: Named[] = [];
    const fromDisk: Promise<void>[] = [];
    for (const text of some) {
      const name = Buffer.from(text, 'latin1');
      const stats = this.#host.root.lookInside(place, names, name);
      if (stats === undefined) continue;
      const named: Named = { name, entry: stats === 'unknown' ? undefined : this.#host.entryOf(stats) };
      found.push(named);
      if (named.entry === undefined) fromDisk.push(this.#lookFromDisk(place, named));
    }
    if (fromDisk.length === 0) return found;
    await Promise.all(fromDisk);
    return found;
  }

  async #lookFromDisk(place: Place, named: Named): Promise<void> {
    const stats = await this.#host.root.lookFrom(place, named.name);
    named.entry = stats && this.#host.entryOf(stats);
  }

  async #window(place: Place, after: string | undefined, windowNames: number, collector: Collector): Promise<Window> {
    const { began, wanted } = collector;
    const seen = this.#seen(await this.#host.root.statPlace(place));
    const find = (): Window | undefined => this.#windows.find(seen, after, began, this.#host.now());
    return (
      find() ??
      this.#scans.hold(async () => {
        // Meanwhile somebody else may have read it.
        const found = find();
        if (found !== undefined) return found;
        const readAt = this.#windows.moment();
        const readMs = this.#host.now();
        const window = await this.#scan(place, after, windowNames, collector);
        // One that a single page uses up is not worth keeping.
        if (window.names.length > wanted) this.#windows.keep({ ...window, seen, after, readAt, readMs });
        return window;
      })
    );
  }

  #seen({ dev, ino, mtimeNs, ctimeNs }: FileStats): Seen {
    const settled = this.#host.now() - Number(ctimeNs / 1_000_000n) > this.#host.settledMs;
    return { directory: `${dev} ${ino}`, stamp: `${mtimeNs} ${ctimeNs}`, settled };
  }

  async #scan(place: Place, after: string | undefined, windowNames: number, { reader }: Collector): Promise<Window> {
    const isRoot = place.descriptor === this.#host.root.place.descriptor;
    const smallest = new SmallestNames(windowNames);
    requireReader(reader);
    let count = 0;
    for await (const name of this.#host.operations.names(place.itself)) {
      count += 1;
      if (count % NAMES_BETWEEN_LOOKS === 0) requireReader(reader);
      if (isRoot && name === HIDDEN) continue;
      if (after === undefined || name > after) smallest.add(name);
    }
    return smallest.window();
  }
}

/** Gives up what nobody waits for. */
function requireReader(reader: ListReader | undefined): void {
  if (reader?.gone === true) throw new FileError('TIMEOUT', 'who asked for this listing is gone');
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
  /** When the listing did that this is a page of: a moment of the windows. */
  readonly began: number;
  /** It is not the first. */
  readonly goesOn: boolean;
  readonly reader: ListReader | undefined;
  readonly #limit: number;
  #characters = 0;
  #sliceEndMs: number | undefined;

  constructor(limit: number, { began, goesOn, reader }: Pick<Collector, 'began' | 'goesOn' | 'reader'>) {
    this.#limit = limit;
    this.began = began;
    this.goesOn = goesOn;
    this.reader = reader;
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

/**
 * Keeps the smallest of many names: a slice of them is gathered, sorted, and merged with those before it. The longest
 * that holds the loop is one such step, some 5 ms; all of them together take no more than to sort twice the room at once.
 */
class SmallestNames {
  readonly #limit: number;
  readonly #sliceNames: number;
  /** In order. */
  #names: string[] = [];
  #slice: string[] = [];
  #largest: string | undefined;
  #dropped = false;

  constructor(limit: number) {
    this.#limit = limit;
    this.#sliceNames = Math.min(limit, SLICE_NAMES);
  }

  add(name: string): void {
    if (this.#largest !== undefined && name > this.#largest) {
      this.#dropped = true;
      return;
    }
    this.#slice.push(name);
    if (this.#slice.length >= this.#sliceNames) this.#merge();
  }

  #merge(): void {
    const [left, right] = [this.#names, this.#slice.sort()];
    const total = Math.min(this.#limit, left.length + right.length);
    if (total < left.length + right.length) this.#dropped = true;
    const merged: string[] = [];
    for (let [l, r] = [0, 0]; merged.length < total; ) {
      const fromLeft = left[l];
      const fromRight = right[r];
      if (fromRight === undefined || (fromLeft !== undefined && fromLeft < fromRight)) {
        merged.push(fromLeft as string);
        l += 1;
      } else {
        merged.push(fromRight);
        r += 1;
      }
    }
    this.#names = merged;
    this.#slice = [];
    this.#largest = merged.length === this.#limit ? merged.at(-1) : undefined;
  }

  window(): Window {
    if (this.#slice.length > 0) this.#merge();
    return { names: this.#names, more: this.#dropped };
  }
}
