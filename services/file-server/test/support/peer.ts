/** A client as plain as can be: it sends what it is told, and cuts what comes into replies. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** One line, or a DATA line with its bytes and the empty line behind them. */
export interface Reply {
  readonly line: string;
  readonly content?: Buffer;
}

/** Where a reply is missing, a test should say so before it is ended itself. */
const PATIENCE_MS = 10_000;

export class Peer {
  readonly socket: Socket;
  readonly replies: Reply[] = [];
  #pending: Buffer = Buffer.alloc(0);
  /** Came after `#pending`, and is not worth joining before there is so much in all. */
  #later: Buffer[] = [];
  #laterBytes = 0;
  #wantedBytes = 0;
  #closed = false;
  #ended = false;
  error: NodeJS.ErrnoException | undefined;
  readonly #waiting = new Set<() => void>();

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.#later.push(bytes);
      this.#laterBytes += bytes.length;
      if (this.#pending.length + this.#laterBytes < this.#wantedBytes) return;
      this.#pending = Buffer.concat([this.#pending, ...this.#later]);
      this.#later = [];
      this.#laterBytes = 0;
      this.#wantedBytes = 0;
      while (this.#cut());
      this.#wake();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error;
    });
    socket.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  static async connect(port: number): Promise<Peer> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    await once(socket, 'connect');
    return new Peer(socket);
  }

  #wake(): void {
    for (const look of this.#waiting) look();
  }

  #cut(): boolean {
    const end = this.#pending.indexOf('\r\n');
    if (end < 0) return false;
    const line = this.#pending.toString('latin1', 0, end);
    const length = /^DATA (\d+)/.exec(line)?.[1];
    const from = end + 2;
    if (length === undefined) {
      this.replies.push({ line });
      this.#pending = this.#pending.subarray(from);
      return true;
    }
    const to = from + Number(length);
    if (this.#pending.length < to + 2) {
      this.#wantedBytes = to + 2;
      return false;
    }
    if (this.#pending.toString('latin1', to, to + 2) !== '\r\n') throw new Error('no line end after the content');
    this.replies.push({ line, content: Buffer.from(this.#pending.subarray(from, to)) });
    this.#pending = this.#pending.subarray(to + 2);
    return true;
  }

  /** Takes the next `count` replies away, as soon as they are there. */
  async take(count: number): Promise<readonly Reply[]> {
    await this.#until(() => this.replies.length >= count, `${count} replies`);
    return this.replies.splice(0, count);
  }

  /** One command and its one reply. */
  async ask(line: string): Promise<Reply> {
    this.socket.write(`${line}\r\n`);
    const [reply] = await this.take(1);
    if (reply === undefined) throw new Error('no reply');
    return reply;
  }

  /**
   * Takes what comes first, and then nothing before `socket.resume()`. To pause the socket and wait for 'readable' would
   * not do: with the last listener of that event gone, the socket flows again by itself.
   */
  async firstBytes(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.socket.once('data', () => {
        this.socket.pause();
        resolve();
      });
    });
  }

  /** Resolves when the server has ended its side. */
  ended(): Promise<void> {
    return this.#until(() => this.#ended || this.#closed, 'the end');
  }

  gone(): Promise<void> {
    return this.#until(() => this.#closed, 'the close');
  }

  async #until(met: () => boolean, what: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (met()) resolve();
      else if (this.#closed) {
        reject(new Error(`closed (${this.error?.code ?? 'no error'}) before ${what}: ${JSON.stringify(this.replies)}`));
      }
    };
    this.#waiting.add(look);
    look();
    const patience = setTimeout(() => {
      reject(new Error(`${PATIENCE_MS} ms passed without ${what}: ${JSON.stringify(this.replies)}`));
    }, PATIENCE_MS);
    try {
      await promise;
    } finally {
      clearTimeout(patience);
      this.#waiting.delete(look);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    if (!this.#closed) await this.gone();
  }
}
