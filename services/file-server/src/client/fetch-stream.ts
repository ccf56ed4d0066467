/** A file for standard output: what was written can't be taken back, so a cut goes on where it was. */
import type { Writable } from 'node:stream';
import type { Connection } from './connection.ts';
import { RunningDigest } from './digest.ts';
import { corrupted, localFailure } from './failures.ts';
import type { FetchPlan, Verify } from './fetch-plan.ts';
import type { Job } from './lanes.ts';
import { getRange, type RangeReceiver } from './range.ts';
import { checkWhole } from './whole-check.ts';

export class StreamFetch implements Job {
  readonly weightBytes: number;
  readonly #plan: FetchPlan;
  readonly #output: Writable;
  readonly #onBytes: (count: number) => void;
  readonly #digest: RunningDigest;
  #offset = 0;
  #error: Error | undefined;

  constructor(plan: FetchPlan, verify: Verify, output: Writable, onBytes: (count: number) => void) {
    this.#plan = plan;
    this.weightBytes = plan.entry.sizeBytes;
    this.#output = output;
    this.#onBytes = onBytes;
    this.#digest = new RunningDigest({
      sha256: verify === 'sha256' || (verify === 'auto' && plan.entry.sha256 !== undefined),
    });
    output.on('error', (error) => {
      this.#error = localFailure('standard output', error);
    });
  }

  get movedBytes(): number {
    return this.#offset;
  }

  /** What became of it, once the lanes have run. */
  get error(): Error | undefined {
    return this.#error;
  }

  async run(connection: Connection): Promise<void> {
    const { path, entry } = this.#plan;
    const { sizeBytes } = entry;
    const offset = this.#offset;
    await getRange(connection, { path, entry, offset }, this.#receiver(connection));
    await checkWhole(connection, this.#plan, this.#digest, { inPieces: offset > 0, sha256: entry.sha256 });
    if (this.#offset !== sizeBytes) throw corrupted(`it is ${this.#offset} bytes, not ${sizeBytes}`);
  }

  abandon(error: Error): void {
    this.#error ??= error;
  }

  #receiver(connection: Connection): RangeReceiver {
    return {
      write: (bytes, crc) => {
        if (this.#error !== undefined) throw this.#error;
        this.#digest.update(bytes, crc);
        this.#offset += bytes.length;
        this.#onBytes(bytes.length);
        // The bytes are lent: a stream that keeps them for later gets its own.
        if (this.#output.write(Buffer.from(bytes))) return true;
        this.#output.once('drain', () => connection.resume());
        return false;
      },
      complete: () => {},
    };
  }
}
