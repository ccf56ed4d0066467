/** A time server on a free port of 127.0.0.1 that answers as a test wants it to: well, badly, or not at all. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { encodeHeader, type Header, modes, type Packet, parsePacket } from '../../services/sntp-client/src/packet.ts';
import { fromUnixNs } from '../../services/sntp-client/src/timestamp.ts';

const NS = 1_000_000_000n;

/** The wall clock, nanoseconds since 1970. */
export const wallNs = (): bigint => Temporal.Now.instant().epochNanoseconds;

export interface RequestSeen {
  readonly bytes: Buffer;
  readonly packet: Packet;
  readonly from: RemoteInfo;
  /** How many requests came before it. */
  readonly index: number;
  /** Sends from the port that was asked. */
  reply(bytes: Uint8Array): void;
  /** Sends from another port of the same host. */
  replyFromElsewhere(bytes: Uint8Array): void;
}

export class FakeNtpServer {
  readonly #socket: Socket;
  readonly #other: Socket;
  readonly seen: Buffer[] = [];

  private constructor(socket: Socket, other: Socket) {
    this.#socket = socket;
    this.#other = other;
  }

  static async start(behave: (request: RequestSeen) => void, host = '127.0.0.1'): Promise<FakeNtpServer> {
    const [socket, other] = await Promise.all([bound(host), bound(host)]);
    const server = new FakeNtpServer(socket, other);
    socket.on('message', (bytes, from) => {
      const parsed = parsePacket(bytes);
      if (!parsed.ok) throw new Error(`the client sent a packet that is ${parsed.problem}`);
      server.seen.push(bytes);
      behave({
        bytes,
        packet: parsed.packet,
        from,
        index: server.seen.length - 1,
        reply: (answer) => socket.send(answer, from.port, from.address),
        replyFromElsewhere: (answer) => other.send(answer, from.port, from.address),
      });
    });
    return server;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  close(): void {
    this.#socket.close();
    this.#other.close();
  }
}

async function bound(host: string): Promise<Socket> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  socket.bind(0, host);
  await once(socket, 'listening');
  return socket;
}

/** The header of a good answer whose clock is `aheadSeconds` ahead of ours, with some fields changed. */
export function goodHeader(request: Packet, changes: Partial<Header> = {}, aheadSeconds = 0): Header {
  const now = fromUnixNs(wallNs() + BigInt(Math.round(aheadSeconds * 1e9)));
  return {
    leap: 0,
    version: 4,
    mode: modes.server,
    stratum: 1,
    poll: 6,
    precision: -20,
    rootDelaySeconds: 0,
    rootDispersionSeconds: 0.001,
    referenceId: 0x47505300,
    reference: BigInt.asUintN(64, now - (16n << 32n)),
    origin: request.transmit,
    receive: now,
    transmit: now,
    ...changes,
  };
}

export function goodReply(request: Packet, changes: Partial<Header> = {}, aheadSeconds = 0): Buffer {
  return encodeHeader(goodHeader(request, changes, aheadSeconds));
}

/** Seconds as a difference of time stamps. */
export const stampUnits = (seconds: number): bigint => BigInt(Math.round(seconds * 2 ** 32));

/** A moment as nanoseconds since 1970. */
export const unixNs = (iso: string): bigint => (BigInt(Date.parse(iso)) / 1000n) * NS;
