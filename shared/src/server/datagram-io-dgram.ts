/**
 * Datagrams read and sent one by one by node:dgram: works wherever Node does. Two things it can't do: read or send
 * more than one with a system call, and tell which of the machine's addresses a datagram was sent to. On a wildcard
 * address the system chooses the address that an answer comes from.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { systemCode } from '../errors.ts';
import { formatAddress } from '../inet/address.ts';
import { judgeBufferSize, socketFamily } from '../native/socket-options.ts';
import { DROPPED } from './datagram-gate.ts';
import type { BoundDatagramSocket, DatagramIo, DatagramSocketOptions, Exchange } from './datagram-io.ts';
import { SourceAddress, SourceReader } from './source-address.ts';

/** Answers that may wait for the system to take them; libuv would keep any number in memory. */
const MAX_WAITING_ANSWERS = 1_024;

/**
 * Binds a socket of node:dgram.
 *
 * @throws Error with the system's `code` when it can not be bound
 */
export async function openDgramSocket(options: DatagramSocketOptions): Promise<BoundDatagramSocket> {
  const { address, port, reusePort } = options;
  return bindDgram(options, address.family, reusePort, (socket) =>
    socket.bind({ address: formatAddress(address), port, exclusive: true }),
  );
}

/**
 * Takes over a socket that is bound already.
 *
 * @throws Error when the descriptor is no UDP socket
 */
export async function adoptDgramSocket(
  fd: number,
  buffers: Pick<DatagramSocketOptions, 'recvBufferBytes' | 'sendBufferBytes'>,
): Promise<BoundDatagramSocket> {
  return bindDgram(buffers, socketFamily(fd), false, (socket) => socket.bind({ fd, exclusive: true }));
}

async function bindDgram(
  { recvBufferBytes, sendBufferBytes }: Pick<DatagramSocketOptions, 'recvBufferBytes' | 'sendBufferBytes'>,
  family: 4 | 6,
  reusePort: boolean,
  bind: (socket: Socket) => void,
): Promise<BoundDatagramSocket> {
  const socket = createSocket({
    type: family === 4 ? 'udp4' : 'udp6',
    reusePort,
    ...(recvBufferBytes > 0 ? { recvBufferSize: recvBufferBytes } : {}),
    ...(sendBufferBytes > 0 ? { sendBufferSize: sendBufferBytes } : {}),
    // Addresses are numbers already; without this every answer would wait a turn for a look-up of its address.
    lookup: (host, _options, callback) => callback(null, host, family),
  });
  const listening = once(socket, 'listening');
  bind(socket);
  await listening;
  const bound = socket.address();
  // Nothing is lost in between: messages come from a later turn of the event loop, and `start` follows in this one.
  return {
    address: bound.address,
    port: bound.port,
    receiveBuffer: judgeBufferSize(recvBufferBytes || undefined, socket.getRecvBufferSize(), 'net.core.rmem_max'),
    sendBuffer: judgeBufferSize(sendBufferBytes || undefined, socket.getSendBufferSize(), 'net.core.wmem_max'),
    start: (exchange) => new DgramIo(socket, exchange),
    close: () => closeSocket(socket),
  };
}

async function closeSocket(socket: Socket): Promise<void> {
  const closed = once(socket, 'close');
  socket.close();
  await closed;
}

class DgramIo implements DatagramIo {
  readonly #socket: Socket;
  readonly #exchange: Exchange;
  readonly #reader = new SourceReader();
  readonly #source = new SourceAddress();
  #waiting = 0;
  #received = 0;

  constructor(socket: Socket, exchange: Exchange) {
    this.#socket = socket;
    this.#exchange = exchange;
    socket.on('message', (memory, peer) => this.#onMessage(memory, peer));
    socket.on('error', (error) => exchange.onReceiveError(systemCode(error) ?? error.message));
  }

  #onMessage(memory: Buffer, peer: RemoteInfo): void {
    this.#received += 1;
    const { gate, answer, clock } = this.#exchange;
    const source = this.#source;
    const { length } = memory;
    gate.tick(clock());
    this.#reader.read(peer.address, peer.port, source);
    const row = gate.admit(source, memory, 0, length);
    if (row === DROPPED) return;
    const answered = answer(memory, 0, length);
    if (answered < 0) return;
    const bytes = Math.min(answered, length);
    gate.answered(row, memory, 0, bytes);
    this.#send(memory, bytes, peer);
  }

  #send(memory: Buffer, bytes: number, peer: RemoteInfo): void {
    if (this.#waiting >= MAX_WAITING_ANSWERS) {
      this.#fail(peer, bytes);
      return;
    }
    this.#waiting += 1;
    const answer = bytes === memory.length ? memory : memory.subarray(0, bytes);
    this.#socket.send(answer, peer.port, peer.address, (error) => {
      this.#waiting -= 1;
      if (error !== null) this.#fail(peer, bytes);
    });
  }

  #fail({ address, port }: RemoteInfo, bytes: number): void {
    this.#reader.read(address, port, this.#source);
    this.#exchange.gate.failed(this.#source, bytes);
  }

  async drain(): Promise<void> {
    // Each turn of the event loop reads some of what waits; the first one that reads nothing found nothing.
    for (let turns = 0, before = -1; turns < DRAIN_TURNS && before !== this.#received; turns++) {
      before = this.#received;
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  close(): Promise<void> {
    return closeSocket(this.#socket);
  }
}

/** Turns of the event loop that a stop may take to empty the receive buffer; one reads up to 32 datagrams. */
const DRAIN_TURNS = 2_048;
