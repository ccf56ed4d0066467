/**
 * One connection: lines and payloads in, replies out in the order of the commands, one command at a time. It knows
 * how commands follow each other, what becomes of payloads, and what ends a connection; what each verb does is in
 * `commands.ts`.
 *
 * While a command waits for the store, the decoder is paused; what the peer sends meanwhile is put aside up to one
 * read, then the connection is held, and then the peer waits. So a connection holds at most a read, what was put
 * aside, and three blocks of a download or two of an upload: below 4 MiB, whatever the file.
 */
import type { Log } from '@small-servers/shared/daemon/log';
import { CountedPayloadDecoder, type PayloadSink } from '@small-servers/shared/framing/counted-payload';
import { FramingError } from '@small-servers/shared/framing/errors';
import type { CloseReason } from '@small-servers/shared/server/reasons';
import type { TcpConnection, TcpHandler } from '@small-servers/shared/server/tcp-connection';
import type { BlockPool } from './block-pool.ts';
import { handlers } from './commands.ts';
import type { Departures } from './departures.ts';
import type { DigestCache } from './digest-cache.ts';
import { Downloader } from './download.ts';
import { Intake } from './intake.ts';
import { FileError } from './protocol/codes.ts';
import { type Command, type Following, lineText, parseCommand } from './protocol/command.ts';
import { parseNumber } from './protocol/fields.ts';
import { foreignProtocol, TLS_HANDSHAKE } from './protocol/foreign.ts';
import { MAX_LINE_BYTES } from './protocol/line.ts';
import { entryPairs, err, ok, type Pairs, send } from './protocol/reply.ts';
import { type Verb, type VerbName, verbOf, verbs } from './protocol/verbs.ts';
import type { FileStore, Upload } from './store/store.ts';
import { isAmong, type Token } from './tokens.ts';
import type { Transfer, Transfers } from './transfers.ts';
import type { Turn } from './turn.ts';

/** What a session may change its mind about while it runs. */
export interface SessionLimits {
  readonly writable: boolean;
  readonly auth: 'writes' | 'all';
  /** None: nothing needs a token. */
  readonly tokens: readonly Token[];
  /** 0: no limit; so for all below. */
  readonly maxFilesPerConnection: number;
  readonly firstCommandTimeoutMs: number;
  readonly authTimeoutMs: number;
  readonly stallTimeoutMs: number;
  readonly maxFileSizeBytes: number;
}

/** What all sessions of a server share. */
export interface SessionContext {
  readonly store: FileStore;
  readonly limits: SessionLimits;
  readonly log: Log;
  readonly transfers: Transfers;
  readonly digests: DigestCache;
  readonly blocks: BlockPool;
  readonly turn: Turn;
  readonly departures: Departures;
  /** Monotonic, in milliseconds. */
  readonly clock: () => number;
  readonly onClosed: (session: Session) => void;
  /** Told of work that goes on after the connection is gone: a stop waits for it. */
  readonly afterwards: (work: Promise<void>) => void;
}

/** How the content of an upload comes. */
type Form = 'counted' | 'chunked' | 'text';

interface Receiving {
  readonly upload: Upload;
  readonly intake: Intake;
  readonly form: Form;
  readonly transfer: Transfer;
}

/** Replies wait here until there is nothing more to answer, or so much. */
const MOST_REPLY_CHARACTERS = 64 * 1024;

/** Small files that are asked for in a row leave together: a write of its own costs more than all else of one. */
const BATCH_BYTES = 32 * 1024;

/** Above this, the next command waits until the peer has taken what was written. */
const MOST_UNSENT_BYTES = 128 * 1024;

/** After a last word, this much of what the peer still sends is read and thrown away, so that the word arrives. */
const LINGER_BYTES = 1024 * 1024;
const LINGER_MS = 2_000;

const MAX_WRONG_TOKENS = 3;

/**
 * What one peer may have done in a row, before others have their turn: so many lines that cost next to nothing (blank
 * ones, refusals, lines of a text), or a sixty-fourth of that in commands that reach the store. Some 4 ms.
 */
const LINES_IN_A_ROW = 1024;
const LINES_OF_A_COMMAND = 64;

export class Session implements TcpHandler {
  readonly context: SessionContext;
  readonly connection: TcpConnection;
  readonly downloader: Downloader;
  /** The one that the peer has shown. */
  #token: Token | undefined;
  #wrongTokens = 0;
  readonly #decoder: CountedPayloadDecoder;
  readonly #openedMs: number;
  /** What the next line is read as. */
  #readLine: (line: Buffer) => void = this.#commandLine;
  #out = '';
  /** Replies that are bytes, all from before `#out`. */
  readonly #batch: Buffer[] = [];
  #batchedBytes = 0;
  /** A command waits for the store or for the peer to take what was written; the decoder is paused. */
  #working = false;
  #held = false;
  #receiving: Receiving | undefined;
  /** All of an upload's content is here, and the store makes a file of it. */
  #storing = false;
  #commands = 0;
  /** In lines, since others had their turn. A read is no such turn: the event loop may bring many of them at once. */
  #inARow = 0;
  /** Commands of this read that reached the store. */
  #ofThisRead = 0;
  /** All connections' reads up to the last one of this. */
  #reads: number;
  /** Others ask as this one does: its replies leave with theirs. */
  #hasCompany = false;
  #files = 0;
  #refusals = 0;
  /** The last one that was understood. */
  #command: Command | undefined;
  #started = false;
  /** The peer has said all that it will. */
  #peerEnded = false;
  #draining = false;
  #gone = false;
  /** The last word was said: what comes now is thrown away. */
  #closing: { readonly reason: CloseReason; readonly sinceMs: number; thrownAwayBytes: number } | undefined;
  #movedBytes = 0;
  #movedAtMs = 0;

  constructor(context: SessionContext, connection: TcpConnection) {
    this.context = context;
    this.connection = connection;
    this.#openedMs = context.clock();
    this.#reads = context.departures.reads;
    this.downloader = new Downloader(
      {
        isGone: () => this.#gone || this.#closing !== undefined,
        write: (bytes, done) => connection.write(bytes, done),
      },
      context.blocks,
      context.turn,
      context.clock,
    );
    this.#decoder = new CountedPayloadDecoder({
      // The LF is the line's, too, and so is a CR before it.
      maxFrameBytes: MAX_LINE_BYTES - 1,
      keepCr: true,
      onLine: (line) => this.#line(line),
    });
  }

  /** The connection is gone, and nothing that is still done for it has a reader. */
  get gone(): boolean {
    return this.#gone;
  }

  onBytes(bytes: Uint8Array): void {
    if (this.#closing !== undefined) {
      this.#throwAway(bytes.length);
      return;
    }
    if (!this.#started && bytes[0] === TLS_HANDSHAKE) {
      this.#foreign('TLS');
      return;
    }
    this.#started ||= bytes.length > 0;
    this.#ofThisRead = 0;
    const { departures } = this.context;
    this.#hasCompany = departures.readHasCompany(this.#reads);
    this.#reads = departures.reads;
    this.#feed(() => this.#decoder.push(bytes));
  }

  onEnd(): void {
    this.#peerEnded = true;
    if (this.#closing === undefined) this.#feed(() => this.#decoder.end());
    else this.connection.close(this.#closing.reason);
  }

  isBusy(): boolean {
    return this.#working || this.#receiving !== undefined;
  }

  isWorking(): boolean {
    return this.#working && this.connection.unsentBytes === 0;
  }

  onDrain(): void {
    this.#draining = true;
    if (!this.isBusy() && this.#closing === undefined) this.#sayShutdown();
  }

  onClose(): void {
    this.#gone = true;
    this.context.onClosed(this);
    const receiving = this.#receiving;
    this.#receiving = undefined;
    if (receiving !== undefined) this.context.afterwards(this.#putDown(receiving));
  }

  /** Closes what has used up its time. To be called now and then. */
  checkTime(nowMs: number): void {
    if (this.#gone) return;
    this.#receiving?.intake.look(nowMs);
    const { firstCommandTimeoutMs, authTimeoutMs, stallTimeoutMs, auth } = this.context.limits;
    if (this.#closing !== undefined) {
      if (nowMs - this.#closing.sinceMs >= LINGER_MS) this.connection.close(this.#closing.reason);
      return;
    }
    const ageMs = nowMs - this.#openedMs;
    if (this.#commands === 0 && firstCommandTimeoutMs > 0 && ageMs >= firstCommandTimeoutMs) {
      this.lastWord(new FileError('TIMEOUT', 'no whole command came in time; HELP lists them'), 'no-command');
      return;
    }
    if (auth === 'all' && !this.authenticated && authTimeoutMs > 0 && ageMs >= authTimeoutMs) {
      // A token may be taken away in the midst of a file: a word of ours would be read as bytes of it.
      if (this.downloader.owes) this.cut('not-authenticated');
      else this.lastWord(new FileError('TIMEOUT', 'no valid token came in time'), 'not-authenticated');
      return;
    }
    const { in: bytesIn, out: bytesOut } = this.connection.bytes;
    const moved = bytesIn + bytesOut;
    if (moved !== this.#movedBytes || !this.#waitsForPeer()) {
      this.#movedBytes = moved;
      this.#movedAtMs = nowMs;
    } else if (stallTimeoutMs > 0 && nowMs - this.#movedAtMs >= stallTimeoutMs) {
      this.#stalled();
    }
  }

  /** In a transfer, and it is the peer's turn. Who types a text is left to think. */
  #waitsForPeer(): boolean {
    if (this.#receiving !== undefined) return this.#receiving.form !== 'text' && !this.#decoder.paused;
    return this.connection.unsentBytes > 0;
  }

  #stalled(): void {
    const id = this.#receiving?.upload.id;
    this.#cutReceiving();
    if (this.connection.unsentBytes > 0) {
      this.connection.reset('stalled');
      return;
    }
    this.lastWord(new FileError('TIMEOUT', 'the transfer stood still; RESUME goes on with it'), 'stalled', { id });
  }

  // ---- replies -----------------------------------------------------------------------------------------------------

  reply(text: string): void {
    this.#out += text;
  }

  /**
   * Bytes as a reply to a command of those that are done in a row; they are the session's from now on. The first goes
   * at once, for it may be the only one, and its record and its file need not be awaited; the others leave together,
   * and so do all where several connections ask.
   */
  batch(bytes: Buffer): void {
    if (this.#ofThisRead <= 1 && !this.#hasCompany) {
      this.send(bytes);
      return;
    }
    if (this.#out !== '') this.flush();
    this.#batch.push(bytes);
    this.#batchedBytes += bytes.length;
    if (this.#batchedBytes >= BATCH_BYTES) this.flush();
  }

  fail(error: FileError, pairs?: Pairs): void {
    this.context.transfers.error(error.code);
    this.reply(err(error, pairs));
  }

  /** Hands over what waits to be written. */
  flush(): void {
    const [first] = this.#batch;
    if (first !== undefined) {
      // Copied once more, if there are several: that costs less than their writes.
      const bytes = this.#batch.length === 1 ? first : Buffer.concat(this.#batch);
      this.#batch.length = 0;
      this.#batchedBytes = 0;
      this.connection.write(bytes);
    }
    if (this.#out === '') return;
    const text = this.#out;
    this.#out = '';
    this.connection.write(text);
  }

  /** The same, when the others that were read from in this turn do. */
  #depart(): void {
    if (this.#out === '' && this.#batch.length === 0) return;
    if (this.#hasCompany) this.context.departures.add(this);
    else this.flush();
  }

  /** Bytes in place of text, after what waits. */
  send(bytes: Uint8Array): void {
    this.flush();
    this.connection.write(bytes);
  }

  /** Resolves when the peer has taken everything, or is gone. */
  flushed(): Promise<void> {
    this.flush();
    return new Promise((resolve) => this.connection.write('', resolve));
  }

  /** Says what is wrong, and closes once the peer can have read it. */
  lastWord(error: FileError, reason: CloseReason, pairs?: Pairs): void {
    this.fail(error, pairs);
    this.finish(reason);
  }

  /** Ends our side after what was answered. The peer's bytes are read on, since closing on them would reset it all. */
  finish(reason: CloseReason): void {
    this.#closing = { reason, sinceMs: this.context.clock(), thrownAwayBytes: 0 };
    this.#decoder.pause();
    this.flush();
    if (this.#peerEnded) {
      this.connection.close(reason);
      return;
    }
    this.connection.end();
    this.#release();
  }

  /** Ends it by a reset, in the middle of what was promised. */
  cut(reason: CloseReason): void {
    this.#closing = { reason, sinceMs: this.context.clock(), thrownAwayBytes: 0 };
    this.#decoder.pause();
    this.connection.reset(reason);
  }

  #throwAway(bytes: number): void {
    const closing = this.#closing;
    if (closing === undefined) return;
    closing.thrownAwayBytes += bytes;
    if (closing.thrownAwayBytes > LINGER_BYTES) this.connection.close(closing.reason);
  }

  #sayShutdown(): void {
    this.lastWord(new FileError('SHUTDOWN', 'the server stops'), 'drained');
  }

  #foreign(protocol: string): void {
    const { id: conn, peer } = this.connection;
    this.context.log.info({ event: 'foreign-protocol', conn, peer, protocol }, `${peer} speaks ${protocol}`);
    const error = new FileError('BADCMD', `this port does not speak ${protocol}; connect with nc and type HELP`);
    this.lastWord(error, 'protocol-error');
  }

  // ---- lines -------------------------------------------------------------------------------------------------------

  /** Runs the decoder, then answers and decides whether to read on. */
  #feed(step: () => unknown): void {
    try {
      step();
    } catch (error) {
      this.#broken(error);
    }
    if (this.#closing !== undefined || this.#gone) return;
    if (!this.#working && this.#peerEnded && this.#decoder.finished) {
      this.#peerIsDone();
      return;
    }
    // SEND can go with the OK of an upload that is here already.
    if (!this.#storing) this.#depart();
    // A command that waits alone is no reason to stop reading: the system calls would cost more than the bytes.
    const { paused, bufferedBytes, payloadRemaining } = this.#decoder;
    if (paused && (bufferedBytes > 0 || payloadRemaining > 0)) this.#hold();
    else if (!paused) this.#release();
  }

  readonly #broken = (error: unknown): void => {
    const code = error instanceof FramingError ? error.code : undefined;
    if (code === 'FRAME_TOO_LONG') {
      this.#lost(new FileError('LINETOOLONG', `a line has at most ${MAX_LINE_BYTES} bytes`));
    } else if (code !== 'FRAME_TRUNCATED') {
      this.faultOf(error);
      this.cut('internal-error');
    } else if (this.#receiving === undefined && this.#decoder.payloadRemaining === 0) {
      this.#lost(new FileError('BADCMD', 'the last line has no end'));
    } else {
      this.#peerIsDone();
    }
  };

  /** Nobody can tell any more where the next command begins. */
  #lost(error: FileError): void {
    this.#recordRefusal(error, {});
    this.#cutReceiving();
    this.lastWord(error, 'protocol-error');
  }

  /** The peer has ended its side: in the middle of an upload, or when everything is answered. */
  #peerIsDone(): void {
    this.flush();
    this.connection.close('peer-closed');
  }

  #hold(): void {
    if (this.#held) return;
    this.#held = true;
    this.connection.hold();
  }

  #release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.connection.release();
  }

  #line(line: Buffer): void {
    this.#inARow += 1;
    this.#readLine(line);
    // A decoder that is paused here waits for something else, and goes on when that is over.
    if (!this.#working && this.#closing === undefined && !this.#decoder.paused) this.#restIfDue();
  }

  #commandLine(line: Buffer): void {
    let text: string;
    try {
      text = lineText(line);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.#lost(error);
      return;
    }
    if (text === '') return;
    const foreign = foreignProtocol(text);
    if (foreign !== undefined) {
      this.#foreign(foreign);
      return;
    }
    this.#commands += 1;
    const parsed = parseCommand(text);
    if (parsed.command === undefined) {
      const [word = ''] = text.split(' ', 1);
      const verb = verbOf(word);
      this.#recordRefusal(parsed.error, verb === undefined ? { word: word.slice(0, SHOWN_CHARACTERS) } : { verb });
      this.refuse(parsed.error, parsed.following);
    } else {
      this.#begin(parsed.command);
    }
    if (this.#out.length > MOST_REPLY_CHARACTERS) this.flush();
  }

  #begin(command: Command): void {
    const { verb, args } = command;
    const { needs, transfers }: Verb = verbs[verb];
    this.context.transfers.command(verb);
    const error = this.#forbids(needs);
    this.#command = command;
    if (error !== undefined) {
      this.#recordRefusal(error, { verb, path: pathOf(command) });
      this.refuse(error, followingOf(command));
      return;
    }
    if (needs !== 'nothing') {
      this.#ofThisRead += 1;
      this.#inARow += LINES_OF_A_COMMAND;
    }
    if (transfers === true && !this.#countFile()) return;
    const handle = handlers[verb] as (session: Session, args: Command['args']) => Promise<void> | undefined;
    const work = handle(this, args);
    if (work !== undefined) this.#work(work);
  }

  /** Why the peer may not do that, if so. */
  #forbids(needs: Verb['needs']): FileError | undefined {
    const { writable, auth } = this.context.limits;
    if (needs === 'nothing') return undefined;
    const open = this.authenticated;
    if (!open && auth === 'all') return new FileError('AUTH', 'show a token first: AUTH token');
    if (needs === 'read') return undefined;
    if (!writable) return new FileError('READONLY', 'this server is read-only');
    return open ? undefined : new FileError('AUTH', 'changes need a token: AUTH token');
  }

  #countFile(): boolean {
    const { maxFilesPerConnection } = this.context.limits;
    this.#files += 1;
    if (maxFilesPerConnection === 0 || this.#files <= maxFilesPerConnection) return true;
    const error = new FileError('LIMIT', `${maxFilesPerConnection} files a connection: open another one`);
    this.lastWord(error, 'file-limit');
    return false;
  }

  /** Whether nothing stands in the way of the peer; a token that was taken out of the file opens nothing any more. */
  get authenticated(): boolean {
    const { tokens } = this.context.limits;
    return tokens.length === 0 || (this.#token !== undefined && isAmong(tokens, this.#token));
  }

  /** AUTH: what was shown, and which token that is. */
  authenticate(token: Token | undefined): void {
    const { id: conn, peer } = this.connection;
    if (token !== undefined) {
      this.#token = token;
      this.context.log.info({ event: 'authenticated', conn, peer, token: token.name }, `${peer} is ${token.name}`);
      this.reply(ok());
      return;
    }
    this.#wrongTokens += 1;
    const attempts = this.#wrongTokens;
    this.context.log.warn({ event: 'auth-failed', conn, peer, attempts }, `${peer} showed a token that is none`);
    const error = new FileError('AUTH', 'that is no token of this server');
    if (attempts < MAX_WRONG_TOKENS) this.fail(error);
    else this.lastWord(error, 'not-authenticated');
  }

  // ---- work that takes time ----------------------------------------------------------------------------------------

  /** Nothing more is read as a command until `promise` is settled. What it rejects with is answered. */
  #work(promise: Promise<void>): void {
    this.#working = true;
    this.#decoder.pause();
    promise.then(this.#proceed, this.#failed).catch(this.#broken);
  }

  // Functions of the session, made once: a small file is quick enough for closures to show.
  readonly #resume = (): unknown => this.#decoder.resume();
  readonly #proceed = (): void => {
    this.#working = false;
    if (this.#gone || this.#closing !== undefined) return;
    if (this.#draining && this.#receiving === undefined) this.#sayShutdown();
    else if (!this.#restIfDue()) this.#feed(this.#resume);
  };

  /** Waits before the next command for a peer that does not take what is written, or for others to have their turn. */
  #restIfDue(): boolean {
    if (this.connection.unsentBytes > MOST_UNSENT_BYTES) this.#work(this.flushed());
    else if (this.#inARow > LINES_IN_A_ROW) this.#work(this.#nextTurn());
    else return false;
    return true;
  }

  async #nextTurn(): Promise<void> {
    this.flush();
    await this.context.turn.next();
    this.#inARow = 0;
  }

  /** Answers a fault of a command; one that is nobody's request is ours. */
  readonly #failed = (error: unknown): void => {
    const fault = this.faultOf(error);
    const command = this.#command;
    // To look for what is not there is nothing to tell; transfers have records of their own.
    if (command !== undefined && verbs[command.verb].needs === 'write') {
      this.#recordRefusal(fault, { verb: command.verb, path: pathOf(command) });
    }
    if (!this.#gone && this.#closing === undefined) this.fail(fault);
    this.#proceed();
  };

  #recordRefusal(error: FileError, what: { verb?: VerbName; path?: string | undefined; word?: string }): void {
    this.#refusals += 1;
    this.context.transfers.refused(this.connection, { ...what, refusals: this.#refusals }, error);
  }

  /** The error to answer; what is no FileError is logged with its stack, and the peer hears that it was ours. */
  faultOf(error: unknown): FileError {
    if (error instanceof FileError) return error;
    const { stack, message } = error instanceof Error ? error : new Error(String(error));
    const { id: conn, peer } = this.connection;
    this.context.log.error({ event: 'internal-error', conn, peer, stack }, message);
    return new FileError('INTERNAL', 'the server failed; its log says how', { cause: error });
  }

  // ---- payloads ----------------------------------------------------------------------------------------------------

  /** Answers a command with an error; the payload that may follow is thrown away, never read as commands. */
  refuse(error: FileError, following: Following, pairs: Pairs = {}): void {
    if (following === 'untold') {
      this.lastWord(error, 'protocol-error');
      return;
    }
    this.fail(error, following === 0 ? pairs : { ...pairs, discard: following });
    if (following === 'text') this.#readLine = this.#textLine;
    else if (following === 'chunked') this.#readLine = this.#chunkSizeLine;
    else this.#decoder.discard(following);
  }

  /** The payload of the command that is begun, if all of it is here: a view, which `passOver` leaves behind. */
  peek(lengthBytes: number): Buffer | undefined {
    return this.#decoder.peek(lengthBytes);
  }

  passOver(lengthBytes: number): void {
    this.#decoder.discard(lengthBytes);
  }

  /** Asks for the content of an upload from where it stands, and takes it. */
  async receive(upload: Upload, form: Form, transfer: Transfer): Promise<void> {
    if (this.#gone) {
      this.context.transfers.end(transfer, 'cut', 0);
      this.context.afterwards(transfer.verb === 'RESUME' ? upload.suspend() : upload.abort());
      return;
    }
    const { durableBytes, request } = upload;
    const leftBytes = (request.sizeBytes ?? Number.POSITIVE_INFINITY) - durableBytes;
    const intake = new Intake(upload, leftBytes, this.context.blocks, {
      onRoom: () => this.#roomAgain(),
      onError: (error) => this.#uploadFailed(error),
    });
    transfer.offset = durableBytes;
    const receiving: Receiving = { upload, intake, form, transfer };
    this.#receiving = receiving;
    upload.evicted.addEventListener('abort', () => this.#evicted(receiving), { once: true });
    this.reply(send(durableBytes, upload.id));
    if (form === 'text') this.#readLine = this.#textLine;
    else if (form === 'chunked') this.#readLine = this.#chunkSizeLine;
    else if (leftBytes === 0) await this.#store(receiving);
    else
      this.#decoder.payload(
        leftBytes,
        this.#sink(receiving, () => this.#work(this.#store(receiving))),
      );
  }

  #sink({ intake }: Receiving, end: () => void): PayloadSink {
    return { write: (bytes) => intake.write(bytes), end };
  }

  /** All of the content is here. A connection that is lost from here on changes nothing: it is stored, or refused. */
  async #store({ upload, intake, transfer }: Receiving): Promise<void> {
    this.#receiving = undefined;
    this.#readLine = this.#commandLine;
    this.#storing = true;
    try {
      await intake.flush();
      const entry = await upload.commit();
      this.context.transfers.end(transfer, 'complete', intake.receivedBytes);
      this.reply(ok(entryPairs(entry)));
    } catch (error) {
      const fault = this.faultOf(error);
      this.context.transfers.end(transfer, 'failed', intake.receivedBytes, fault.code);
      this.fail(fault);
    } finally {
      this.#storing = false;
    }
  }

  #roomAgain(): void {
    if (this.#working || this.#gone || this.#closing !== undefined) return;
    this.#feed(this.#resume);
  }

  /** In the middle of a payload: its rest is thrown away. */
  #uploadFailed(error: unknown): void {
    const receiving = this.#receiving;
    if (receiving === undefined) return;
    this.#receiving = undefined;
    const fault = this.faultOf(error);
    this.context.transfers.end(receiving.transfer, 'failed', receiving.intake.receivedBytes, fault.code);
    const left = this.#decoder.refuse();
    this.fail(fault, { discard: receiving.form === 'counted' ? left : receiving.form });
    this.#roomAgain();
  }

  /** Another connection waits for the upload: it gets what arrived here, too. */
  #evicted(receiving: Receiving): void {
    if (this.#receiving !== receiving) return;
    this.#cutReceiving();
    this.connection.reset('superseded');
  }

  /** The peer is lost to us, but what it sent is not. */
  #cutReceiving(): void {
    const receiving = this.#receiving;
    this.#receiving = undefined;
    if (receiving !== undefined) this.context.afterwards(this.#putDown(receiving));
  }

  /** Keeps what arrived for a RESUME; a text was typed, and its typist will not come back with an id. */
  async #putDown({ upload, intake, form, transfer }: Receiving): Promise<void> {
    try {
      await intake.flush();
      await (form === 'text' ? upload.abort() : upload.suspend());
      this.context.transfers.end(transfer, form === 'text' ? 'cut' : 'suspended', intake.receivedBytes);
    } catch (error) {
      const { code } = this.faultOf(error);
      this.context.transfers.end(transfer, 'failed', intake.receivedBytes, code);
    }
  }

  /** `num LF`: so many bytes and another LF come next; 0 is the end. */
  #chunkSizeLine(line: Buffer): void {
    const length = parseNumber(chomp(line).toString('latin1'));
    if (length === undefined) {
      this.#lost(new FileError('BADARG', 'a chunk begins with its length, a number without sign or leading zero'));
    } else if (length > 0) {
      this.#readLine = this.#chunkEndLine;
      if (this.#receiving === undefined) this.#decoder.discard(length);
      else
        this.#decoder.payload(
          length,
          this.#sink(this.#receiving, () => {}),
        );
    } else if (this.#receiving === undefined) {
      this.#readLine = this.#commandLine;
    } else {
      this.#work(this.#store(this.#receiving));
    }
  }

  #chunkEndLine(line: Buffer): void {
    this.#readLine = this.#chunkSizeLine;
    if (chomp(line).length > 0)
      this.#lost(new FileError('BADARG', 'a chunk is longer than it said: LF comes after it'));
  }

  /** A line of a text, ended by LF whatever the terminal sends; one that begins with a dot has another before it. */
  #textLine(line: Buffer): void {
    const text = chomp(line);
    if (text.length === 1 && text[0] === DOT) {
      if (this.#receiving === undefined) this.#readLine = this.#commandLine;
      else this.#work(this.#store(this.#receiving));
    } else if (this.#receiving !== undefined) {
      const { intake } = this.#receiving;
      const stored = Buffer.concat([text[0] === DOT ? text.subarray(1) : text, LF]);
      if (!intake.write(stored)) this.#decoder.pause();
    }
  }
}

/** Of a word that is no command, in the log: it may be a token that was typed in the wrong place. */
const SHOWN_CHARACTERS = 8;

/** What a command is about, as it is written in commands. */
function pathOf({ args }: Command): string | undefined {
  if ('path' in args) return args.path.text;
  return 'from' in args ? args.from.text : undefined;
}

const DOT = 0x2e;
const CR = 0x0d;
const LF = Buffer.from('\n');

function chomp(line: Buffer): Buffer {
  return line.at(-1) === CR ? line.subarray(0, -1) : line;
}

/** What follows a command that was understood and is refused. After RESUME nothing does, before SEND. */
function followingOf(command: Command): Following {
  if (command.verb === 'PUT') return command.args.length;
  return command.verb === 'TEXT' ? 'text' : 0;
}
