/**
 * Work spread over several connections. Each lane has one, asks ahead on it, and dials again when it is cut; what was
 * under way comes back into the queue. Attempts are bounded: of one job by those that failed at it, and of a
 * connection by those that came to nothing.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { backoffMs } from './backoff.ts';
import type { Connection } from './connection.ts';
import { interrupted, mayPass, NotReached, wasCut } from './failures.ts';

export interface Job {
  /** What it moves, in bytes: bounds what one connection has under way. */
  readonly weightBytes: number;
  /** Moved so far, over all attempts. */
  readonly movedBytes: number;
  run(connection: Connection): Promise<void>;
  /**
   * The same without a promise, for jobs that come by the thousand: asks at once, and says when it is over. `false`,
   * with nothing done, if this one can't be done so.
   */
  start?(connection: Connection, over: (error?: Error) => void): boolean;
  /** There is no further attempt. */
  abandon(error: Error): void;
}

/** Asked for ahead on one connection. Small files come at the speed of the line, not of its round trips. */
const MAX_AHEAD = 128;
const MAX_AHEAD_BYTES = 512 * 1024;

/** Progress that earns a job its attempts again. */
const PROGRESS_BYTES = 1024 * 1024;

/** Jobs that wait for a lane. */
const MAX_QUEUED = 4 * MAX_AHEAD;

export interface LanesOptions {
  readonly lanes: number;
  readonly connect: () => Promise<Connection>;
  /** Further attempts after the first. */
  readonly retries: number;
  readonly signal: AbortSignal;
  readonly random?: () => number;
}

interface Attempts {
  count: number;
  movedBytes: number;
}

export class Lanes {
  readonly #options: LanesOptions;
  readonly #queue: Job[] = [];
  readonly #attempts = new WeakMap<Job, Attempts>();
  readonly #lanes: Lane[];
  readonly #stopped: AbortController = new AbortController();
  #running = 0;
  #closed = false;
  #fatal: Error | undefined;
  #wake = Promise.withResolvers<void>();

  constructor(options: LanesOptions) {
    this.#options = options;
    this.#lanes = Array.from({ length: options.lanes }, () => new Lane());
    options.signal.addEventListener('abort', () => this.stop(interrupted()), { once: true });
    if (options.signal.aborted) this.stop(interrupted());
  }

  /** What ended everything early. */
  get fatal(): Error | undefined {
    return this.#fatal;
  }

  /** Takes a job; resolves when there is room for another. */
  async add(job: Job): Promise<void> {
    if (this.offer(job)) return;
    if (this.#fatal !== undefined) {
      job.abandon(this.#fatal);
      throw this.#fatal;
    }
    this.#queue.push(job);
    while (this.#queue.length >= MAX_QUEUED && this.#fatal === undefined) await this.#wake.promise;
  }

  /** Takes a job at once, if there is room for yet another behind it: then nobody has to wait. */
  offer(job: Job): boolean {
    if (this.#fatal !== undefined || this.#queue.length >= MAX_QUEUED - 1) return false;
    this.#queue.push(job);
    if (this.#queue.length === 1) this.#signal();
    return true;
  }

  /** A connection for a request beside the jobs; the first lane's. @throws what ended everything */
  connection(): Promise<Connection> {
    return this.#connected(this.#lanes[0] as Lane);
  }

  /** Runs until every job is done and `close` was called. */
  async run(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => this.#serve(lane)));
    for (const lane of this.#lanes) lane.connection?.close();
  }

  /** No more jobs come. */
  close(): void {
    this.#closed = true;
    this.#signal();
  }

  /** Ends everything at once; what is under way is abandoned. */
  stop(error: Error): void {
    if (this.#fatal !== undefined) return;
    this.#fatal = error;
    this.#closed = true;
    this.#stopped.abort();
    for (const lane of this.#lanes) lane.connection?.destroy(error);
    for (const job of this.#queue.splice(0)) job.abandon(error);
    this.#signal();
  }

  async #serve(lane: Lane): Promise<void> {
    while (!lane.isRetired) {
      if (lane.underWay >= MAX_AHEAD || (lane.weightBytes >= MAX_AHEAD_BYTES && lane.underWay > 0)) {
        // Half of them, not one: then the lines of the next half leave together.
        await lane.room.promise;
        continue;
      }
      if (this.#queue.length === 0) {
        if (this.#closed && this.#running === 0) return;
        await this.#wake.promise;
        continue;
      }
      // Dialled when there is something to do, and not before.
      const isConnected = lane.connection?.isOpen === true || (await this.#connected(lane).then(Boolean, () => false));
      const job = isConnected ? this.#queue.shift() : undefined;
      if (job === undefined) continue;
      if (this.#queue.length === MAX_QUEUED / 2) this.#signal();
      this.#attempt(lane, job);
    }
  }

  #attempt(lane: Lane, job: Job): void {
    this.#running += 1;
    lane.underWay += 1;
    lane.weightBytes += job.weightBytes;
    const connection = lane.connection as Connection;
    const over = (error?: Error): void => {
      if (error === undefined) this.#succeeded(lane, job);
      else void this.#failed(lane, job, error).then(() => this.#ended(lane, job));
    };
    if (job.start?.(connection, over) !== true) job.run(connection).then(() => over(), over);
  }

  #succeeded(lane: Lane, job: Job): void {
    lane.wasServed = true;
    lane.fruitless = 0;
    this.#ended(lane, job);
  }

  #ended(lane: Lane, job: Job): void {
    this.#running -= 1;
    lane.underWay -= 1;
    lane.weightBytes -= job.weightBytes;
    if (lane.underWay <= MAX_AHEAD / 2 && lane.weightBytes <= MAX_AHEAD_BYTES / 2) lane.makeRoom();
    if (this.#running === 0) this.#signal();
  }

  async #failed(lane: Lane, job: Job, error: Error): Promise<void> {
    if (wasCut(error) && !(error instanceof NotReached)) lane.fruitless += 1;
    if (this.#fatal === undefined && mayPass(error) && !lane.wasServed && this.#retire(lane)) {
      this.#again(job);
      return;
    }
    if (this.#fatal !== undefined || !mayPass(error) || !this.#earnsAnother(lane, job, error)) {
      job.abandon(this.#fatal ?? error);
      return;
    }
    if (lane.fruitless > this.#options.retries) this.stop(error);
    // A refusal that passes leaves the connection as it was; after a cut it is the dialling that waits.
    if (!wasCut(error)) await this.#pause(this.#attempts.get(job)?.count ?? 1);
    this.#again(job);
  }

  /** A server may take fewer connections than we would have: the work goes to a lane that it serves. */
  #retire(lane: Lane): boolean {
    if (!this.#lanes.some((other) => other !== lane && !other.isRetired)) return false;
    lane.isRetired = true;
    return true;
  }

  #again(job: Job): void {
    if (this.#fatal === undefined) this.#queue.unshift(job);
    else job.abandon(this.#fatal);
    this.#signal();
  }

  #earnsAnother(lane: Lane, job: Job, error: Error): boolean {
    // Only the one whose turn it was may have been the reason.
    if (error instanceof NotReached) return true;
    const attempts = this.#attempts.get(job) ?? { count: 0, movedBytes: 0 };
    if (job.movedBytes - attempts.movedBytes >= PROGRESS_BYTES) {
      attempts.count = 0;
      lane.fruitless = 0;
    }
    attempts.count += 1;
    attempts.movedBytes = job.movedBytes;
    this.#attempts.set(job, attempts);
    return attempts.count <= this.#options.retries;
  }

  /** The lane's connection, dialled again if it is gone. Those who ask at the same time get the same one. */
  #connected(lane: Lane): Promise<Connection> {
    if (this.#fatal !== undefined) return Promise.reject(this.#fatal);
    if (lane.connection?.isOpen === true) return Promise.resolve(lane.connection);
    lane.dialling ??= this.#dial(lane).finally(() => {
      lane.dialling = undefined;
    });
    return lane.dialling;
  }

  async #dial(lane: Lane): Promise<Connection> {
    for (let attempt = lane.connection === undefined ? 0 : Math.max(1, lane.fruitless); ; attempt++) {
      if (attempt > 0) await this.#pause(attempt);
      if (this.#fatal !== undefined) throw this.#fatal;
      try {
        lane.connection = await this.#options.connect();
        if (this.#fatal !== undefined) lane.connection.destroy(this.#fatal);
        return lane.connection;
      } catch (error) {
        if (attempt < this.#options.retries && mayPass(error)) continue;
        if (!mayPass(error) || !this.#retire(lane)) this.stop(error as Error);
        throw error;
      }
    }
  }

  async #pause(attempt: number): Promise<void> {
    const { random } = this.#options;
    await delay(backoffMs(attempt, random), undefined, { signal: this.#stopped.signal }).catch(() => {});
  }

  #signal(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}

class Lane {
  connection: Connection | undefined;
  dialling: Promise<Connection> | undefined;
  /** Jobs, and what they move. */
  underWay = 0;
  weightBytes = 0;
  /** A job was done on it. */
  wasServed = false;
  /** Connections in a row that came to nothing. */
  fruitless = 0;
  /** The server serves other lanes and not this one. */
  isRetired = false;
  room: PromiseWithResolvers<void> = Promise.withResolvers<void>();

  makeRoom(): void {
    this.room.resolve();
    this.room = Promise.withResolvers();
  }
}
