/**
 * What is to be known of an upload that was cut, for another run to go on with it: one small file for each, in the
 * user's state folder and not beside the file that is sent, where it would be sent itself one day. A note is about one
 * content: as soon as the file is another one, it is worth nothing.
 */
import { createHash, randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type DigestState, isDigestState } from '../store/running-digest.ts';
import { type FileIdentity, isSame } from './local-file.ts';

export interface UploadNote {
  /** As SEND gave it: who has it may go on with the upload. */
  readonly id: string;
  readonly identity: FileIdentity;
  /** Where the digest stood at some offsets, the last one at the end. */
  readonly digests: readonly DigestState[];
}

/** Which upload a note is about. */
export interface UploadKey {
  readonly target: string;
  readonly remotePath: string;
  readonly localPath: string;
}

/** `$XDG_STATE_HOME/small-servers/uploads`, by default below ~/.local/state. */
export function uploadNotesFolder(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const { XDG_STATE_HOME: state } = environment;
  // A relative path there is to be ignored (XDG Base Directory Specification).
  const base = state?.startsWith('/') ? state : join(homedir(), '.local', 'state');
  return join(base, 'small-servers', 'uploads');
}

/** Servers give up what nobody goes on with long before that, unless told otherwise. */
const FORGOTTEN_MS = 30 * 24 * 3_600_000;

export class UploadNotes {
  readonly #folder: string;
  #isSwept = false;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The note about this content, if there is one. */
  load(key: UploadKey, identity: FileIdentity): UploadNote | undefined {
    let value: unknown;
    try {
      value = JSON.parse(readFileSync(this.#path(key), 'utf8'));
    } catch {
      return undefined;
    }
    return isNote(value) && isSame(value.identity, identity) ? value : undefined;
  }

  /** @throws the system's error: without a note the upload goes on, and can't be gone on with */
  save(key: UploadKey, note: UploadNote): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    this.#sweep();
    const path = this.#path(key);
    const next = `${path}.${randomBytes(4).toString('hex')}`;
    writeFileSync(next, JSON.stringify({ ...note, about: key }), { mode: 0o600, flag: 'wx' });
    renameSync(next, path);
  }

  remove(key: UploadKey): void {
    rmSync(this.#path(key), { force: true });
  }

  /** Removes the notes of uploads that nobody went on with. */
  #sweep(): void {
    if (this.#isSwept) return;
    this.#isSwept = true;
    for (const name of readdirSync(this.#folder)) {
      const path = join(this.#folder, name);
      const stats = lstatSync(path, { throwIfNoEntry: false });
      if (stats?.isFile() && Date.now() - stats.mtimeMs > FORGOTTEN_MS) rmSync(path, { force: true });
    }
  }

  #path({ target, remotePath, localPath }: UploadKey): string {
    const name = createHash('sha256').update([target, remotePath, localPath].join('\0')).digest('hex');
    return join(this.#folder, `${name.slice(0, 32)}.json`);
  }
}

function isNote(value: unknown): value is UploadNote {
  const { id, identity, digests } = (value ?? {}) as Partial<Record<keyof UploadNote, unknown>>;
  return (
    typeof id === 'string' &&
    /^[0-9a-f]{32}$/.test(id) &&
    typeof identity === 'object' &&
    identity !== null &&
    Array.isArray(digests) &&
    digests.every(isDigestState)
  );
}
