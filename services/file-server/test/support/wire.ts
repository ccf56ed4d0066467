/** A session without sockets: bytes go in by a call, what it answers is collected, and time stands still. */
import { createLog } from '@small-servers/shared/daemon/log';
import type { CloseReason } from '@small-servers/shared/server/reasons';
import type { TcpConnection } from '@small-servers/shared/server/tcp-connection';
import { BlockPool } from '../../src/block-pool.ts';
import { Departures } from '../../src/departures.ts';
import { DigestCache } from '../../src/digest-cache.ts';
import { Session, type SessionLimits } from '../../src/session.ts';
import type { FileStore } from '../../src/store/store.ts';
import { Transfers } from '../../src/transfers.ts';
import { Turn } from '../../src/turn.ts';

export const noLimits: SessionLimits = {
  writable: true,
  auth: 'writes',
  tokens: [],
  maxFilesPerConnection: 0,
  maxFileSizeBytes: 0,
  firstCommandTimeoutMs: 60_000,
  authTimeoutMs: 60_000,
  stallTimeoutMs: 60_000,
};

type Fields = Readonly<Record<string, unknown>>;

/** What several connections have in common. */
interface Shared {
  readonly departures?: Departures;
  readonly digests?: DigestCache;
}

/** The peer of a session, and the connection between them. */
export class Wire implements TcpConnection {
  readonly id = 'w';
  readonly peer = '192.0.2.1:4000';
  readonly session: Session;
  readonly transfers: Transfers;
  readonly records: Fields[] = [];
  readonly blocks = new BlockPool(8);
  readonly #output: Buffer[] = [];
  #limits: SessionLimits;
  readonly #afterwards: Promise<void>[] = [];
  /** While the peer takes nothing: what waits, and whom to tell. */
  #untaken: { bytes: number; done: (() => void) | undefined }[] | undefined;
  #waitingInput: Buffer[] = [];
  #bytesIn = 0;
  #bytesOut = 0;
  nowMs = 1_000;
  held = false;
  /** Our side's end was sent. */
  ended = false;
  wasReset = false;
  reason: CloseReason | undefined;

  constructor(store: FileStore, limits: Partial<SessionLimits> = {}, shared: Shared = {}) {
    const log = createLog({
      service: 'file-server',
      level: 'info',
      stream: { write: (line) => void this.records.push(JSON.parse(line) as Fields) },
    });
    this.#limits = { ...noLimits, ...limits };
    const self = this;
    const clock = (): number => this.nowMs;
    this.transfers = new Transfers(log, clock);
    this.session = new Session(
      {
        store,
        get limits() {
          return self.#limits;
        },
        log,
        transfers: this.transfers,
        digests: shared.digests ?? new DigestCache(100),
        blocks: this.blocks,
        turn: new Turn(clock),
        departures: shared.departures ?? new Departures(),
        clock,
        onClosed: () => {},
        afterwards: (work) => void this.#afterwards.push(work),
      },
      this,
    );
  }

  // ---- what the session sees ----

  get bytes(): { readonly in: number; readonly out: number } {
    return { in: this.#bytesIn, out: this.#bytesOut };
  }

  get unsentBytes(): number {
    return this.#untaken?.reduce((sum, { bytes }) => sum + bytes, 0) ?? 0;
  }

  write(bytes: Uint8Array | string, done?: () => void): void {
    const copy = Buffer.from(bytes as Uint8Array);
    if (!this.ended && this.reason === undefined) this.#output.push(copy);
    if (this.#untaken !== undefined && this.reason === undefined) {
      this.#untaken.push({ bytes: copy.length, done });
      return;
    }
    this.#bytesOut += copy.length;
    if (done !== undefined) queueMicrotask(done);
  }

  hold(): void {
    this.held = true;
  }

  release(): void {
    this.held = false;
    queueMicrotask(() => this.#deliver());
  }

  end(): void {
    this.ended = true;
  }

  close(reason: CloseReason): void {
    this.#gone(reason);
  }

  reset(reason: CloseReason): void {
    this.wasReset = true;
    this.#gone(reason);
  }

  #gone(reason: CloseReason): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    queueMicrotask(() => {
      this.takeEverything();
      this.session.onClose();
    });
  }

  changeLimits(limits: Partial<SessionLimits>): void {
    this.#limits = { ...this.#limits, ...limits };
  }

  // ---- what the peer does ----

  /** Bytes as one read. */
  send(bytes: Uint8Array | string): void {
    this.#waitingInput.push(Buffer.from(bytes as Uint8Array));
    this.#deliver();
  }

  #deliver(): void {
    while (!this.held && this.reason === undefined) {
      const next = this.#waitingInput.shift();
      if (next === undefined) return;
      this.#bytesIn += next.length;
      // The memory of a read is used again: whoever keeps a view of it keeps something else.
      const lent = Buffer.from(next);
      this.session.onBytes(lent);
      lent.fill(0x21);
    }
  }

  /** Ends the peer's side. */
  finish(): void {
    if (this.reason === undefined) this.session.onEnd();
  }

  /** The connection is lost. */
  lose(): void {
    this.#gone('reset');
  }

  /** From now on what is written waits. */
  takeNothing(): void {
    this.#untaken = [];
  }

  takeEverything(): void {
    const waiting = this.#untaken ?? [];
    this.#untaken = undefined;
    for (const { bytes, done } of waiting) {
      this.#bytesOut += bytes;
      done?.();
    }
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.session.checkTime(this.nowMs);
  }

  /** Lets everything happen that waits for nothing but its turn. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    await Promise.all(this.#afterwards);
  }

  get output(): string {
    return Buffer.concat(this.#output).toString('latin1');
  }

  get rawOutput(): Buffer {
    return Buffer.concat(this.#output);
  }

  /** Lines of the output without what is new in each run. */
  get lines(): readonly string[] {
    return settled(this.output).split('\r\n').slice(0, -1);
  }
}

/** Ids, etags and times as `*`. */
export function settled(output: string): string {
  return output.replaceAll(/\b(id|etag)=[A-Za-z0-9]+/g, '$1=*').replaceAll(/\bmtime=\S+/g, 'mtime=*');
}

/** Everything a session answers to one input, sent as these reads. */
export async function answersTo(wire: Wire, ...reads: readonly (Uint8Array | string)[]): Promise<string> {
  for (const read of reads) {
    wire.send(read);
    await wire.settle();
  }
  return settled(wire.output);
}
