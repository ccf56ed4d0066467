/** What each verb does: a table beside that of the protocol. Undefined where it is done at once. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { FileShrank, readFully } from './download.ts';
import { FileError } from './protocol/codes.ts';
import { helpText } from './protocol/help.ts';
import { MAX_LINE_BYTES } from './protocol/line.ts';
import type { FilePath } from './protocol/path.ts';
import { crc32Text, data, entryPairs, item, ok, send, timeText } from './protocol/reply.ts';
import { type Arguments, type VerbName, verbs } from './protocol/verbs.ts';
import type { Session } from './session.ts';
import type { Entry, OpenedFile, Precondition, Upload, UploadRequest } from './store/store.ts';
import { findToken } from './tokens.ts';
import type { Outcome, Transfer } from './transfers.ts';

type Handler<V extends VerbName> = (session: Session, args: Arguments<V>) => Promise<void> | undefined;

const NO_SUCH_FILE: Precondition = { kind: 'none' };

/** Entries asked of the store at a time: some 100 KiB of ITEM lines. */
const LIST_PAGE_ENTRIES = 1_000;

/** Up to here header, content and closing line are one write, and the file is read in one go. */
const SMALL_FILE_BYTES = 64 * 1024;

/** Longest closing of a DATA reply: CRLF, "OK crc32=", 8 digits, CRLF. */
const CLOSING_BYTES = 21;

export const handlers: { readonly [V in VerbName]: Handler<V> } = {
  HELP: (session) => {
    session.reply(`${data(helpText.length, {})}${helpText}\r\n${ok()}`);
    return undefined;
  },

  CAPS: (session) => {
    const { writable, auth, tokens, maxFileSizeBytes, maxFilesPerConnection, stallTimeoutMs } = session.context.limits;
    session.reply(
      ok({
        protocol: 1,
        verbs: Object.keys(verbs).join(','),
        writable: writable ? 'yes' : 'no',
        auth: tokens.length === 0 ? 'none' : auth,
        authenticated: session.authenticated ? 'yes' : 'no',
        maxline: MAX_LINE_BYTES,
        maxsize: maxFileSizeBytes || undefined,
        maxfiles: maxFilesPerConnection || undefined,
        stallms: stallTimeoutMs || undefined,
      }),
    );
    return undefined;
  },

  PING: (session) => {
    session.reply(ok());
    return undefined;
  },

  QUIT: (session) => {
    session.reply(ok());
    session.finish('server-closed');
    return undefined;
  },

  AUTH: (session, { token }) => {
    const { tokens } = session.context.limits;
    if (tokens.length === 0) session.reply(ok({ auth: 'none' }));
    else session.authenticate(findToken(tokens, token));
    return undefined;
  },

  DF: async (session) => {
    const { freeBytes, quotaBytes, usedBytes } = await session.context.store.space();
    session.reply(ok({ free: freeBytes, used: usedBytes, quota: quotaBytes || undefined }));
  },

  LIST: async (session, args) => {
    const { path, depth = 1 } = args;
    let after = args.after;
    let left = args.n ?? Number.POSITIVE_INFINITY;
    let count = 0;
    for (;;) {
      // Above n only in search of a path to end on, which is as good as always the first.
      const limit = left > 0 ? Math.min(left, LIST_PAGE_ENTRIES) : LIST_PAGE_ENTRIES;
      const page = await session.context.store.list(path, { after, limit, depth, reader: session });
      const end = page.entries.findIndex((entry, index) => index + 1 >= left && goesOnInALine(args, entry.path));
      const told = end < 0 ? page.entries : page.entries.slice(0, end + 1);
      session.reply(told.map(item).join(''));
      count += told.length;
      left -= told.length;
      after = told.at(-1)?.path.text ?? after;
      const more = page.more || told.length < page.entries.length;
      if (end >= 0 || !more) {
        session.reply(ok({ count, more: more ? 'yes' : 'no', after: more ? after : undefined }));
        return;
      }
      await session.flushed();
      if (session.gone) return;
    }
  },

  STAT: async (session, { path }) => {
    session.reply(ok(entryPairs(await session.context.store.stat(path))));
  },

  SUM: async (session, { path, alg = 'sha256' }) => {
    const file = await session.context.store.open(path);
    try {
      const { etag, sizeBytes } = file.entry;
      const digest = alg === 'crc32' ? await crc32Of(session, file) : await sha256Of(session, file);
      if (digest !== undefined) session.reply(ok({ [alg]: digest, size: sizeBytes, etag }));
    } catch (error) {
      if (error instanceof FileShrank) throw new FileError('CHANGED', 'the file shrank meanwhile', { cause: error });
      throw error;
    } finally {
      closeQuietly(session, file);
    }
  },

  GET: (session, args) =>
    getNow(session, args)
      ? undefined
      : transferring(session, 'GET', args.path, (file, transfer) => get(session, file, args, transfer)),

  CAT: async (session, { path }) =>
    transferring(session, 'CAT', path, async (file) => {
      const lengthBytes = file.entry.sizeBytes;
      session.flush();
      const sent = await session.downloader.send({ file, offset: 0, lengthBytes, sum: false });
      await session.flushed();
      if (sent === undefined || session.gone) return { outcome: 'cut', bytes: session.downloader.takenBytes };
      session.finish('server-closed');
      return { outcome: 'complete', bytes: lengthBytes };
    }),

  PUT: (session, { path, length, if: precondition = NO_SUCH_FILE, sha256 }) => {
    const transfer = session.context.transfers.begin('PUT', path.text, session.connection);
    const sizeBytes = length === 'chunked' ? undefined : length;
    const request = { path, sizeBytes, precondition, sha256 };
    return putNow(session, request, transfer) ? undefined : put(session, request, transfer);
  },

  TEXT: async (session, { path, if: precondition = NO_SUCH_FILE }) => {
    const transfer = session.context.transfers.begin('TEXT', path.text, session.connection);
    const upload = await granted(session, transfer, 'text', () =>
      session.context.store.createUpload({ path, precondition }),
    );
    if (upload !== undefined) await session.receive(upload, 'text', transfer);
  },

  RESUME: async (session, { id }) => {
    const transfer = session.context.transfers.begin('RESUME', `id:${id}`, session.connection);
    const upload = await granted(session, transfer, 0, () => session.context.store.resumeUpload(id));
    if (upload === undefined) return;
    const { path, sizeBytes } = upload.request;
    const named: Transfer = { ...transfer, path: path.text };
    await session.receive(upload, sizeBytes === undefined ? 'chunked' : 'counted', named);
  },

  ABORT: async (session, { id }) => {
    await session.context.store.abortUpload(id);
    session.reply(ok());
  },

  MKDIR: async (session, { path }) => {
    const entry = await session.context.store.makeDirectory(path);
    session.context.transfers.changed('MKDIR', path.text, session.connection);
    session.reply(ok(entryPairs(entry)));
  },

  RMDIR: async (session, { path }) => {
    await session.context.store.removeDirectory(path);
    session.context.transfers.changed('RMDIR', path.text, session.connection);
    session.reply(ok());
  },

  DEL: async (session, { path, if: etag }) => {
    await session.context.store.remove(path, etag);
    session.context.transfers.changed('DEL', path.text, session.connection);
    session.reply(ok());
  },

  MOVE: async (session, { from, to, if: precondition = NO_SUCH_FILE }) => {
    const entry = await session.context.store.move(from, to, precondition);
    session.context.transfers.changed('MOVE', from.text, session.connection, to.text);
    session.reply(ok(entryPairs(entry)));
  },
};

/** Whether the LIST that asks for the next page is a line of the protocol. A name takes up to 765 characters there. */
function goesOnInALine({ path, n, depth }: Arguments<'LIST'>, after: FilePath): boolean {
  const options = `${n === undefined ? '' : ` n=${n}`}${depth === undefined ? '' : ` depth=${depth}`}`;
  return `LIST ${path.text} after=${after.text}${options}\r\n`.length <= MAX_LINE_BYTES;
}

/**
 * The whole of a small file that came with its command, in the turn that read it. Returns false where anything about it
 * is different; nothing was done then.
 */
function putNow(session: Session, request: UploadRequest, transfer: Transfer): boolean {
  const { sizeBytes } = request;
  const { store, transfers } = session.context;
  if (store.putNow === undefined || sizeBytes === undefined || sizeBytes > SMALL_FILE_BYTES) return false;
  const content = session.peek(sizeBytes);
  if (content === undefined) return false;
  try {
    const done = store.putNow(request, content);
    if (done === undefined) return false;
    session.passOver(sizeBytes);
    transfers.end(transfer, 'complete', sizeBytes);
    session.reply(`${send(0, done.id)}${ok(entryPairs(done.entry))}`);
  } catch (error) {
    const fault = session.faultOf(error);
    transfers.end(transfer, 'failed', sizeBytes, fault.code);
    session.refuse(fault, sizeBytes);
  }
  return true;
}

async function put(session: Session, request: UploadRequest, transfer: Transfer): Promise<void> {
  const length = request.sizeBytes ?? 'chunked';
  const upload = await granted(session, transfer, length, () => session.context.store.createUpload(request));
  if (upload !== undefined) await session.receive(upload, length === 'chunked' ? 'chunked' : 'counted', transfer);
}

/** What the store grants, or its refusal as the answer; the payload is on its way in either case. */
async function granted(
  session: Session,
  transfer: Transfer,
  following: number | 'chunked' | 'text',
  ask: () => Promise<Upload>,
): Promise<Upload | undefined> {
  try {
    return await ask();
  } catch (error) {
    const fault = session.faultOf(error);
    session.context.transfers.end(transfer, 'refused', 0, fault.code);
    if (!session.gone) session.refuse(fault, following);
    return undefined;
  }
}

interface Ended {
  readonly outcome: Outcome;
  readonly bytes: number;
  /** The answer, where none was given yet. */
  readonly error?: FileError;
}

/** Opens a file for a transfer, and sees to its record whatever becomes of it. */
async function transferring(
  session: Session,
  verb: VerbName,
  path: FilePath,
  send: (file: OpenedFile, transfer: Transfer) => Promise<Ended>,
): Promise<void> {
  const { transfers } = session.context;
  const transfer = transfers.begin(verb, path.text, session.connection);
  let file: OpenedFile;
  try {
    file = await session.context.store.open(path);
  } catch (error) {
    const fault = session.faultOf(error);
    transfers.end(transfer, 'refused', 0, fault.code);
    if (verb === 'CAT') session.lastWord(fault, 'server-closed');
    else session.fail(fault);
    return;
  }
  try {
    const { outcome, bytes, error } = await send(file, transfer);
    transfers.end(transfer, outcome, bytes, error?.code);
    if (error !== undefined) session.fail(error);
  } catch (error) {
    // In the middle of what was promised there is no place for an answer: the peer hears of it by the reset.
    const code = error instanceof FileShrank ? 'CHANGED' : session.faultOf(error).code;
    transfers.end(transfer, 'cut', session.downloader.takenBytes, code);
    session.cut('cut-short');
  } finally {
    closeQuietly(session, file);
  }
}

/** Nobody waits for it, and nothing depends on it. */
function closeQuietly(session: Session, file: OpenedFile): void {
  try {
    file.close()?.catch((error: unknown) => session.faultOf(error));
  } catch (error) {
    session.faultOf(error);
  }
}

/**
 * The whole of a small file that is in memory, in the turn that asked for it: waiting for promises would cost as much
 * again as finding and reading it. Returns false where anything about it is different; nothing was done then.
 */
function getNow(session: Session, { path, off, len, if: wanted, ifnot }: Arguments<'GET'>): boolean {
  if (off !== undefined || len !== undefined || ifnot !== undefined) return false;
  const { store, transfers } = session.context;
  const file = store.openNow?.(path);
  if (file === undefined) return false;
  try {
    const { sizeBytes, etag } = file.entry;
    if (sizeBytes > SMALL_FILE_BYTES || (wanted !== undefined && wanted !== etag)) return false;
    const { reply, content } = smallReply(headerOf(file.entry, 0, sizeBytes), sizeBytes);
    if (file.readWholeNow?.(content) !== true) return false;
    finishSmallReply(reply, content);
    const transfer = transfers.begin('GET', path.text, session.connection);
    session.batch(reply);
    transfers.end(transfer, 'complete', sizeBytes);
    return true;
  } finally {
    closeQuietly(session, file);
  }
}

function headerOf({ sizeBytes, modifiedMs, etag, sha256 }: Entry, off: number, lengthBytes: number): string {
  return data(lengthBytes, { off, size: sizeBytes, mtime: timeText(modifiedMs), etag, sha256 });
}

async function get(
  session: Session,
  file: OpenedFile,
  { off = 0, len = Number.POSITIVE_INFINITY, if: wanted, ifnot }: Arguments<'GET'>,
  transfer: Transfer,
): Promise<Ended> {
  const { etag, sizeBytes } = file.entry;
  if (wanted !== undefined && wanted !== etag) {
    session.fail(new FileError('CHANGED', 'it is not the file it was'), { etag });
    return { outcome: 'refused', bytes: 0 };
  }
  if (ifnot === etag) {
    session.reply(ok({ unchanged: 'yes', etag }));
    return { outcome: 'unchanged', bytes: 0 };
  }
  if (off > sizeBytes) {
    session.fail(new FileError('OFFSET', 'the file ends before that'), { size: sizeBytes });
    return { outcome: 'refused', bytes: 0 };
  }
  transfer.offset = off;
  const lengthBytes = Math.min(len, sizeBytes - off);
  const header = headerOf(file.entry, off, lengthBytes);
  const range = { file, offset: off, lengthBytes };
  return lengthBytes <= SMALL_FILE_BYTES ? getSmall(session, range, header) : getLarge(session, range, header);
}

interface Range {
  readonly file: OpenedFile;
  readonly offset: number;
  readonly lengthBytes: number;
}

/** Room for everything in one write, with the header in it, and the part of it that the content goes to. */
function smallReply(header: string, lengthBytes: number): { readonly reply: Buffer; readonly content: Buffer } {
  const reply = Buffer.allocUnsafe(header.length + lengthBytes + CLOSING_BYTES);
  reply.write(header, 0, 'latin1');
  return { reply, content: reply.subarray(header.length, header.length + lengthBytes) };
}

function finishSmallReply(reply: Buffer, content: Buffer): void {
  reply.write(closing(crc32(content)), reply.length - CLOSING_BYTES, 'latin1');
}

/** Nothing was promised before the content is here. */
async function getSmall(session: Session, { file, offset, lengthBytes }: Range, header: string): Promise<Ended> {
  const { reply, content } = smallReply(header, lengthBytes);
  try {
    await readFully(file, content, offset);
  } catch (error) {
    if (!(error instanceof FileShrank)) throw error;
    const changed = new FileError('CHANGED', 'the file shrank meanwhile', { cause: error });
    return { outcome: 'failed', bytes: 0, error: changed };
  }
  if (await file.isWrittenTo()) return { outcome: 'failed', bytes: 0, error: writtenTo() };
  finishSmallReply(reply, content);
  session.send(reply);
  return { outcome: session.gone ? 'cut' : 'complete', bytes: lengthBytes };
}

async function getLarge(session: Session, range: Range, header: string): Promise<Ended> {
  const { file, lengthBytes } = range;
  const { etag, sizeBytes } = file.entry;
  const { digests } = session.context;
  const whole = lengthBytes === sizeBytes;
  const known = whole ? digests.crc32(etag) : undefined;
  session.reply(header);
  session.flush();
  const summed = await session.downloader.send({ ...range, sum: known === undefined });
  if (summed === undefined) return { outcome: 'cut', bytes: session.downloader.takenBytes };
  if (await file.isWrittenTo()) {
    session.reply('\r\n');
    return { outcome: 'failed', bytes: lengthBytes, error: writtenTo() };
  }
  if (whole && known === undefined && file.isSettled) digests.rememberCrc32(etag, summed);
  session.reply(closing(known ?? summed));
  await session.flushed();
  return session.gone
    ? { outcome: 'cut', bytes: session.downloader.takenBytes }
    : { outcome: 'complete', bytes: lengthBytes };
}

const writtenTo = (): FileError => new FileError('CHANGED', 'it was written to meanwhile');

/** The line after the content: what it must sum up to. */
const closing = (crc: number): string => `\r\n${ok({ crc32: crc32Text(crc) })}`;

/** Undefined if the peer left before it was known. */
async function crc32Of({ context, downloader }: Session, file: OpenedFile): Promise<string | undefined> {
  const { etag, sizeBytes } = file.entry;
  const known = context.digests.crc32(etag);
  if (known !== undefined) return crc32Text(known);
  let crc = 0;
  const whole = await downloader.scan(file, sizeBytes, (bytes) => {
    crc = crc32(bytes, crc);
  });
  if (!whole) return undefined;
  if (file.isSettled && (await isUnchanged(file))) context.digests.rememberCrc32(etag, crc);
  return crc32Text(crc);
}

/** Undefined if the peer left before it was known. */
async function sha256Of({ downloader }: Session, file: OpenedFile): Promise<string | undefined> {
  const { sha256, sizeBytes } = file.entry;
  if (sha256 !== undefined) return sha256;
  const hash = createHash('sha256');
  const whole = await downloader.scan(file, sizeBytes, (bytes) => hash.update(bytes));
  if (!whole) return undefined;
  const digest = hash.digest('hex');
  if (await isUnchanged(file)) file.remember(digest);
  return digest;
}

/** Only then does what was read belong to the etag. */
async function isUnchanged(file: OpenedFile): Promise<boolean> {
  return (await file.check()).etag === file.entry.etag;
}
