/**
 * The errors a person meets, as one closed table. Each code has its row in docs/errors.md (a test
 * holds the two together), its exit code, and the one who can mend it.
 *
 * A peer's fault is not in here: what a peer does is a reason in the log (server/reasons.ts).
 */

/** Exit codes of every command, in the manner of sysexits(3) where it has a word for it. */
export const exitCodes = {
  success: 0,
  /** The far end, the system or the machine failed it. */
  failed: 1,
  /** It worked, but a limit that was asked for (`--max-p99 5ms`) was missed. */
  limitMissed: 2,
  /** EX_CONFIG: the command line or the configuration is wrong; trying again changes nothing. */
  configuration: 78,
  /** Who read our output left before it was all there: 128 + SIGPIPE, as of a program that the signal ends. */
  readerLeft: 141,
} as const;

interface ErrorKind {
  readonly exitCode: number;
  /** Who can mend it, in a few words. */
  readonly mender: 'you' | 'the administrator' | 'the far end' | 'the maintainers';
}

export const errorKinds = {
  USAGE_INVALID: { exitCode: exitCodes.configuration, mender: 'you' },
  ADDRESS_IN_USE: { exitCode: exitCodes.failed, mender: 'you' },
  ADDRESS_NOT_AVAILABLE: { exitCode: exitCodes.failed, mender: 'you' },
  PERMISSION_DENIED: { exitCode: exitCodes.failed, mender: 'the administrator' },
  LISTEN_FAILED: { exitCode: exitCodes.failed, mender: 'the administrator' },
  NAME_NOT_FOUND: { exitCode: exitCodes.failed, mender: 'you' },
  CONNECTION_REFUSED: { exitCode: exitCodes.failed, mender: 'the far end' },
  CONNECTION_TIMED_OUT: { exitCode: exitCodes.failed, mender: 'the far end' },
  CONNECTION_LOST: { exitCode: exitCodes.failed, mender: 'the far end' },
  HOST_UNREACHABLE: { exitCode: exitCodes.failed, mender: 'the administrator' },
  ECHO_MISMATCH: { exitCode: exitCodes.failed, mender: 'the far end' },
  LOG_UNWRITABLE: { exitCode: exitCodes.failed, mender: 'you' },
  NOT_A_TIME_STREAM: { exitCode: exitCodes.failed, mender: 'you' },
  LOGS_NOT_FOUND: { exitCode: exitCodes.failed, mender: 'you' },
  LOGS_UNREADABLE: { exitCode: exitCodes.failed, mender: 'the administrator' },
  NO_TIME: { exitCode: exitCodes.failed, mender: 'the far end' },
  NO_MAJORITY: { exitCode: exitCodes.failed, mender: 'you' },
  NOTHING_TO_PLOT: { exitCode: exitCodes.failed, mender: 'you' },
  CERTIFICATES_UNREADABLE: { exitCode: exitCodes.failed, mender: 'you' },
  FILE_REFUSED: { exitCode: exitCodes.failed, mender: 'you' },
  FILE_CORRUPTED: { exitCode: exitCodes.failed, mender: 'the far end' },
  PROTOCOL_VIOLATED: { exitCode: exitCodes.failed, mender: 'the far end' },
  LOCAL_FILE_FAILED: { exitCode: exitCodes.failed, mender: 'you' },
  TRANSFER_INTERRUPTED: { exitCode: exitCodes.failed, mender: 'you' },
  SUPERVISOR_FAILED: { exitCode: exitCodes.failed, mender: 'the administrator' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorKinds;

/** An error whose message is written for the person at the keyboard: what, where, what to do. */
export class AppError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AppError';
    this.code = code;
  }

  get exitCode(): number {
    return errorKinds[this.code].exitCode;
  }
}

/** The system's name of an error (`ECONNRESET`), or `undefined` when it carries none. */
export function systemCode(error: unknown): string | undefined {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
