/** PUT and RESUME: SEND says that the payload is awaited, OK that it is stored. */
import { statEntry } from '../protocol/reply-entry.ts';
import type { OkReply, Reply } from '../protocol/reply-parser.ts';
import { type Exchange, outOfPlace } from './connection.ts';
import { Refusal } from './failures.ts';

export interface SendReply {
  readonly offset: number;
  /** For RESUME. */
  readonly id: string | undefined;
}

/** What an upload came to. */
export interface Stored {
  readonly sizeBytes: number;
  readonly etag: string;
  readonly sha256: string | undefined;
}

/** The two answers of one request. Each rejects if it does not come; a rejection that nobody awaits is no fault. */
export class PayloadRequest implements Exchange {
  readonly #sent = Promise.withResolvers<SendReply>();
  readonly #stored = Promise.withResolvers<Stored>();
  #isAwaited = false;
  /** Set when ERR came: what is left of the payload need not be sent. */
  refusal: Refusal | undefined;
  /** Set when all is sent: the server brings it to its disk before it says OK. */
  workBytes: number | undefined;

  constructor() {
    this.#sent.promise.catch(() => {});
    this.#stored.promise.catch(() => {});
  }

  /** @throws Refusal, and what ends the connection */
  get sent(): Promise<SendReply> {
    return this.#sent.promise;
  }

  /** @throws Refusal, and what ends the connection */
  get stored(): Promise<Stored> {
    return this.#stored.promise;
  }

  accept(reply: Reply): 'done' | 'more' {
    if (reply.kind === 'send' && !this.#isAwaited) {
      this.#isAwaited = true;
      this.#sent.resolve({ offset: reply.offset, id: reply.fields.get('id') });
      return 'more';
    }
    if (reply.kind === 'error') {
      this.refusal = new Refusal(reply);
      this.fail(this.refusal);
      return 'done';
    }
    if (reply.kind !== 'ok' || !this.#isAwaited) throw outOfPlace(reply);
    this.#stored.resolve(storedOf(reply));
    return 'done';
  }

  fail(error: Error): void {
    this.#sent.reject(error);
    this.#stored.reject(error);
  }
}

function storedOf({ fields }: OkReply): Stored {
  const { sizeBytes, etag, sha256 } = statEntry(fields);
  return { sizeBytes, etag, sha256 };
}
