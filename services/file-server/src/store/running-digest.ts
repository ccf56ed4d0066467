/** A SHA-256 under way, and its state as it is put away: sha256.ts makes the one, partials.ts keeps the other. */

/** Where a digest stands. All a digest is: eight words, the count, and the bytes of a block that is not full yet. */
export interface DigestState {
  /** The eight words of the chaining value, 64 hex digits. */
  readonly words: string;
  readonly totalBytes: number;
  /** The last `totalBytes % 64` bytes, in hex. */
  readonly tail: string;
}

export interface RunningDigest {
  /** Takes the bytes at once; nothing refers to them afterwards. */
  update(bytes: Uint8Array): void;
  save(): DigestState;
  /** The digest of all so far, 64 lower-case hex digits; once, as the last call. */
  finish(): string;
}

/** Makes a digest that starts at the beginning, or goes on from a state. */
export type DigestMaker = (from?: DigestState) => RunningDigest;

export const BLOCK_BYTES = 64;

/** What a state that was read from a file must be to be taken up. */
export function isDigestState(value: unknown): value is DigestState {
  const { words, totalBytes, tail } = (value ?? {}) as Partial<Record<keyof DigestState, unknown>>;
  return (
    typeof words === 'string' &&
    /^[0-9a-f]{64}$/.test(words) &&
    Number.isSafeInteger(totalBytes) &&
    (totalBytes as number) >= 0 &&
    typeof tail === 'string' &&
    /^[0-9a-f]*$/.test(tail) &&
    tail.length === 2 * ((totalBytes as number) % BLOCK_BYTES)
  );
}
