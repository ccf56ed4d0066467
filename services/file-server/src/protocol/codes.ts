/**
 * The codes of an `ERR` reply, as one closed table: what happened, and whether to try again is of use.
 * docs/protocols/file.md has a row for each.
 */

/** `later`: the same request may succeed by itself; `auth`: it may after AUTH; `no`: it will not until something changes. */
export type Retry = 'no' | 'later' | 'auth';

export const errorCodes = {
  BADCMD: 'no',
  BADARG: 'no',
  LINETOOLONG: 'no',
  BADNAME: 'no',
  AUTH: 'auth',
  DENIED: 'no',
  READONLY: 'no',
  NOTFOUND: 'no',
  EXISTS: 'no',
  ISDIR: 'no',
  NOTDIR: 'no',
  NOTEMPTY: 'no',
  CHANGED: 'no',
  OFFSET: 'no',
  CHECKSUM: 'no',
  TOOBIG: 'no',
  QUOTA: 'no',
  NOSPACE: 'later',
  BUSY: 'later',
  LIMIT: 'later',
  TIMEOUT: 'later',
  SHUTDOWN: 'later',
  INTERNAL: 'later',
} as const satisfies Record<string, Retry>;

export type FileErrorCode = keyof typeof errorCodes;

/** What a request is refused with. The message is for the person at the other end: printable ASCII, one line. */
export class FileError extends Error {
  readonly code: FileErrorCode;
  /** With CHANGED: that of the file which is there in place of the one that was asked for. */
  readonly etag: string | undefined;

  constructor(code: FileErrorCode, message: string, options?: ErrorOptions & { readonly etag?: string }) {
    super(message, options);
    this.name = 'FileError';
    this.code = code;
    this.etag = options?.etag;
  }

  get retry(): Retry {
    return errorCodes[this.code];
  }
}
