/**
 * A path with faults: a UDP relay that echoes by itself and, on the way back, drops, copies, damages and holds
 * datagrams back, chosen by a seeded generator. It keeps the account that a probe's figures are held against.
 */
import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';

/** Chances from 0 to 1; each datagram meets at most one of the faults. */
export interface Faults {
  readonly drop: number;
  readonly copy: number;
  readonly damage: number;
  /** Held back until `holdBy` later ones have passed. */
  readonly hold: number;
  readonly holdBy: number;
}

export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** Sequences in the order they were sent back whole; -1 for a damaged one. */
  readonly sentBack: readonly number[];
  readonly counts: {
    readonly dropped: number;
    readonly copied: number;
    readonly damaged: number;
    readonly held: number;
  };
}

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

/** Where the probe keeps its sequence; numbers in these tests fit into its lower half. */
const SEQUENCE_OFFSET = 16;

export async function openRelay(seed: number, faults: Faults): Promise<Relay> {
  const random = generator(seed);
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 ** 2 });
  const sentBack: number[] = [];
  const counts = { dropped: 0, copied: 0, damaged: 0, held: 0 };
  const held: { readonly bytes: Buffer; passes: number }[] = [];

  const sendBack = (bytes: Buffer, { port, address }: RemoteInfo, whole: boolean): void => {
    sentBack.push(whole ? bytes.readUInt32BE(SEQUENCE_OFFSET) : -1);
    socket.send(bytes, port, address);
  };
  const damaged = (bytes: Buffer): Buffer => {
    const copy = Buffer.from(bytes);
    const at = Math.floor(random() * copy.length);
    copy[at] = (copy[at] ?? 0) ^ (1 << Math.floor(random() * 8));
    return copy;
  };
  const pass = (bytes: Buffer, peer: RemoteInfo): void => {
    const chance = random();
    const { drop, copy, damage, hold, holdBy } = faults;
    if (chance < drop) {
      counts.dropped += 1;
    } else if (chance < drop + copy) {
      counts.copied += 1;
      sendBack(bytes, peer, true);
      sendBack(bytes, peer, true);
    } else if (chance < drop + copy + damage) {
      counts.damaged += 1;
      sendBack(damaged(bytes), peer, false);
    } else if (chance < drop + copy + damage + hold) {
      counts.held += 1;
      held.push({ bytes, passes: holdBy });
      return;
    } else {
      sendBack(bytes, peer, true);
    }
    for (const waiting of held) waiting.passes -= 1;
    while ((held[0]?.passes ?? 1) <= 0) sendBack(held.shift()?.bytes ?? Buffer.alloc(0), peer, true);
  };
  socket.on('message', (bytes, peer) => pass(bytes, peer));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    port: socket.address().port,
    sentBack,
    counts,
    [Symbol.asyncDispose]: async () => {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}
