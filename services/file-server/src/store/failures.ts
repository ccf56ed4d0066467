/** What the system says, in the words of the protocol. No message holds a path of the host. */
import { FileError, type FileErrorCode } from '../protocol/codes.ts';

const failures: Readonly<Record<string, readonly [FileErrorCode, string]>> = {
  ENOENT: ['NOTFOUND', 'there is no such file or directory'],
  ENOTDIR: ['NOTDIR', 'it, or a name on the way, is no directory'],
  ELOOP: ['DENIED', 'links are not followed'],
  EACCES: ['DENIED', 'the server may not do that here'],
  EPERM: ['DENIED', 'the server may not do that here'],
  ENXIO: ['DENIED', 'it is no regular file'],
  ENODEV: ['DENIED', 'it is no regular file'],
  EROFS: ['READONLY', 'the file system is read-only'],
  EEXIST: ['EXISTS', 'there is something of that name'],
  EISDIR: ['ISDIR', 'it is a directory'],
  ENOTEMPTY: ['NOTEMPTY', 'the directory is not empty'],
  ENAMETOOLONG: ['BADNAME', 'the name is too long for the file system'],
  EILSEQ: ['BADNAME', 'the file system refuses that name'],
  EINVAL: ['BADARG', 'the file system refuses that'],
  EXDEV: ['DENIED', 'that is on another file system'],
  EMLINK: ['DENIED', 'the directory is full'],
  EFBIG: ['TOOBIG', 'the file is too big for the file system'],
  ENOSPC: ['NOSPACE', 'the disk is full'],
  EDQUOT: ['QUOTA', "the disk quota of the server's user is used up"],
  EBUSY: ['BUSY', 'it is in use'],
  ETXTBSY: ['BUSY', 'it is in use'],
  EMFILE: ['LIMIT', 'the server has no descriptor left'],
  ENFILE: ['LIMIT', 'the machine has no descriptor left'],
  ENOMEM: ['LIMIT', 'the machine has no memory left'],
};

/** The error of a request from any error; what is no system error is passed on as it is, for it is a defect. */
export function asFileError(error: unknown): unknown {
  if (error instanceof FileError) return error;
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error;
  const [kind, message] = failures[code] ?? (['INTERNAL', `the file system answered ${code}`] as const);
  return new FileError(kind, message, { cause: error });
}

/** Runs a request, and says what the system refuses in the protocol's words. */
export async function inProtocolWords<T>(request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    throw asFileError(error);
  }
}

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code !== undefined && codes.includes(code);
}
