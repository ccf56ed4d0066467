/**
 * What was read of directories for one page, and may serve other pages. A directory has to be read to its last name
 * for each window, however many names that is.
 *
 * A window serves a listing if it shows every name that is there from the beginning of the listing to its end: the
 * directory was read after the listing began, or has not changed since it was read.
 */

/** The smallest names of a directory that come after one, in order. */
export interface Window {
  /** In latin1, as `FileOperations.names` gives them. */
  readonly names: readonly string[];
  /** There are names after these. */
  readonly more: boolean;
}

/** A directory as it was a moment ago. */
export interface Seen {
  /** Device and inode. */
  readonly directory: string;
  /** When it changed last. */
  readonly stamp: string;
  /** No later change can have left the same stamp. */
  readonly settled: boolean;
}

interface KeptWindow extends Window {
  readonly seen: Seen;
  /** The name that it begins behind; undefined: with the first. */
  readonly after: string | undefined;
  /** When the reading began: a number of `moment`, and in milliseconds. */
  readonly readAt: number;
  readonly readMs: number;
}

/** In all windows that are kept: some 8 MB, and four times as much where every name is as long as can be. */
const KEPT_NAMES = 128 * 1024;

/** A person who asks for pages one by one sees what is new after this time. */
const LONGEST_MS = 10_000;

export class Windows {
  /** The one used last at the end. */
  #kept: KeptWindow[] = [];
  #moment = 0;

  /** Greater with each call. */
  moment(): number {
    this.#moment += 1;
    return this.#moment;
  }

  /**
   * The names after `after`, if that is known.
   *
   * @param began the moment at which the listing did
   */
  find({ directory, stamp }: Seen, after: string | undefined, began: number, nowMs: number): Window | undefined {
    for (const kept of this.#kept) {
      if (kept.seen.directory !== directory) continue;
      // The first names are always read anew: the times of some file systems are not to be relied upon that far.
      const isSame = after !== undefined && kept.seen.settled && kept.seen.stamp === stamp;
      const isLater = kept.readAt > began && nowMs - kept.readMs < LONGEST_MS;
      if (!isSame && !isLater) continue;
      const rest = restOf(kept, after);
      if (rest === undefined) continue;
      this.#kept = [...this.#kept.filter((other) => other !== kept), kept];
      return rest;
    }
    return undefined;
  }

  keep(window: KeptWindow): void {
    const { directory } = window.seen;
    const others = this.#kept.filter(({ seen, after }) => seen.directory !== directory || after !== window.after);
    this.#kept = [...others, window];
    for (let names = sizeOf(this.#kept); names > KEPT_NAMES; ) names -= this.#kept.shift()?.names.length ?? names;
  }
}

function sizeOf(windows: readonly Window[]): number {
  return windows.reduce((sum, { names }) => sum + names.length, 0);
}

/** What a window says of the names after one; undefined if that is nothing. */
function restOf(window: KeptWindow, after: string | undefined): Window | undefined {
  const { names, more } = window;
  if (after === undefined) return window.after === undefined ? window : undefined;
  if (window.after !== undefined && window.after > after) return undefined;
  const rest = names.slice(indexAfter(names, after));
  return rest.length > 0 || !more ? { names: rest, more } : undefined;
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
