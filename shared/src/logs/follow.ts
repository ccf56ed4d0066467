/**
 * Follows the logs of a folder by inode: through rotation by renaming (the writer goes on in the old
 * file until it opens the new one), through rotation by copying and emptying, and with services that
 * begin to log later.
 */
import { closeLogs, type LogFile, listIdentities, openLogs } from './files.ts';
import type { LineFilter } from './filter.ts';
import type { LogLine } from './record.ts';
import { LineScanner } from './scan.ts';
import type { Batch } from './source.ts';
import { TailedFile } from './tailed-file.ts';

/** How long a renamed file is still read after its successor has come: writers are slow to change over. */
const OLD_FILE_MS = 5000;

interface Followed {
  readonly scanner: LineScanner;
  /** Oldest first; the last one is the live file. */
  files: TailedFile[];
  /** Judged before the folder is looked at: a copy that is found then is complete. */
  truncated: boolean;
}

export interface FollowerOptions {
  readonly folder: string;
  readonly isWanted: (service: string) => boolean;
  readonly filter: LineFilter;
  /** Any clock in milliseconds. */
  readonly now: () => number;
}

export class Follower {
  readonly #options: FollowerOptions;
  readonly #services = new Map<string, Followed>();
  /** Identities of files that have been read, or were there before we came. */
  readonly #known = new Set<string>();
  #listing = '';

  /** Takes over the open files: what they hold up to their `size` has been read. */
  constructor(options: FollowerOptions, files: readonly LogFile[]) {
    this.#options = options;
    for (const file of files) this.#known.add(file.identity);
    closeLogs(files.filter(({ rotated }) => rotated));
    for (const file of files.filter(({ rotated }) => !rotated)) this.#begin(file, file.size);
  }

  /** What was written since the last call, a batch for each service, and whether there is more to read at once. */
  poll(): { readonly batches: readonly Batch[]; readonly more: boolean } {
    const found = this.#lookAround();
    const unused = new Set(found);
    const take = (file: LogFile): LogFile => {
      unused.delete(file);
      return file;
    };
    for (const file of found.filter(({ rotated }) => !rotated)) {
      if (!this.#services.has(file.service)) this.#begin(take(file), 0);
    }
    const results = [...this.#services].map(([service, followed]) => {
      const ofService = found.filter((file) => file.service === service);
      return this.#readService(followed, ofService, take);
    });
    closeLogs([...unused]);
    return { batches: results.map(({ lines }) => lines), more: results.some(({ more }) => more) };
  }

  close(): void {
    for (const { files } of this.#services.values()) {
      for (const file of files) file.close();
    }
  }

  /** The files of the folder, open, when something happened to them; most of the time nothing has. */
  #lookAround(): LogFile[] {
    const { folder, isWanted } = this.#options;
    const listing = listIdentities(folder, isWanted);
    for (const followed of this.#services.values()) followed.truncated = followed.files.at(-1)?.wasTruncated() ?? false;
    const truncated = [...this.#services.values()].some((followed) => followed.truncated);
    if (listing === this.#listing && !truncated) return [];
    this.#listing = listing;
    return openLogs(folder, isWanted);
  }

  #begin(file: LogFile, position: number): void {
    this.#known.add(file.identity);
    const scanner = new LineScanner(file.service, this.#options.filter, file.beginsMs);
    this.#services.set(file.service, { scanner, files: [new TailedFile(file, position)], truncated: false });
  }

  #readService(
    followed: Followed,
    found: readonly LogFile[],
    take: (file: LogFile) => LogFile,
  ): { lines: Batch; more: boolean } {
    const lines: LogLine[] = [];
    this.#recoverFromTruncation(followed, found, lines);
    this.#changeOver(followed, found, take);
    let more = false;
    for (const file of [...followed.files]) {
      more = !file.read((chunk) => lines.push(...followed.scanner.scan(chunk)));
      // What comes after it is later: not before all of this one is read.
      if (more) break;
      if (file.endsMs !== undefined && this.#options.now() >= file.endsMs) this.#finish(followed, file, lines);
    }
    return { lines, more };
  }

  /** Rotation by copying: what was added to the live file before it was emptied is in the copy. */
  #recoverFromTruncation(followed: Followed, found: readonly LogFile[], lines: LogLine[]): void {
    const live = followed.files.at(-1);
    const present = found.find(({ rotated }) => !rotated);
    if (live === undefined || (present !== undefined && present.identity !== live.identity)) return;
    const copies = this.#unknown(found);
    const own = live.position === 0 ? copies[0] : copies.find((copy) => live.isCopied(copy));
    // Nothing of it was read: only the copy can tell that there was something.
    const unread = live.position === 0 && own !== undefined && !live.beginsLike(own);
    if (!unread && !followed.truncated) {
      // A copy that is being made: to be looked at again, though nothing is renamed any more.
      if (live.position === 0 && own !== undefined) this.#listing = '';
      return;
    }
    // Those after it were made in a row. Without a copy of our own all of them are news.
    for (const copy of copies.slice(own === undefined ? 0 : copies.indexOf(own))) {
      if (copy !== own) live.rewind();
      this.#known.add(copy.identity);
      live.readCopy(copy, (chunk) => lines.push(...followed.scanner.scan(chunk)));
    }
    // A line that was broken by the copying goes on in the emptied file.
    if (own === undefined) scanRest(followed, live, lines);
    live.rewind();
  }

  /** Files that have come beside the live one since the last look; packing only changes the form of old ones. */
  #unknown(found: readonly LogFile[]): readonly LogFile[] {
    return found.filter(({ rotated, compressed, identity }) => rotated && !compressed && !this.#known.has(identity));
  }

  /** Rotation by renaming: a new live file, and perhaps others that came and went between two calls. */
  #changeOver(followed: Followed, found: readonly LogFile[], take: (file: LogFile) => LogFile): void {
    const live = found.find(({ rotated }) => !rotated);
    if (live === undefined || live.identity === followed.files.at(-1)?.identity) return;
    for (const file of [...this.#unknown(found), live]) {
      const before = followed.files.at(-1);
      if (before !== undefined) before.endsMs = this.#options.now() + OLD_FILE_MS;
      this.#known.add(file.identity);
      followed.files.push(new TailedFile(take(file), 0));
    }
  }

  #finish(followed: Followed, file: TailedFile, lines: LogLine[]): void {
    scanRest(followed, file, lines);
    file.close();
    followed.files = followed.files.filter((other) => other !== file);
  }
}

function scanRest({ scanner }: Followed, file: TailedFile, lines: LogLine[]): void {
  const rest = file.rest();
  if (rest !== undefined) lines.push(...scanner.scan(rest));
}
