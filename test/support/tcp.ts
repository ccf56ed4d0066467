/** TCP clients as tests need them: they count, wait for bytes, and fail loudly when the far end ends early. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';

/** A connected socket whose sides end on their own, as in nc. The error of a reset is kept, not thrown. */
export class Client {
  readonly socket: Socket;
  /** Ours; the socket itself forgets it when it closes. */
  readonly localPort: number | undefined;
  readonly received: Buffer[] = [];
  receivedBytes = 0;
  /** The peer's FIN has come. */
  ended = false;
  closed = false;
  error: NodeJS.ErrnoException | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    this.localPort = socket.localPort;
    const wake = (): void => {
      for (const look of this.#waiting) look();
    };
    socket.on('data', (bytes: Buffer) => {
      this.received.push(bytes);
      this.receivedBytes += bytes.length;
      wake();
    });
    socket.on('end', () => {
      this.ended = true;
      wake();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error;
    });
    socket.on('close', () => {
      this.closed = true;
      wake();
    });
  }

  get bytes(): Buffer {
    return Buffer.concat(this.received);
  }

  async #until(met: () => boolean, what: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (met()) resolve();
      else if (this.closed) reject(new Error(`closed (${this.error?.code ?? 'no error'}) before ${what}`));
    };
    this.#waiting.add(look);
    look();
    try {
      await promise;
    } finally {
      this.#waiting.delete(look);
    }
  }

  /** Resolves when so many bytes in all have arrived. */
  async receive(total: number): Promise<Buffer> {
    const got = (): string => `${total} bytes came, only ${this.receivedBytes} did`;
    await this.#until(() => this.receivedBytes >= total, got());
    return this.bytes;
  }

  /** Resolves to everything that came when the peer's FIN has arrived. */
  async end(): Promise<Buffer> {
    await this.#until(() => this.ended, 'its FIN came');
    return this.bytes;
  }

  /** Resolves when the connection is gone, in whatever way. */
  async gone(): Promise<void> {
    await this.#until(() => this.closed, 'it was closed');
  }

  /** Sends, and waits until the echo of it is back. */
  async roundTrip(bytes: Uint8Array | string): Promise<Buffer> {
    const before = this.receivedBytes;
    const length = Buffer.byteLength(bytes);
    this.socket.write(bytes);
    await this.receive(before + length);
    return this.bytes.subarray(before, before + length);
  }

  /** RST in place of FIN. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    if (!this.closed) await this.gone();
  }
}

export interface ClientOptions {
  readonly host?: string;
  readonly localAddress?: string;
}

/** Connects; small writes leave at once, and the test decides when our side ends. */
export async function connectClient(
  port: number,
  { host = '127.0.0.1', ...rest }: ClientOptions = {},
): Promise<Client> {
  const socket = connect({ port, host, allowHalfOpen: true, noDelay: true, ...rest });
  await once(socket, 'connect');
  return new Client(socket);
}

const POLL_INTERVAL_MS = 5;
const POLL_DEADLINE_MS = 20_000;

/** For states of the kernel that no event tells of: looks again and again, up to a deadline. */
export async function until(met: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + POLL_DEADLINE_MS;
  while (!(await met())) {
    if (performance.now() > deadline) throw new Error(`${what}: not so within ${POLL_DEADLINE_MS} ms`);
    await setTimeout(POLL_INTERVAL_MS);
  }
}
