/** The sha256 of what is sent, remembered at some offsets: an upload that goes on is not read from its beginning. */
import { read } from 'node:fs';
import { promisify } from 'node:util';
import type { DigestMaker, DigestState, RunningDigest } from '../store/running-digest.ts';
import { interrupted } from './failures.ts';
import { changedMeanwhile } from './local-file.ts';

const readAt = promisify(read);
const CHUNK_BYTES = 1024 * 1024;

/** What has to be read again at most when the server has all that was sent. */
export const REMEMBER_EVERY_BYTES = 64 * 1024 * 1024;

/** A server that crashed may have less than it had taken: it records what it has as often as we do, or oftener. */
const REMEMBERED = 4;

export class UploadDigest {
  readonly #make: DigestMaker;
  #digest: RunningDigest;
  #states: DigestState[];
  #offset = 0;

  constructor(make: DigestMaker, states: readonly DigestState[] = []) {
    this.#make = make;
    this.#digest = make();
    this.#states = [...states];
  }

  /** The states that are remembered, the last one at the end. */
  get states(): readonly DigestState[] {
    return this.#states;
  }

  /** Takes the next bytes. Returns true when a new state is remembered, which is worth writing down. */
  update(bytes: Uint8Array): boolean {
    this.#digest.update(bytes);
    this.#offset += bytes.length;
    const last = this.#states.at(-1)?.totalBytes ?? 0;
    if (this.#offset - last < REMEMBER_EVERY_BYTES) return false;
    this.#states = [...this.#states.slice(1 - REMEMBERED), this.#digest.save()];
    return true;
  }

  /** Stands at `offset` of the file, whatever it stood at before; reads what no state remembers. */
  async moveTo(descriptor: number, offset: number, signal: AbortSignal): Promise<void> {
    if (offset === this.#offset) return;
    this.#states = this.#states.filter(({ totalBytes }) => totalBytes <= offset);
    const from = this.#states.at(-1);
    this.#digest = this.#make(from);
    this.#offset = from?.totalBytes ?? 0;
    const buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(CHUNK_BYTES, offset - this.#offset)));
    while (this.#offset < offset) {
      if (signal.aborted) throw interrupted();
      const wanted = Math.min(buffer.length, offset - this.#offset);
      const { bytesRead } = await readAt(descriptor, buffer, 0, wanted, this.#offset);
      if (bytesRead === 0) throw changedMeanwhile();
      this.update(buffer.subarray(0, bytesRead));
    }
  }

  /** Of all so far, in lower-case hex; the last call. */
  finish(): string {
    return this.#digest.finish();
  }
}
