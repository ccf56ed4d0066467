/**
 * Pages of LIST, each entry held against the ones before it: in order, so none comes twice; no deeper than asked;
 * and no more than the user allows. A server can make a listing long, but not endless.
 */
import { setTimeout as delay } from 'node:timers/promises';
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
    const line = `LIST ${wirePath(path)} depth=${options.depth} n=${pageEntries}${after}`;
    try {
      more = await askPage(await connect(), line, (entry) => entries.push(check.accept(entry)));
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
        const more = reply.fields.get('more') === 'yes';
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
