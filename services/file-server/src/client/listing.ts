/**
 * Pages of LIST, each entry held against the ones before it: in order, so none comes twice; no deeper than asked;
 * and no more than the user allows. A server can make a listing long, but not endless.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { MAX_LINE_BYTES } from '../protocol/line.ts';
import { type FilePath, pathBelow, pathOf } from '../protocol/path.ts';
import { listedEntry, plainItem, type RemoteEntry } from '../protocol/reply-entry.ts';
import { type Reply, ReplyError } from '../protocol/reply-parser.ts';
import { backoffMs } from './backoff.ts';
import { type Connection, type Exchange, outOfPlace } from './connection.ts';
import { mayPass, Refusal, violation } from './failures.ts';

export interface ListingOptions {
  /** 1: the folder's own entries. */
  readonly depth: number;
  /** More than these in all is a violation. */
  readonly maxEntries: number;
}

const LF = 0x0a;

/** As deep as a server lists at a time. */
const LEVELS = 32;

/** No server can list what it can not be asked for: a line of the protocol has 4,096 bytes. */
const MAX_PATH_CHARACTERS = 4_000;

/** Each page costs a round trip. */
const PAGE_ENTRIES = 1_000;

/** A page that is longer has no other purpose: an ordinary one has 100 KiB. */
const MAX_PAGE_CHARACTERS = 32 * 1024 * 1024;

/** In the order of a listing: name by name, in the order of their bytes, a folder before what it holds. */
export function comparePaths(a: FilePath, b: FilePath): number {
  const common = Math.min(a.names.length, b.names.length);
  for (let at = 0; at < common; at++) {
    const order = Buffer.compare(a.names[at] as Buffer, b.names[at] as Buffer);
    if (order !== 0) return order;
  }
  return a.names.length - b.names.length;
}

/** The entries of one listing so far. */
export class ListingCheck {
  readonly #options: ListingOptions;
  #count = 0;
  #last: FilePath | undefined;

  constructor(options: ListingOptions) {
    this.#options = options;
  }

  /** @throws ReplyError for an entry that can not come here */
  accept(entry: RemoteEntry): RemoteEntry {
    const { depth, maxEntries } = this.#options;
    if (entry.path.names.length > depth) throw new ReplyError('a listing deeper than was asked for');
    if (this.#last !== undefined && comparePaths(this.#last, entry.path) >= 0) {
      throw new ReplyError('a listing out of order');
    }
    this.#count += 1;
    if (this.#count > maxEntries) throw new ReplyError(`a listing of more entries than --max-files allows`);
    this.#last = entry.path;
    return entry;
  }
}

/** What one page may hold: a server that is asked for so many gives no more, but where it can't end sooner. */
class PageLimit {
  readonly #entries: number;
  readonly #command: string;
  #count = 0;
  #characters = 0;
  #mayEnd = false;

  constructor(entries: number, command: string) {
    this.#entries = entries;
    this.#command = command;
  }

  /** @throws ReplyError */
  count({ path: { text } }: RemoteEntry): void {
    this.#characters += text.length;
    if (this.#count >= this.#entries && this.#mayEnd) throw new ReplyError('a page of more than was asked for');
    if (this.#characters > MAX_PAGE_CHARACTERS) throw new ReplyError('a page without an end');
    this.#count += 1;
    // A page ends on a path that the command for the next one has room for.
    this.#mayEnd = `${this.#command} after=${text}\r\n`.length <= MAX_LINE_BYTES;
  }
}

/** Where pages come from, and how often a page that was cut is asked for again. */
export interface ListingSource {
  /** Asked for each page anew, so that it may be another connection. */
  connect(): Promise<Connection>;
  readonly retries: number;
  readonly signal: AbortSignal;
  /** Asked for at a time; the server may give fewer. */
  readonly pageEntries?: number;
}

/**
 * The pages of a folder, one after the other.
 *
 * @throws Refusal, AppError PROTOCOL_VIOLATED, and what ends a connection once too often
 */
export async function* listPages(
  { connect, retries, signal, pageEntries = PAGE_ENTRIES }: ListingSource,
  path: FilePath,
  options: ListingOptions,
): AsyncGenerator<readonly RemoteEntry[]> {
  const check = new ListingCheck(options);
  let after = '';
  let cuts = 0;
  for (let more = true; more; ) {
    const entries: RemoteEntry[] = [];
    const command = `LIST ${wirePath(path)} depth=${options.depth} n=${pageEntries}`;
    const limit = new PageLimit(pageEntries, command);
    try {
      more = await askPage(await connect(), `${command}${after}`, (entry) => {
        limit.count(entry);
        entries.push(check.accept(entry));
      });
    } catch (error) {
      // What came of the page is good: the next attempt goes on after it.
      cuts = entries.length > 0 ? 1 : cuts + 1;
      if (signal.aborted || !mayPass(error) || cuts > retries) throw error;
      await delay(backoffMs(cuts), undefined, { signal }).catch(() => {});
    }
    const last = entries.at(-1);
    if (last !== undefined) after = ` after=${last.path.text}`;
    yield entries;
  }
}

/** Everything below a folder, whatever its depth. Paths are relative to it, and parents come before children. */
export async function* listTree(
  source: ListingSource,
  root: FilePath,
  maxEntries: number,
): AsyncGenerator<readonly RemoteEntry[]> {
  const prefixes = [pathOf([])];
  let left = maxEntries;
  for (let prefix = prefixes.pop(); prefix !== undefined; prefix = prefixes.pop()) {
    const folder = pathBelow(root, prefix);
    if (folder.text.length > MAX_PATH_CHARACTERS) {
      throw violation((await source.connect()).target, 'folders deeper than any path can tell');
    }
    for await (const page of listPages(source, folder, { depth: LEVELS, maxEntries: left })) {
      left -= page.length;
      for (const { kind, path } of page) {
        if (kind === 'directory' && path.names.length === LEVELS) prefixes.push(pathBelow(prefix, path));
      }
      yield prefix.names.length === 0 ? page : page.map((entry) => below(prefix, entry));
    }
  }
}

function below(prefix: FilePath, entry: RemoteEntry): RemoteEntry {
  return { ...entry, path: pathBelow(prefix, entry.path) };
}

/** @returns whether there are entries after these */
function askPage(connection: Connection, line: string, take: (entry: RemoteEntry) => void): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  let count = 0;
  const exchange: Exchange = {
    accept: (reply: Reply) => {
      if (reply.kind === 'item') {
        take(listedEntry(reply.fields));
        count += 1;
        return 'more';
      }
      if (reply.kind === 'error') {
        reject(new Refusal(reply));
      } else if (reply.kind === 'ok') {
        const told = reply.fields.get('more');
        if (reply.fields.get('count') !== String(count))
          throw new ReplyError('a listing with another count than it has');
        if (told !== 'yes' && told !== 'no') throw new ReplyError('a listing that does not say whether it goes on');
        const more = told === 'yes';
        if (more && count === 0) throw new ReplyError('a listing that goes on after nothing');
        resolve(more);
      } else {
        throw outOfPlace(reply);
      }
      return 'done';
    },
    takeAhead: (chunk, from) => {
      let at = from;
      for (let end = chunk.indexOf(LF, at); end !== -1; end = chunk.indexOf(LF, at)) {
        const entry = plainItem(chunk.toString('latin1', at, end + 1));
        if (entry === undefined) break;
        take(entry);
        count += 1;
        at = end + 1;
      }
      return at;
    },
    fail: reject,
  };
  connection.send(line, exchange);
  return promise;
}

/** A path as it stands in a command. */
export function wirePath({ names, text }: FilePath): string {
  return names.length === 0 ? '/' : text;
}
