/** GET of the bytes of a file from an offset to its end: exactly those that were promised, with the digest that closes them. */
import { crc32 } from 'node:zlib';
import type { PayloadSink } from '@small-servers/shared/framing/counted-payload';
import type { FilePath } from '../protocol/path.ts';
import { timeText } from '../protocol/reply.ts';
import { checkedEtag, checkedSha256, type RemoteEntry } from '../protocol/reply-entry.ts';
import { type Reply, ReplyError } from '../protocol/reply-parser.ts';
import { type Connection, type Exchange, outOfPlace } from './connection.ts';
import { corrupted, Refusal } from './failures.ts';
import { wirePath } from './listing.ts';

export interface RangeRequest {
  readonly path: FilePath;
  /** As it was listed. */
  readonly entry: RemoteEntry;
  readonly offset: number;
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
  /** In place of `write` and `complete`, where the whole file is here at once: all of its bytes, good during the call. */
  takeAll?(bytes: Buffer, sha256: string | undefined): void;
}

/** Told once that a request is over, with what went wrong if anything did. */
export type RangeOver = (error?: Error) => void;

/** @throws Refusal, AppError FILE_CORRUPTED, what the receiver throws, and what ends the connection */
export function getRange(connection: Connection, request: RangeRequest, receiver: RangeReceiver): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  startRange(connection, request, receiver, (error) => (error === undefined ? resolve() : reject(error)));
  return promise;
}

/** The same without a promise: `over` gets what `getRange` throws. */
export function startRange(
  connection: Pick<Connection, 'send'>,
  request: RangeRequest,
  receiver: RangeReceiver,
  over: RangeOver,
): void {
  const from = request.offset === 0 ? '' : ` off=${request.offset}`;
  const line = `GET ${wirePath(request.path)}${from} if=${request.entry.etag}`;
  connection.send(line, new RangeExchange(request, receiver, over));
}

class RangeExchange implements Exchange, PayloadSink {
  readonly #request: RangeRequest;
  readonly #receiver: RangeReceiver;
  readonly #over: RangeOver;
  isOver = false;
  #crc = 0;
  #sha256: string | undefined;
  #hasData = false;

  constructor(request: RangeRequest, receiver: RangeReceiver, over: RangeOver) {
    this.#request = request;
    this.#receiver = receiver;
    this.#over = over;
  }

  accept(reply: Reply): 'done' | PayloadSink {
    if (reply.kind === 'error') {
      this.#over(new Refusal(reply));
      return 'done';
    }
    if (reply.kind === 'data' && !this.#hasData) {
      const { offset, entry } = this.#request;
      const { sizeBytes, etag } = entry;
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

  /**
   * The very reply that the listing promises is compared as it stands, and not parsed. What differs from it in a single
   * byte, the digest among them, is left to `accept`, which has the words for it.
   */
  takeAhead(chunk: Buffer, from: number): number {
    const { entry, offset } = this.#request;
    if (this.#receiver.takeAll === undefined || offset > 0 || this.#hasData) return from;
    const header = headerOf(entry);
    const start = from + header.length;
    const end = start + entry.sizeBytes;
    const behind = end + CLOSING_BYTES;
    if (behind > chunk.length || chunk.toString('latin1', from, start) !== header) return from;
    const bytes = chunk.subarray(start, end);
    if (chunk.toString('latin1', end, behind) !== closingOf(crc32(bytes))) return from;
    this.isOver = true;
    let fault: Error | undefined;
    try {
      this.#receiver.takeAll(bytes, entry.sha256);
    } catch (error) {
      fault = error as Error;
    }
    this.#over(fault);
    return behind;
  }

  write(bytes: Buffer): boolean | undefined {
    this.#crc = crc32(bytes, this.#crc);
    return this.#receiver.write(bytes, this.#request.offset === 0 ? this.#crc : undefined);
  }

  end(): void {}

  fail(error: Error): void {
    if (!this.isOver) this.#over(error);
  }

  #close(expected: string | undefined): void {
    if (expected === undefined) throw new ReplyError('a file without the crc32 that closes it');
    const actual = formatCrc32(this.#crc);
    if (expected !== actual) {
      this.#over(corrupted(`its crc32 is ${actual}, and the server says it should be ${expected.slice(0, 16)}`));
      return;
    }
    let fault: Error | undefined;
    try {
      this.#receiver.complete(this.#sha256);
    } catch (error) {
      fault = error as Error;
    }
    this.#over(fault);
  }
}

/** The line that announces all of a file, if it still is what was listed; docs/protocols/file.md, GET. */
function headerOf({ sizeBytes, modifiedMs, etag, sha256 }: RemoteEntry): string {
  const known = sha256 === undefined ? '' : ` sha256=${sha256}`;
  return `DATA ${sizeBytes} off=0 size=${sizeBytes} mtime=${timeText(modifiedMs)} etag=${etag}${known}\r\n`;
}

/** What follows a file: the end of its last line, and the line with the digest of its bytes. */
function closingOf(crc: number): string {
  return `\r\nOK crc32=${formatCrc32(crc)}\r\n`;
}

const CLOSING_BYTES = closingOf(0).length;

/** Eight lower-case hex digits. */
export function formatCrc32(crc: number): string {
  return crc.toString(16).padStart(8, '0');
}
