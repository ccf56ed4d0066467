/** Where lines are until they are written: memory of the process, or memory that outlives it (kept-lines.ts). */
export interface LineStore {
  /** Lines are put into it as UTF-8. */
  readonly bytes: Buffer;
  /** `bytes[start, end)` is what has not been written yet. */
  hold(start: number, end: number): void;
}

/** What is kept of lines that can't be written. */
export const STORE_BYTES = 1024 * 1024;

/** Lines in it are lost when the process ends without a word. */
export const ordinaryStore = (): LineStore => ({ bytes: Buffer.allocUnsafeSlow(STORE_BYTES), hold: () => {} });
