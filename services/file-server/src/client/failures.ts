/** What goes wrong between the client and a server, and whether another attempt is of use. */
import { readlinkSync } from 'node:fs';
import { escapeBytes } from '@small-servers/shared/daemon/escape';
import { AppError, type ErrorCode } from '@small-servers/shared/errors';
import type { FileErrorCode, Retry } from '../protocol/codes.ts';
import type { Reply } from '../protocol/reply-parser.ts';
import { displayName } from './display-name.ts';

/** Of what a server says, at most so much is shown. */
const MAX_SHOWN_BYTES = 300;

type ErrorReply = Extract<Reply, { kind: 'error' }>;

/** The server answered ERR. */
export class Refusal extends AppError {
  /** As it stands in the reply: a later server may have codes that this client does not know. */
  readonly refusal: string;
  readonly retry: Retry;

  /** @param hint what can be done about it; the code's own if it is left out, none if it is empty */
  constructor({ code, retry, text }: ErrorReply, hint = hints[code as FileErrorCode] ?? '') {
    const words = escapeBytes(Buffer.from(text, 'latin1'), MAX_SHOWN_BYTES);
    super('FILE_REFUSED', `${code}${words === '' ? '' : `: ${words}`}${hint === '' ? '' : ` (${hint})`}`);
    this.refusal = code;
    this.retry = retry;
  }
}

/** What the server would have said, had it been asked. */
export function refused(code: FileErrorCode, text: string): Refusal {
  return new Refusal({ kind: 'error', code, retry: 'no', fields: new Map(), text });
}

/** The answer to AUTH. A token was given: to give one is no advice. */
export function refusedToken(reply: ErrorReply): Refusal {
  if (reply.code !== 'AUTH') return new Refusal(reply);
  return new Refusal({ ...reply, text: "the token that was shown is none of this server's" }, '');
}

/** What the person at the keyboard can do about it. */
const hints: Partial<Record<FileErrorCode, string>> = {
  AUTH: 'give the token with --token-file FILE or in SMALL_SERVERS_FILE_TOKEN',
  READONLY: 'the server was started without --writable',
};

/** The server sent what no server of this protocol sends. Trying again would trust it once more, so nobody does. */
export function violation(target: string, what: string): AppError {
  return new AppError('PROTOCOL_VIOLATED', `${target}: the server broke the protocol: ${what}`);
}

/** The very first that came was no reply: a wrong port is likelier than a server that breaks its protocol. */
export function noFileServer(target: string): AppError {
  const what = 'no file server answers there (its first line is no reply of the protocol); is the port right?';
  return new AppError('PROTOCOL_VIOLATED', `${target}: ${what}`);
}

export function corrupted(what: string): AppError {
  return new AppError('FILE_CORRUPTED', what);
}

/** A file or folder on this side. */
export function localFailure(what: string, cause?: unknown): AppError {
  const why = cause instanceof Error ? `: ${cause.message.replaceAll(HELD_FOLDER, whereIs)}` : '';
  return new AppError('LOCAL_FILE_FAILED', `${what}${why}`, { cause });
}

/** A folder by the descriptor that holds it: of use to this process alone. */
const HELD_FOLDER = /\/proc\/self\/fd\/\d+/g;

function whereIs(held: string): string {
  try {
    return displayName(readlinkSync(held, { encoding: 'buffer' }));
  } catch {
    return held;
  }
}

export function interrupted(): AppError {
  return new AppError('TRANSFER_INTERRUPTED', 'interrupted');
}

/** The connection ended before it was this request's turn: it can not have been the reason. */
export class NotReached extends AppError {
  constructor(cause: Error) {
    super('CONNECTION_LOST', cause.message, { cause });
  }
}

/** Nobody has ever answered there: another attempt is of no use. */
export class Unreachable extends AppError {
  constructor(cause: AppError) {
    super(cause.code, cause.message, { cause });
  }
}

const passing: ReadonlySet<ErrorCode> = new Set([
  'CONNECTION_LOST',
  'CONNECTION_REFUSED',
  'CONNECTION_TIMED_OUT',
  'HOST_UNREACHABLE',
]);

/** Whether the same request may succeed on another attempt. A full disk (`later` too) is for a person to mend. */
export function mayPass(error: unknown): boolean {
  if (error instanceof Refusal) return error.retry === 'later' && error.refusal !== 'NOSPACE';
  return wasCut(error) && !(error instanceof Unreachable);
}

/** The connection is gone, so what else was asked on it has to be asked again. */
export function wasCut(error: unknown): boolean {
  return error instanceof AppError && passing.has(error.code);
}
