/** One file on its way here: small ones in memory, large ones in a part; again from its STAT if it changes. */

import { AppError } from '@small-servers/shared/errors';
import type { FilePath } from '../protocol/path.ts';
import { type RemoteEntry, statEntry } from '../protocol/reply-entry.ts';
import { type Connection, outOfPlace } from './connection.ts';
import { about } from './failed-files.ts';
import { Refusal } from './failures.ts';
import { PartFetch } from './fetch-part.ts';
import type { Fetch, FetchPlan, FetchPolicy, FetchResult } from './fetch-plan.ts';
import { SMALL_FILE_BYTES, SmallFetch } from './fetch-small.ts';
import type { Job } from './lanes.ts';
import { wirePath } from './listing.ts';

/** A file that changes again and again while it is fetched is given up. */
const MAX_CHANGES = 3;

export class FetchJob implements Job {
  readonly weightBytes: number;
  readonly #policy: FetchPolicy;
  readonly #done: (result: FetchResult) => void;
  #plan: FetchPlan;
  #fetch: Fetch;
  #changes = 0;

  constructor(plan: FetchPlan, policy: FetchPolicy, done: (result: FetchResult) => void) {
    this.weightBytes = plan.entry.sizeBytes;
    this.#plan = plan;
    this.#policy = policy;
    this.#done = done;
    this.#fetch = startFetch(plan, policy);
  }

  get movedBytes(): number {
    return this.#fetch.movedBytes;
  }

  async run(connection: Connection): Promise<void> {
    for (;;) {
      try {
        await this.#fetch.run(connection);
        break;
      } catch (error) {
        await this.#mend(connection, error);
      }
    }
    this.#finish();
  }

  start(connection: Connection, over: (error?: Error) => void): boolean {
    return (
      this.#fetch.start?.(connection, (error) => {
        if (error === undefined) {
          this.#finish();
          over();
        } else {
          this.#mend(connection, error)
            .then(() => this.run(connection))
            .then(() => over(), over);
        }
      }) ?? false
    );
  }

  abandon(error: Error): void {
    this.#fetch.close();
    const { resumedBytes, part, leftover } = this.#fetch;
    const whole = leftover === undefined || leftover === error ? error : about('', error, `; and ${leftover.message}`);
    this.#done({ plan: this.#plan, resumedBytes, error: whole, part });
  }

  #finish(): void {
    this.#done({ plan: this.#plan, resumedBytes: this.#fetch.resumedBytes });
  }

  /** After a failure: made ready for another go where one is of use on the same connection. @throws the error if not */
  async #mend(connection: Connection, error: unknown): Promise<void> {
    if (isCorrupt(error)) this.#fetch.discard();
    if (!isChanged(error) || this.#changes === MAX_CHANGES) throw error;
    this.#changes += 1;
    await this.#startAnew(connection);
  }

  /** There is another content of this name now; what came of the old one is of no use to anybody. */
  async #startAnew(connection: Connection): Promise<void> {
    const entry = await askEntry(connection, this.#plan.path);
    this.#fetch.discard();
    if (this.#fetch.leftover !== undefined) throw this.#fetch.leftover;
    this.#plan = { ...this.#plan, entry };
    this.#fetch = startFetch(this.#plan, this.#policy);
  }
}

function startFetch(plan: FetchPlan, policy: FetchPolicy): Fetch {
  return plan.entry.sizeBytes <= SMALL_FILE_BYTES ? new SmallFetch(plan, policy) : new PartFetch(plan, policy);
}

/** STAT. @throws Refusal, and what ends the connection */
export async function askEntry(connection: Connection, path: FilePath): Promise<RemoteEntry> {
  const { promise, resolve, reject } = Promise.withResolvers<RemoteEntry>();
  connection.send(`STAT ${wirePath(path)}`, {
    accept: (reply) => {
      if (reply.kind === 'error') reject(new Refusal(reply));
      else if (reply.kind === 'ok') resolve(statEntry(reply.fields));
      else throw outOfPlace(reply);
      return 'done';
    },
    fail: reject,
  });
  return promise;
}

function isChanged(error: unknown): boolean {
  return error instanceof Refusal && error.refusal === 'CHANGED';
}

function isCorrupt(error: unknown): boolean {
  return error instanceof AppError && error.code === 'FILE_CORRUPTED';
}
