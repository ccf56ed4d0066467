/**
 * A path with faults: a TCP relay that hands bytes on in both directions and, for each connection as its plan says,
 * cuts it after so many bytes, goes silent after so many bytes, or hands on tiny pieces only.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** As the one who connected sees it: `up` is what it sends, `down` what it gets. */
export type Direction = 'up' | 'down';

export type Fault =
  | { readonly kind: 'none' }
  /**
   * Ends the connection when exactly so many bytes were handed on in this direction. `fin`: both ends see an orderly
   * end after the bytes before it. `reset`: both see a reset, which may overtake bytes.
   */
  | { readonly kind: 'cut'; readonly direction: Direction; readonly afterBytes: number; readonly by: 'fin' | 'reset' }
  /** Hands on so many bytes in this direction, and then nothing more in it; the other one goes on. */
  | { readonly kind: 'stall'; readonly direction: Direction; readonly afterBytes: number }
  /** At most so many bytes in each turn of the event loop, in this direction. */
  | { readonly kind: 'slow'; readonly direction: Direction; readonly pieceBytes: number };

export interface FaultRelay extends AsyncDisposable {
  readonly port: number;
  /** The faults of the connections so far, in their order. */
  readonly met: readonly Fault[];
  /** So many pieces were handed on, in both directions and all connections. */
  readonly pieces: number;
  /** Resolves when so many connections have fallen silent by their plan. */
  stalled(count: number): Promise<void>;
}

export interface FaultRelayOptions {
  /** Where to, on the loopback. */
  readonly port: number;
  /** What happens to a connection, counted from 0. */
  readonly plan: (connection: number) => Fault;
}

export interface PlanOptions {
  /** So many connections meet a fault; those after them pass. */
  readonly faults: number;
  /** The way that content goes: three faults of four are in it. */
  readonly direction: Direction;
  /** A fault of that direction comes within so many bytes. One of the other hits a command or a reply. */
  readonly withinBytes: number;
}

/** Shorter than any command and nearly any reply, so that it does come. */
const WITHIN_LINE_BYTES = 10;

const opposite = { up: 'down', down: 'up' } as const;

/** mulberry32: small, and the same everywhere. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The same faults for the same seed, drawn when it is made; every kind of fault comes up in turn. */
export function seededPlan(
  seed: number,
  { faults, direction: main, withinBytes }: PlanOptions,
): FaultRelayOptions['plan'] {
  const random = generator(seed);
  const drawn = Array.from({ length: faults }, (_, index): Fault => {
    const isMain = random() < 0.75;
    const direction = isMain ? main : opposite[main];
    const afterBytes = Math.floor(random() * (isMain ? withinBytes : WITHIN_LINE_BYTES));
    const pieceBytes = 512 + Math.floor(random() * 4096);
    const kinds: readonly Fault[] = [
      { kind: 'cut', direction, afterBytes, by: 'reset' },
      { kind: 'stall', direction, afterBytes },
      { kind: 'cut', direction, afterBytes, by: 'fin' },
      { kind: 'slow', direction, pieceBytes },
    ];
    return kinds[index % kinds.length] ?? { kind: 'none' };
  });
  return (connection) => drawn[connection] ?? { kind: 'none' };
}

interface PathEvents {
  stalled(): void;
  handedOn(): void;
}

/** The two ends of one connection, and what they do to it. */
class Path {
  readonly #fault: Fault;
  readonly #events: PathEvents;
  readonly near: Socket;
  readonly far: Socket;
  #cutOff = false;

  constructor(near: Socket, far: Socket, fault: Fault, events: PathEvents) {
    this.near = near;
    this.far = far;
    this.#fault = fault;
    this.#events = events;
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      // A reset at one end is one at the other, in place of the FIN that destroy would send.
      socket.on('error', () => other.resetAndDestroy());
      socket.on('close', () => other.destroy());
    }
    void this.#pump('up', near, far);
    void this.#pump('down', far, near);
  }

  async #pump(direction: Direction, from: Socket, to: Socket): Promise<void> {
    const fault = this.#fault.kind !== 'none' && this.#fault.direction === direction ? this.#fault : undefined;
    let left = fault !== undefined && 'afterBytes' in fault ? fault.afterBytes : Number.POSITIVE_INFINITY;
    try {
      for await (const bytes of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        // What comes after an orderly end is thrown away: unread, it would turn the end into a reset.
        if (this.#cutOff) continue;
        const passed = bytes.subarray(0, Math.min(left, bytes.length));
        if (fault?.kind === 'slow') await this.#handOnSlowly(to, passed, fault.pieceBytes);
        else await this.#handOn(to, passed);
        left -= passed.length;
        if (left > 0) continue;
        if (fault?.kind === 'cut') {
          this.#cut(fault.by);
        } else {
          this.#events.stalled();
          await this.#untilOneLeaves();
        }
      }
      to.end();
    } catch {
      // An end that broke: the listeners above tell the other one.
    }
  }

  /** Resolves when there is room for more. */
  async #handOn(to: Socket, bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return;
    this.#events.handedOn();
    if (!to.write(bytes)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
  }

  async #handOnSlowly(to: Socket, bytes: Buffer, pieceBytes: number): Promise<void> {
    for (let at = 0; at < bytes.length && !to.destroyed; at += pieceBytes) {
      await this.#handOn(to, bytes.subarray(at, at + pieceBytes));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** The other end leaves with it. */
  async #untilOneLeaves(): Promise<void> {
    if (!this.near.destroyed) await once(this.near, 'close');
  }

  #cut(by: 'fin' | 'reset'): void {
    this.#cutOff = true;
    for (const socket of [this.near, this.far]) {
      if (by === 'reset') socket.resetAndDestroy();
      else socket.end();
    }
  }
}

export async function openFaultRelay({ port, plan }: FaultRelayOptions): Promise<FaultRelay> {
  const met: Fault[] = [];
  const paths = new Set<Path>();
  let [silent, pieces] = [0, 0];
  const waiting = new Set<() => void>();
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (near) => {
    const fault = plan(met.length);
    met.push(fault);
    const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const path = new Path(near, far, fault, {
      stalled: () => {
        silent += 1;
        for (const look of waiting) look();
      },
      handedOn: () => {
        pieces += 1;
      },
    });
    paths.add(path);
    near.once('close', () => paths.delete(path));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return {
    port: address.port,
    met,
    get pieces() {
      return pieces;
    },
    stalled: async (count) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = (): void => {
        if (silent >= count) resolve();
      };
      waiting.add(look);
      look();
      await promise;
      waiting.delete(look);
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const { near } of paths) near.destroy();
      await closed;
    },
  };
}
