/** Another thread that searches pieces of logs, for machines with more than one processor. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { LineFormatOptions } from './line-format.ts';
import type { PrintedPiece } from './printed.ts';
import type { Question } from './query.ts';
import type { Segment } from './segments.ts';

export interface HelperSetup {
  readonly question: Question;
  readonly format: LineFormatOptions;
}

export interface HelperTask {
  readonly service: string;
  readonly segment: Segment;
}

export type HelperAnswer = { readonly piece: PrintedPiece } | { readonly error: string };

/** Tasks that wait for the helper while it works on one: it never waits for us, and holds little. */
const MAX_TASKS = 2;

/** For less, the start of a thread takes longer than the search. */
const MIN_BYTES = 32 * 1024 * 1024;

export class HelperThread {
  readonly #worker: Worker;
  readonly #waiting: ((answer: HelperAnswer) => void)[] = [];
  #ready = false;
  /** How many tasks it was given. */
  tasks = 0;

  constructor(setup: HelperSetup) {
    this.#worker = new Worker(new URL('./helper-main.ts', import.meta.url), { workerData: setup });
    this.#worker.once('message', () => {
      this.#ready = true;
      this.#worker.on('message', (answer: HelperAnswer) => this.#waiting.shift()?.(answer));
    });
    // It is an addition: what it can't do is done here, and what it has is never more than two tasks.
    this.#worker.on('error', (error: Error) => {
      this.#ready = false;
      for (const answer of this.#waiting.splice(0)) answer({ error: error.message });
    });
    this.#worker.unref();
  }

  /** Whether a task would be begun soon. */
  get isFree(): boolean {
    return this.#ready && this.#waiting.length < MAX_TASKS;
  }

  /** Rejects when the file was cut short meanwhile. */
  async run(task: HelperTask): Promise<PrintedPiece> {
    const { promise, resolve } = Promise.withResolvers<HelperAnswer>();
    this.#waiting.push(resolve);
    this.tasks += 1;
    // What waits for an answer must not be left by the process.
    this.#worker.ref();
    this.#worker.postMessage(task);
    const answer = await promise;
    if (this.#waiting.length === 0) this.#worker.unref();
    if ('error' in answer) throw new Error(answer.error);
    return answer.piece;
  }

  close(): void {
    void this.#worker.terminate();
  }
}

/** `undefined` where it would be of no use. */
export function startHelper(bytes: number, setup: HelperSetup): HelperThread | undefined {
  return bytes >= MIN_BYTES && availableParallelism() > 1 ? new HelperThread(setup) : undefined;
}
