/**
 * One connection to a file server: requests go out in order, any number ahead of their replies, and each reply is
 * handed to the request that it belongs to. Payloads are handed on as they arrive, out of one buffer that is used
 * again for every read.
 */
import type { Socket } from 'node:net';
import { connectionError, connectTcp } from '@small-servers/shared/client/connect';
import { type Endpoint, formatHostPort } from '@small-servers/shared/config/endpoint';
import { AppError } from '@small-servers/shared/errors';
import { CountedPayloadDecoder, type PayloadSink } from '@small-servers/shared/framing/counted-payload';
import {
  MAX_REPLY_BYTES,
  NoReply,
  type OkReply,
  parseReply,
  type Reply,
  ReplyError,
  replyErrorOf,
} from '../protocol/reply-parser.ts';
import {
  mayPass,
  NotReached,
  noFileServer,
  Refusal,
  refusedToken,
  Unreachable,
  violation,
  wasCut,
} from './failures.ts';
import { patienceMs } from './patience.ts';

/** Loopback and fast networks fill it; a read that takes more at a time costs less for each byte. */
const READ_BUFFER_BYTES = 1024 * 1024;

/** Stalls are looked for so many times in the time that makes one. */
const LOOKS_PER_TIMEOUT = 8;

/** One request from its line to its last reply. */
export interface Exchange {
  /**
   * Takes the next reply. `done` ends the exchange; `more` waits for another reply; a sink takes the payload that a
   * DATA announced, and another reply follows it. What it throws ends the exchange and the connection: bytes that
   * belong to it may still be on their way.
   */
  accept(reply: Reply): 'done' | 'more' | PayloadSink;
  /**
   * For replies that come by the thousand: asked before `accept`, wherever one begins. It takes the bytes from `from` on
   * as far as they are whole replies in the very form that is hoped for, and returns where they end. All else, down to
   * a single byte that differs, it leaves to `accept`.
   */
  takeAhead?(chunk: Buffer, from: number): number;
  /** What was taken ahead was the end of it. */
  readonly isOver?: boolean;
  /** It did not come to its end. Called once, and never after `done`. */
  fail(error: Error): void;
  /** What the server reads, or brings to its disk, before it answers, and meanwhile says nothing. */
  readonly workBytes?: number | undefined;
}

export interface ConnectionOptions {
  readonly endpoint: Endpoint;
  /** To connect, and for any time in which nothing moves while something is awaited; 0 for no limit. */
  readonly timeoutMs: number;
  /** Sent first of all, if there is one. */
  readonly token?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Shared by all connections to the same server; left out, it is known to be a file server. */
  readonly server?: KnownServer | undefined;
}

/** What its connections found out about a server. */
export interface KnownServer {
  /** A reply of the protocol came from it. Before that it may be anything. */
  hasAnswered: boolean;
  /** Connections that ended before. */
  unanswered: number;
}

export class Connection {
  readonly target: string;
  readonly #endpoint: Endpoint;
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  readonly #server: KnownServer;
  readonly #decoder: CountedPayloadDecoder;
  readonly #awaited: Exchange[] = [];
  readonly #watch: NodeJS.Timeout | undefined;
  #outgoing: (string | Uint8Array)[] = [];
  /** Requests that wait for the end of a payload that is written bit by bit; `undefined` when none is. */
  #behindStream: { line: string; exchange: Exchange; payload: Uint8Array | undefined }[] | undefined;
  /** Between the last byte of a payload and the empty line that closes it. */
  #closesPayload = false;
  #moved = 0;
  #movedAtMs = performance.now();
  #ended: Error | undefined;

  /** @throws AppError of `connectTcp` */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const { endpoint, timeoutMs, token, signal } = options;
    const buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
    const read = { take: (_bytes: Buffer): boolean => true };
    const callback = (length: number): boolean => read.take(buffer.subarray(0, length));
    const socket = await connectTcp(endpoint, timeoutMs, signal, { onread: { buffer, callback } });
    const connection = new Connection(socket, options);
    read.take = (bytes) => connection.#take(bytes);
    if (token !== undefined) connection.#authenticate(token);
    return connection;
  }

  private constructor(
    socket: Socket,
    { endpoint, timeoutMs, server = { hasAnswered: true, unanswered: 0 } }: ConnectionOptions,
  ) {
    this.#endpoint = endpoint;
    this.target = formatHostPort(endpoint);
    this.#socket = socket;
    this.#timeoutMs = timeoutMs;
    this.#server = server;
    this.#decoder = new CountedPayloadDecoder({
      onLine: (line) => this.#takeLine(line),
      takeAhead: (chunk, offset) => this.#takeAhead(chunk, offset),
      maxFrameBytes: MAX_REPLY_BYTES,
      maxBacklogBytes: READ_BUFFER_BYTES,
    });
    socket.setKeepAlive(true, 30_000);
    socket.on('error', (error) => this.destroy(connectionError(endpoint, error)));
    socket.on('end', () => this.destroy(this.#lost()));
    socket.on('close', () => this.destroy(this.#lost()));
    if (timeoutMs === 0) return;
    this.#watch = setInterval(() => this.#lookForStall(), Math.max(1, timeoutMs / LOOKS_PER_TIMEOUT));
  }

  get isOpen(): boolean {
    return this.#ended === undefined;
  }

  /** Requests whose last reply has not come. */
  get awaited(): number {
    return this.#awaited.length;
  }

  /**
   * Sends a request: its line without terminator, and what follows the line without waiting. Lines of one turn leave
   * together. The payload's memory is the connection's until `flushed` or the reply.
   */
  send(line: string, exchange: Exchange, payload?: Uint8Array): void {
    if (this.#ended !== undefined) {
      exchange.fail(this.#ended);
      return;
    }
    if (this.#behindStream !== undefined) {
      this.#behindStream.push({ line, exchange, payload });
      return;
    }
    if (this.#awaited.length === 0) this.#movedAtMs = performance.now();
    this.#awaited.push(exchange);
    if (this.#outgoing.length === 0) queueMicrotask(() => this.#flush());
    this.#outgoing.push(`${line}\r\n`);
    if (payload !== undefined) this.#outgoing.push(payload);
  }

  /** A request of one OK. @throws Refusal for an ERR, and what ends the connection */
  ask(line: string, workBytes?: number): Promise<OkReply> {
    const { promise, resolve, reject } = Promise.withResolvers<OkReply>();
    this.send(line, {
      workBytes,
      accept: (reply) => {
        if (reply.kind === 'error') reject(new Refusal(reply));
        else if (reply.kind === 'ok') resolve(reply);
        else throw outOfPlace(reply);
        return 'done';
      },
      fail: reject,
    });
    return promise;
  }

  /** Sends a request whose payload is written with `write`; what else is sent waits until `endStream`. */
  startStream(line: string, exchange: Exchange): void {
    this.send(line, exchange);
    this.#behindStream ??= [];
  }

  endStream(): void {
    const waiting = this.#behindStream ?? [];
    this.#behindStream = undefined;
    for (const { line, exchange, payload } of waiting) this.send(line, exchange, payload);
  }

  /** Writes a part of a payload; resolves when its memory may be used again. @throws what ends the connection */
  async write(bytes: Uint8Array): Promise<void> {
    this.#flush();
    if (this.#ended !== undefined) throw this.#ended;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.write(bytes, () => resolve());
    await promise;
    if (this.#ended !== undefined) throw this.#ended;
  }

  /** Goes on after a sink said "no more for now". */
  resume(): void {
    if (this.#ended !== undefined) return;
    this.#movedAtMs = performance.now();
    try {
      if (this.#decoder.resume()) this.#socket.resume();
    } catch (error) {
      this.#breakOff(error);
    }
  }

  /** Ends it in a good way; nothing may be awaited. */
  close(): void {
    if (this.#ended !== undefined) return;
    this.#finish(this.#lost());
    this.#socket.end();
    this.#socket.destroySoon();
  }

  /** Ends it at once; what is awaited fails with `error`. */
  destroy(error: Error): void {
    if (this.#ended !== undefined) return;
    this.#finish(this.#judge(error));
    this.#socket.destroy();
  }

  /**
   * Shows the token ahead of all else. What was asked behind it fails with the very refusal of the token: its own
   * replies may come in the same read, and would speak of a token that is missing.
   */
  #authenticate(token: string): void {
    this.send(`AUTH ${token}`, {
      accept: (reply) => {
        if (reply.kind === 'ok') return 'done';
        if (reply.kind !== 'error') throw outOfPlace(reply);
        this.#awaited.shift();
        this.destroy(refusedToken(reply));
        return 'more';
      },
      fail: () => {},
    });
  }

  /**
   * Who never answered may be no file server. Silence is final then: nobody waits for it twice. A cut may be of the
   * network, once.
   */
  #judge(error: Error): Error {
    const server = this.#server;
    if (server.hasAnswered || !wasCut(error)) return error;
    server.unanswered += 1;
    const isSilent = (error as AppError).code === 'CONNECTION_TIMED_OUT';
    return isSilent || server.unanswered > 1 ? new Unreachable(error as AppError) : error;
  }

  #finish(error: Error): void {
    this.#ended = error;
    clearInterval(this.#watch);
    this.#outgoing = [];
    const [first, ...others] = this.#awaited.splice(0);
    const behind = this.#behindStream?.map(({ exchange }) => exchange) ?? [];
    first?.fail(error);
    const notReached = mayPass(error) ? new NotReached(error) : error;
    for (const exchange of [...others, ...behind]) exchange.fail(notReached);
  }

  #flush(): void {
    const parts = this.#outgoing;
    if (parts.length === 0 || this.#ended !== undefined) return;
    this.#outgoing = [];
    if (parts.every((part) => typeof part === 'string')) {
      this.#socket.write(parts.join(''), 'latin1');
      return;
    }
    this.#socket.cork();
    for (const part of parts) {
      if (typeof part === 'string') this.#socket.write(part, 'latin1');
      else this.#socket.write(part);
    }
    this.#socket.uncork();
  }

  /** @returns whether more is welcome */
  #take(bytes: Buffer): boolean {
    if (this.#ended !== undefined) return false;
    try {
      return this.#decoder.push(bytes);
    } catch (error) {
      this.#breakOff(error);
      return false;
    }
  }

  /** Whole replies, one after the other. Returns the offset behind them. */
  #takeAhead(chunk: Buffer, from: number): number {
    let offset = from;
    while (!this.#closesPayload && this.#ended === undefined) {
      const exchange = this.#awaited[0];
      const end = exchange?.takeAhead?.(chunk, offset) ?? offset;
      if (end === offset) break;
      if (exchange?.isOver === true && this.#awaited[0] === exchange) this.#awaited.shift();
      offset = end;
      this.#server.hasAnswered = true;
    }
    return offset;
  }

  #takeLine(line: Buffer): void {
    if (this.#ended !== undefined) return;
    if (this.#closesPayload) {
      if (line.length > 0) throw new ReplyError('more bytes than it promised');
      this.#closesPayload = false;
      return;
    }
    const reply = parseReply(line);
    this.#server.hasAnswered = true;
    const [exchange] = this.#awaited;
    if (exchange === undefined) {
      // Said of its own accord before it closes: TIMEOUT, SHUTDOWN, LIMIT.
      if (reply.kind !== 'error') throw new ReplyError('a reply to nothing that was asked');
      this.destroy(new Refusal(reply));
      return;
    }
    const next = exchange.accept(reply);
    if (next === 'done') {
      this.#awaited.shift();
    } else if (typeof next === 'object') {
      if (reply.kind !== 'data') throw new ReplyError('a payload without DATA');
      this.#closesPayload = true;
      this.#decoder.payload(reply.bytes, next);
    }
  }

  /** What the replies, or the one who received them, made impossible to go on with. */
  #breakOff(error: unknown): void {
    const fault = replyErrorOf(error);
    if (fault !== undefined) {
      const isNoServer = fault instanceof NoReply && !this.#server.hasAnswered;
      this.destroy(isNoServer ? noFileServer(this.target) : violation(this.target, fault.message));
      return;
    }
    this.#awaited.shift()?.fail(error instanceof Error ? error : new Error(String(error)));
    this.destroy(this.#lost());
  }

  #lookForStall(): void {
    const [exchange] = this.#awaited;
    const moved = this.#socket.bytesRead + this.#socket.bytesWritten - this.#socket.writableLength;
    const waiting = exchange !== undefined && !this.#decoder.paused;
    const limitMs = patienceMs(this.#timeoutMs, exchange?.workBytes ?? 0);
    if (moved !== this.#moved || !waiting) this.#movedAtMs = performance.now();
    this.#moved = moved;
    if (performance.now() - this.#movedAtMs < limitMs) return;
    const seconds = `${Math.round(limitMs / 100) / 10} s`;
    const what = this.#server.hasAnswered
      ? `nothing moved for ${seconds}`
      : `it took the connection and said nothing for ${seconds}; is the port right?`;
    this.destroy(new AppError('CONNECTION_TIMED_OUT', `${this.target}: ${what}`));
  }

  #lost(): AppError {
    return connectionError(this.#endpoint, new Error('the far end closed the connection; its log says why'));
  }
}

/** A reply of a kind that the request has none of. */
export function outOfPlace({ kind }: Reply): ReplyError {
  return new ReplyError(`${kind.toUpperCase()} in a place where it means nothing`);
}
