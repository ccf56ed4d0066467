/**
 * The verbs, as one table: from it come the parser, HELP, CAPS, the checks before a command is begun, and the table
 * in docs/protocols/file.md (a test holds the two together).
 */
import {
  algorithm,
  etag,
  type Field,
  listedName,
  num,
  path,
  payloadLength,
  positive,
  precondition,
  sha256,
  token,
  uploadId,
} from './fields.ts';

type Fields = Readonly<Record<string, Field<unknown>>>;

export interface Verb {
  /** In the order they are written in; every one of them must be there. */
  readonly operands: Fields;
  /** `name=value`, in any order, each at most once. */
  readonly options: Fields;
  /** What the peer must be allowed to do. */
  readonly needs: 'nothing' | 'read' | 'write';
  /**
   * Bytes that follow the line whether or not it is granted: as many as its operand `length` says (`counted`), or
   * lines up to a dot (`text`). With `resumed` they follow only after SEND.
   */
  readonly payload?: 'counted' | 'text' | 'resumed';
  /** It moves a file's content: counted against --max-files-per-connection and logged as `transfer`. */
  readonly transfers?: true;
  /** One phrase, for people. */
  readonly summary: string;
}

export const verbs = {
  HELP: { operands: {}, options: {}, needs: 'nothing', summary: 'this list' },
  CAPS: { operands: {}, options: {}, needs: 'nothing', summary: 'what this server can do and allows, for programs' },
  PING: { operands: {}, options: {}, needs: 'nothing', summary: 'OK' },
  QUIT: { operands: {}, options: {}, needs: 'nothing', summary: 'OK, then the server closes' },
  AUTH: { operands: { token }, options: {}, needs: 'nothing', summary: 'show a token' },
  DF: { operands: {}, options: {}, needs: 'read', summary: 'room: bytes free on the disk, of the quota, and used' },
  LIST: {
    operands: { path },
    options: { after: listedName, n: positive, depth: positive },
    needs: 'read',
    summary: 'entries of a directory, one ITEM each',
  },
  STAT: { operands: { path }, options: {}, needs: 'read', summary: 'type, size, time and etag of one entry' },
  SUM: {
    operands: { path },
    options: { alg: algorithm },
    needs: 'read',
    summary: 'digest of a file; sha256 unless asked otherwise',
  },
  GET: {
    operands: { path },
    options: { off: num, len: num, if: etag, ifnot: etag },
    needs: 'read',
    transfers: true,
    summary: 'a file, or a range of it, with its length before and its crc32 behind',
  },
  CAT: { operands: { path }, options: {}, needs: 'read', transfers: true, summary: 'a file as it is, then close' },
  PUT: {
    operands: { path, length: payloadLength },
    options: { if: precondition, sha256 },
    needs: 'write',
    payload: 'counted',
    transfers: true,
    summary: 'store the bytes that follow; without if=, only where no file is',
  },
  TEXT: {
    operands: { path },
    options: { if: precondition },
    needs: 'write',
    payload: 'text',
    transfers: true,
    summary: 'store the lines that follow, up to a single "."',
  },
  RESUME: {
    operands: { id: uploadId },
    options: {},
    needs: 'write',
    payload: 'resumed',
    transfers: true,
    summary: 'go on with an upload that was cut: SEND says from which byte',
  },
  ABORT: { operands: { id: uploadId }, options: {}, needs: 'write', summary: 'forget an upload that was cut' },
  MKDIR: { operands: { path }, options: {}, needs: 'write', summary: 'make a directory' },
  RMDIR: { operands: { path }, options: {}, needs: 'write', summary: 'remove an empty directory' },
  DEL: { operands: { path }, options: { if: etag }, needs: 'write', summary: 'delete a file' },
  MOVE: {
    operands: { from: path, to: path },
    options: { if: precondition },
    needs: 'write',
    summary: 'rename; without if=, only where nothing of the new name is',
  },
} as const satisfies Readonly<Record<string, Verb>>;

export type VerbName = keyof typeof verbs;

type Values<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** What a verb's operands and options came to. */
export type Arguments<V extends VerbName> = Values<(typeof verbs)[V]['operands']> & {
  readonly [K in keyof (typeof verbs)[V]['options']]?: (typeof verbs)[V]['options'][K] extends Field<infer T>
    ? T
    : never;
};

const names = new Map((Object.keys(verbs) as VerbName[]).map((name) => [name as string, name]));

/** The verb of that name, in either case; undefined if there is none. */
export function verbOf(word: string): VerbName | undefined {
  return names.get(word) ?? names.get(word.toUpperCase());
}

/** `GET path [off=N] [len=N]`: one verb as a person writes it. */
export function usageOf(name: VerbName): string {
  const { operands, options }: Verb = verbs[name];
  return [
    name,
    ...Object.entries(operands).map(([operand, { placeholder }]) => (placeholder === 'path' ? operand : placeholder)),
    ...Object.entries(options).map(([option, { placeholder }]) => `[${option}=${placeholder}]`),
  ].join(' ');
}
