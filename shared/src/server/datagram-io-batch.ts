/** Datagrams read and sent by the batch, on Linux (native/datagram-batch.ts). */
import { BATCH_SLOTS, DatagramBatch } from '../native/datagram-batch.ts';
import { layout } from '../native/datagram-layout.ts';
import { loadLibc, type NativeGap } from '../native/linux.ts';
import { openReadiness, type Readiness } from '../native/readiness.ts';
import { bindUdp } from '../native/udp-socket.ts';
import { DROPPED } from './datagram-gate.ts';
import type { BoundDatagramSocket, DatagramIo, DatagramSocketOptions, Exchange } from './datagram-io.ts';
import { SourceAddress } from './source-address.ts';

/**
 * Batches between two looks at the event loop: 256 datagrams, about a millisecond. Under a flood without end
 * everything else (signals, the admin socket, timers) still gets its turn; an HTTP request takes several of them.
 */
const BATCHES_A_TURN = 4;

/**
 * Who asks, waits for the answer and asks again has the next datagram here some 20 us later; going to sleep and being
 * woken takes about as long. So while batches come this close together the socket is looked at again and again for
 * up to about 50 us before it is given back to the event loop. Sparser traffic never makes the server busy.
 */
const DENSE_GAP_MS = 0.06;
const LOOKS_WHEN_DENSE = 100;

/** Batches answered when the server stops: more than any receive buffer holds small datagrams. */
const BATCHES_OF_A_DRAIN = 1_024;

type Opened =
  | { readonly available: true; readonly socket: BoundDatagramSocket }
  | { readonly available: false; readonly gap: NativeGap };

/**
 * Binds a socket for batches.
 *
 * @throws Error with the system's `code` when it can not be bound
 */
export function openBatchSocket(options: DatagramSocketOptions): Opened {
  const loaded = loadLibc();
  if (!loaded.available) return loaded;
  const readiness = openReadiness(process);
  if (!readiness.available) return readiness;
  const { libc } = loaded;
  const { address, port, reusePort, recvBufferBytes, sendBufferBytes } = options;
  const socket = bindUdp(libc, {
    address,
    port,
    reusePort,
    buffers: { receiveBufferBytes: recvBufferBytes || undefined, sendBufferBytes: sendBufferBytes || undefined },
  });
  const { fd, family, wildcard, buffers } = socket;
  if (!buffers.available) {
    socket.close();
    throw new Error(buffers.message);
  }
  const start = (exchange: Exchange): DatagramIo => {
    const batch = new DatagramBatch({ libc, fd, family, repliesFromDestination: wildcard });
    return new BatchIo({
      batch,
      fd,
      family,
      exchange,
      open: (onReady) => readiness.open(fd, onReady),
      close: socket.close,
    });
  };
  return {
    available: true,
    socket: {
      address: socket.address,
      port: socket.port,
      receiveBuffer: buffers.receive,
      sendBuffer: buffers.send,
      start,
      close: async () => socket.close(),
    },
  };
}

interface BatchIoOptions {
  readonly batch: DatagramBatch;
  readonly fd: number;
  readonly family: 4 | 6;
  readonly exchange: Exchange;
  readonly open: (onReady: () => void) => Readiness;
  readonly close: () => void;
}

/** Exported for tests, which put another system under it. */
export class BatchIo implements DatagramIo {
  readonly fd: number;
  readonly #batch: DatagramBatch;
  readonly #family: 4 | 6;
  readonly #exchange: Exchange;
  readonly #readiness: Readiness;
  readonly #close: () => void;
  readonly #source = new SourceAddress();
  /** Length of the answer in each slot. */
  readonly #answerBytes = new Uint32Array(BATCH_SLOTS);
  readonly #portOffset: number;
  readonly #addressOffset: number;
  /** The last two batches came close together. */
  #isDense = false;
  #lastBatchMs = Number.NEGATIVE_INFINITY;
  /** The system has no room for answers: nothing is read until it has, and waiting datagrams are its to keep. */
  #blocked = false;

  constructor({ batch, fd, family, exchange, open, close }: BatchIoOptions) {
    this.fd = fd;
    this.#batch = batch;
    this.#family = family;
    this.#exchange = exchange;
    this.#close = close;
    const name = family === 4 ? layout.sockaddrIn : layout.sockaddrIn6;
    this.#portOffset = name.port;
    this.#addressOffset = name.address;
    this.#readiness = open(() => this.#onReady());
  }

  #onReady(): void {
    if (this.#blocked) {
      this.#blocked = false;
      this.#sendAnswers();
      if (this.#blocked) return;
      this.#readiness.watch('readable');
    }
    this.#exchangeBatches(BATCHES_A_TURN);
  }

  /** Reads and answers until nothing is left, the system has no room for answers, or so many batches were done. */
  #exchangeBatches(limit: number): void {
    let looks = 0;
    for (let batches = 0; batches < limit && !this.#blocked; ) {
      const received = this.#batch.receive();
      if (received === 'EAGAIN' && looks > 0) {
        looks -= 1;
      } else if (typeof received === 'string') {
        if (received !== 'EAGAIN' && received !== 'EINTR') this.#exchange.onReceiveError(received);
        return;
      } else {
        batches += 1;
        this.#answerBatch(received);
        this.#sendAnswers();
        // Fewer than there was room for: the queue is empty, and asking again would be a call for nothing, ...
        if (received < 8 && !this.#isDense) return;
        // ... unless the next one is likely to come before a sleep and a waking would be over.
        looks = this.#isDense ? LOOKS_WHEN_DENSE : Number(process.env.LOOKS ?? 1);
      }
    }
  }

  #answerBatch(received: number): void {
    const batch = this.#batch;
    const source = this.#source;
    const { memory } = batch;
    const { gate, answer, clock } = this.#exchange;
    const nowMs = clock();
    gate.tick(nowMs);
    this.#isDense = nowMs - this.#lastBatchMs < DENSE_GAP_MS;
    this.#lastBatchMs = nowMs;
    for (let slot = 0; slot < received; slot++) {
      const offset = batch.payloadOffset(slot);
      const length = batch.length(slot);
      this.#readSource(slot);
      const row = gate.admit(source, memory, offset, length);
      if (row === DROPPED) continue;
      const answered = answer(memory, offset, length);
      if (answered < 0) continue;
      const bytes = Math.min(answered, length);
      gate.answered(row, memory, offset, bytes);
      this.#answerBytes[slot] = bytes;
      batch.reply(slot, bytes);
    }
  }

  #readSource(slot: number): void {
    const { view } = this.#batch;
    const name = this.#batch.nameOffset(slot);
    this.#source.read(view, name + this.#addressOffset, this.#family, view.getUint16(name + this.#portOffset));
  }

  #sendAnswers(): void {
    const batch = this.#batch;
    while (batch.unsent > 0) {
      const sent = batch.send();
      if (typeof sent === 'number' || sent === 'EINTR') continue;
      if (sent === 'EAGAIN') {
        this.#blocked = true;
        this.#readiness.watch('writable');
        return;
      }
      // The first of those unsent is the one that failed; the others may go elsewhere.
      this.#giveUpNext();
    }
  }

  #giveUpNext(): void {
    const slot = this.#batch.unsentSlot();
    this.#readSource(slot);
    this.#exchange.gate.failed(this.#source, this.#answerBytes[slot] ?? 0);
    this.#batch.skip();
  }

  async drain(): Promise<void> {
    this.#exchangeBatches(BATCHES_OF_A_DRAIN);
    while (this.#batch.unsent > 0) this.#giveUpNext();
  }

  async close(): Promise<void> {
    await this.#readiness.close();
    this.#close();
  }
}
