/** GET of the bytes of a file from an offset to its end: exactly those that were promised, with the digest that closes them. */
import { crc32 } from 'node:zlib';
import type { PayloadSink } from '@small-servers/shared/framing/counted-payload';
import type { FilePath } from '../protocol/path.ts';
import { checkedEtag, checkedSha256 } from '../protocol/reply-entry.ts';
import { type Reply, ReplyError } from '../protocol/reply-parser.ts';
import { type Connection, type Exchange, outOfPlace } from './connection.ts';
import { corrupted, Refusal } from './failures.ts';
import { wirePath } from './listing.ts';

export interface RangeRequest {
  readonly path: FilePath;
  readonly offset: number;
  /** Of the whole file. */
  readonly sizeBytes: number;
  readonly etag: string;
}

export interface RangeReceiver {
  /**
   * The next bytes, good during the call only. `false` pauses the connection until its `resume`.
   *
   * @param crc of the range so far, if the range is all of the file until here
   */
  write(bytes: Buffer, crc: number | undefined): boolean | undefined;
  /**
   * All bytes are here and their digest is right. Called before anything that follows is read; what it throws fails
   * this request alone.
   *
   * @param sha256 of the whole file, in lower-case hex, if the server knows it
   */
  complete(sha256: string | undefined): void;
}

/** @throws Refusal, AppError FILE_CORRUPTED, what the receiver throws, and what ends the connection */
export function getRange(connection: Connection, request: RangeRequest, receiver: RangeReceiver): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const from = request.offset === 0 ? '' : ` off=${request.offset}`;
  const line = `GET ${wirePath(request.path)}${from} if=${request.etag}`;
  connection.send(line, new RangeExchange(request, receiver, { resolve, reject }));
  return promise;
}

class RangeExchange implements Exchange, PayloadSink {
  readonly #request: RangeRequest;
  readonly #receiver: RangeReceiver;
  readonly #settle: { resolve(): void; reject(error: Error): void };
  #crc = 0;
  #sha256: string | undefined;
  #hasData = false;

  constructor(request: RangeRequest, receiver: RangeReceiver, settle: { resolve(): void; reject(error: Error): void }) {
    this.#request = request;
    this.#receiver = receiver;
    this.#settle = settle;
  }

  accept(reply: Reply): 'done' | PayloadSink {
    if (reply.kind === 'error') {
      this.#settle.reject(new Refusal(reply));
      return 'done';
    }
    if (reply.kind === 'data' && !this.#hasData) {
      const { offset, sizeBytes, etag } = this.#request;
      if (reply.bytes !== sizeBytes - offset) {
        throw new ReplyError(`${reply.bytes} bytes where ${sizeBytes - offset} were listed`);
      }
      if (checkedEtag(reply.fields.get('etag') ?? etag) !== etag)
        throw new ReplyError('another content than asked for');
      this.#sha256 = checkedSha256(reply.fields.get('sha256'));
      this.#hasData = true;
      return this;
    }
    if (reply.kind !== 'ok' || !this.#hasData) throw outOfPlace(reply);
    this.#close(reply.fields.get('crc32'));
    return 'done';
  }

  write(bytes: Buffer): boolean | undefined {
    this.#crc = crc32(bytes, this.#crc);
    return this.#receiver.write(bytes, this.#request.offset === 0 ? this.#crc : undefined);
  }

  end(): void {}

  fail(error: Error): void {
    this.#settle.reject(error);
  }

  #close(expected: string | undefined): void {
    if (expected === undefined) throw new ReplyError('a file without the crc32 that closes it');
    const actual = formatCrc32(this.#crc);
    if (expected !== actual) {
      this.#settle.reject(
        corrupted(`its crc32 is ${actual}, and the server says it should be ${expected.slice(0, 16)}`),
      );
      return;
    }
    try {
      this.#receiver.complete(this.#sha256);
      this.#settle.resolve();
    } catch (error) {
      this.#settle.reject(error as Error);
    }
  }
}

/** Eight lower-case hex digits. */
export function formatCrc32(crc: number): string {
  return crc.toString(16).padStart(8, '0');
}
