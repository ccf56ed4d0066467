/** One file on its way to the server. */
import type { Connection } from './connection.ts';
import type { Job } from './lanes.ts';
import { LargePut } from './put-large.ts';
import type { PutPlan, PutPolicy, PutResult } from './put-plan.ts';
import { putSmall, SMALL_UPLOAD_BYTES } from './put-small.ts';

export class PutJob implements Job {
  readonly weightBytes: number;
  readonly #plan: PutPlan;
  readonly #policy: PutPolicy;
  readonly #large: LargePut | undefined;
  readonly #done: (result: PutResult) => void;

  constructor(plan: PutPlan, policy: PutPolicy, done: (result: PutResult) => void) {
    this.weightBytes = plan.sizeBytes;
    this.#plan = plan;
    this.#policy = policy;
    this.#large = plan.sizeBytes > SMALL_UPLOAD_BYTES ? new LargePut(plan, policy) : undefined;
    this.#done = done;
  }

  get movedBytes(): number {
    return this.#large?.movedBytes ?? 0;
  }

  async run(connection: Connection): Promise<void> {
    const large = this.#large;
    const result = await (large?.run(connection) ?? putSmall(connection, this.#plan, this.#policy));
    large?.close();
    this.#done({ plan: this.#plan, resumedBytes: large?.resumedBytes ?? 0, ...result });
  }

  abandon(error: Error): void {
    const large = this.#large;
    large?.close();
    this.#done({
      plan: this.#plan,
      outcome: 'failed',
      resumedBytes: large?.resumedBytes ?? 0,
      error,
      isResumable: large?.isResumable ?? false,
    });
  }
}
