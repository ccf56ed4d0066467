/**
 * What a session asks of the files: the boundary between the protocol and the disk. The disk's side is
 * `disk-store.ts`; the tests' is a store in memory, which is also the model that the disk is held against.
 *
 * Every method may throw a FileError; anything else that it throws is a defect and answered INTERNAL.
 */
import type { FilePath } from '../protocol/path.ts';

export type EntryKind = 'file' | 'directory' | 'other';

export interface Entry {
  readonly kind: EntryKind;
  /** 0 for everything but a file. */
  readonly sizeBytes: number;
  /** Whole milliseconds since 1970, UTC. */
  readonly modifiedMs: number;
  /** Changes whenever the content may have: from device, inode, size, mtime and ctime in ns. Letters and digits. */
  readonly etag: string;
  /** Of the content, in hex, if it is known for this etag without reading it. */
  readonly sha256?: string | undefined;
}

export interface ListedEntry extends Entry {
  /** Relative to the listed directory; one name, or several if depth is above 1. */
  readonly path: FilePath;
}

export interface ListRequest {
  /** Goes on after this path (as `ListedEntry.path.text`), in the order of the listing. */
  readonly after?: string | undefined;
  /** The most entries to give. */
  readonly limit: number;
  /** 1: the directory's own entries; n: those of its directories too, n - 1 levels down. Links are not followed. */
  readonly depth: number;
  /** Who asks: pages that one asks for in a row are of one listing, and cost less than others. */
  readonly reader?: ListReader | undefined;
}

export interface ListReader {
  /** Nobody waits for the page any more: it need not be finished. */
  readonly gone: boolean;
}

export interface ListPage {
  /** In the order of the bytes of their names, a directory before what it holds. */
  readonly entries: readonly ListedEntry[];
  /** There are entries after these. */
  readonly more: boolean;
}

/** A file held open: its content stays what it was by name, whatever happens to the name. */
export interface OpenedFile {
  readonly entry: Entry;
  /** Reads up to `target.length` bytes from `offset`; 0 at the end. May give fewer than asked for. */
  read(target: Uint8Array, offset: number): Promise<number>;
  /**
   * Fills `target` with the whole content, in the same turn. Returns false, and `target` is undefined, where that would
   * wait, and where the file was written to since it was opened.
   */
  readWholeNow?(target: Uint8Array): boolean;
  /** The entry as it is now, of this descriptor: another etag says that something of the file changed. */
  check(): Promise<Entry>;
  /** Its content may be another one than when it was opened. Its name may be gone: that is not asked. */
  isWrittenTo(): Promise<boolean>;
  /** It had not changed for a while when it was opened: whatever changes it later gives it another etag. */
  readonly isSettled: boolean;
  /** Keeps a digest of this very content, if it was settled: the next one who asks has it without reading. */
  remember(sha256: string): void;
  /** Nothing where it is done at once, which a small file shows. */
  close(): Promise<void> | undefined;
}

export type DigestAlgorithm = 'sha256' | 'crc32';

/** `none`: there must be no such file; `any`: whatever is there is replaced; an etag: exactly that is. */
export type Precondition =
  | { readonly kind: 'none' }
  | { readonly kind: 'any' }
  | { readonly kind: 'etag'; etag: string };

export interface UploadRequest {
  readonly path: FilePath;
  /** Left out for a length not known before (chunked, TEXT): reserved as it grows. */
  readonly sizeBytes?: number | undefined;
  readonly precondition: Precondition;
  /** What the content must hash to, in lower-case hex. */
  readonly sha256?: string | undefined;
}

/** An upload that holds its partial file. Exactly one of commit, suspend and abort ends it. */
export interface Upload {
  /** For RESUME: 16 random bytes in hex, remembered over a restart. */
  readonly id: string;
  readonly request: UploadRequest;
  /** Bytes that are on disk for certain: where the sender goes on. */
  readonly durableBytes: number;
  /**
   * Someone else wants to go on with it (the holder was half open), and waits: it is to be given what is here of it, and
   * suspended at once. After that every call throws BUSY.
   */
  readonly evicted: AbortSignal;
  /**
   * Takes the next bytes, in order. The promise resolves when the memory may be used again; one call at a time is
   * under way. Throws TOOBIG, QUOTA, NOSPACE, and nothing is left behind after these; LIMIT or INTERNAL, and what is
   * durable is kept for a RESUME. After any of them the upload is over.
   */
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Checks length, digest and precondition and makes the file appear whole. Throws CHECKSUM, CHANGED, EXISTS, ..., and
   * what came is gone; LIMIT or INTERNAL as `write`.
   */
  commit(): Promise<Entry>;
  /** Keeps what arrived for a RESUME, with the room that takes. Throws as `write`: then what was durable before is kept. */
  suspend(): Promise<void>;
  /** Removes what arrived. */
  abort(): Promise<void>;
}

/** An upload that was over as soon as it began. */
export interface Put {
  /** As that of an `Upload`; nothing is kept of this one. */
  readonly id: string;
  readonly entry: Entry;
}

export interface StoreSpace {
  readonly freeBytes: number;
  /** 0: no quota. */
  readonly quotaBytes: number;
  readonly usedBytes: number;
}

export interface FileStore {
  /** NOTFOUND, NOTDIR (a name on the way is no directory, or a link), DENIED. A link is an `other`. */
  stat(path: FilePath): Promise<Entry>;
  list(path: FilePath, request: ListRequest): Promise<ListPage>;
  /** ISDIR for a directory; DENIED for a link, FIFO, device or socket; none of them blocks. */
  open(path: FilePath): Promise<OpenedFile>;
  /** As `open`, in the same turn: undefined where that would wait, and for whatever `open` refuses. */
  openNow?(path: FilePath): OpenedFile | undefined;
  createUpload(request: UploadRequest): Promise<Upload>;
  /**
   * All of `createUpload`, `write` and `commit` for content that is here whole, in the same turn. Undefined where that
   * would wait, and for whatever those refuse: nothing was done then.
   */
  putNow?(request: UploadRequest, content: Buffer): Put | undefined;
  /**
   * NOTFOUND for an id that is not kept; BUSY while another connection that still moves holds it, or one that does not
   * put it down within seconds.
   */
  resumeUpload(id: string): Promise<Upload>;
  /** Removes an upload that nobody holds. */
  abortUpload(id: string): Promise<void>;
  makeDirectory(path: FilePath): Promise<Entry>;
  removeDirectory(path: FilePath): Promise<void>;
  /** CHANGED if the file's etag is another one. */
  remove(path: FilePath, etag: string | undefined): Promise<void>;
  /** Atomic; `precondition` is about the target. */
  move(from: FilePath, to: FilePath, precondition: Precondition): Promise<Entry>;
  space(): Promise<StoreSpace>;
  close(): Promise<void>;
}
