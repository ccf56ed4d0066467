/**
 * How bytes come out of an accepted socket. Two ways with one contract, chosen by `--io`:
 *
 * `data`    'data' events of the stream. Each read is a new buffer and a trip through the stream.
 * `onread`  The kernel's bytes land in a buffer of ours, which is used again and again: no allocation
 *           and no stream for each read. This is what makes an echo as fast as C allows.
 *
 * What `onread` rests on, and why the code looks as it does:
 * - net.Server can't be given `onread` for the sockets it accepts. So the accepted socket, paused since
 *   its birth (`pauseOnConnect`), gives its handle to a second net.Socket that has the option; the
 *   first is left without a handle and collected. `_handle` has no public name, but it has been this
 *   way in every release since 0.x; a runtime without it takes the `data` path.
 * - A write that the kernel took at once is done with its bytes when it returns. One that it did not
 *   still refers to them, and reading into the same buffer would send later bytes in place of the
 *   earlier ones. So nothing is read while a write waits, which is also the least that a peer who never
 *   reads can cost: one buffer. Reading on in fresh buffers would let it collect 64 KiB of memory for
 *   each byte that it sends.
 * - Most connections never send much, so the buffer starts small and grows while reads fill it; an
 *   idle connection gets a small one again (`shrink`), and all large ones together have a budget.
 */
import { Socket } from 'node:net';
import { BufferBudget } from './buffer-budget.ts';

export type ReadingMode = 'onread' | 'data';

/** Called for each read. The bytes are the reader's: they may be written to the socket, not kept. */
export type OnBytes = (bytes: Uint8Array) => void;

export interface Reading {
  /** The socket to write to, end and listen on. */
  readonly socket: Socket;
  /** Gives a large buffer back; to be called when nothing moved for a while. */
  shrink(): void;
  /** `hold`: reads nothing more until `release`, whatever is sent meanwhile. */
  readonly gate: Pick<ReadGate, 'hold' | 'release'>;
}

/**
 * Sizes of the buffer, one after the other while reads fill it. The first keeps ten thousand idle
 * connections cheap; the last takes a message of 128 KiB in one read, where 64 KiB cost 1.4 times the
 * processor time (docs/performance.md).
 */
export const BUFFER_SIZES_BYTES = [1024, 16 * 1024, 256 * 1024] as const;
const [SMALLEST_BYTES] = BUFFER_SIZES_BYTES;

/** What waits for a peer is at most one buffer: twice the high-water mark. */
const HIGH_WATER_MARK_BYTES = BUFFER_SIZES_BYTES[2] / 2;

/** 256 connections that move much at a time; the rest read in 16 KiB. */
export const largeBuffers = new BufferBudget(256 * BUFFER_SIZES_BYTES[2]);

/**
 * How often one connection gets its small buffer back. Each time leaves a listener of some 60 bytes with
 * the native stream until it closes, which a peer must not be able to pile up.
 */
const MAX_SHRINKS = 16;

/** The part of a TCP handle that has no public name. */
interface TcpHandle {
  useUserBuffer(buffer: Uint8Array): void;
}

interface SocketWithHandle {
  _handle: TcpHandle | null;
}

/** Where net.Socket keeps the buffer of `onread`; a large one would live on there. */
const bufferSymbol = Object.getOwnPropertySymbols(new Socket()).find(({ description }) => description === 'kBuffer');

/**
 * Starts reading from a paused socket as it came from the server. The socket to go on with is in the
 * result, and `onBytes` is called for the first time after this returns.
 */
export function startReading(accepted: Socket, mode: ReadingMode, onBytes: OnBytes): Reading {
  const { _handle: handle } = accepted as unknown as SocketWithHandle;
  return mode === 'onread' && handle !== null && typeof handle?.useUserBuffer === 'function'
    ? readIntoOwnBuffer(accepted, handle, onBytes)
    : readByEvents(accepted, onBytes);
}

function readByEvents(socket: Socket, onBytes: OnBytes): Reading {
  const gate = new ReadGate(socket);
  socket.on('data', (bytes: Buffer) => {
    onBytes(bytes);
    if (socket.writableLength > 0) gate.pauseUntilFlushed();
  });
  socket.resume();
  return { socket, gate, shrink: () => {} };
}

function readIntoOwnBuffer(accepted: Socket, handle: TcpHandle, onBytes: OnBytes): Reading {
  let step = 0;
  let buffer = Buffer.allocUnsafeSlow(SMALLEST_BYTES);
  // Messages are often of one length: the view of the last one then serves for the next.
  let view = buffer;
  let filled = false;
  let shrinks = 0;

  let watched = false;

  const returnRoom = (): void => {
    if (step > 0) largeBuffers.giveBack(buffer.length);
    step = 0;
  };
  /** The next larger buffer, if there is one and room for it. */
  const grow = (): void => {
    const larger = step + 1;
    const bytes = BUFFER_SIZES_BYTES[larger];
    if (bytes === undefined || !largeBuffers.take(bytes)) return;
    returnRoom();
    step = larger;
    buffer = Buffer.allocUnsafeSlow(bytes);
    // Only those that grow pay for a listener.
    if (!watched) socket.once('close', returnRoom);
    watched = true;
  };

  const socket: Socket = new Socket({
    handle,
    allowHalfOpen: true,
    writableHighWaterMark: HIGH_WATER_MARK_BYTES,
    onread: {
      // The second argument is the buffer as the stream knows it, which `shrink` replaces behind its back.
      callback: (bytesRead: number): boolean => {
        filled = bytesRead === buffer.length;
        if (bytesRead !== view.length || view.buffer !== buffer.buffer) view = buffer.subarray(0, bytesRead);
        onBytes(view);
        if (socket.writableLength === 0) return true;
        gate.pauseUntilFlushed();
        return false;
      },
      // Asked once by the constructor, then after each callback, for the buffer of the next read.
      buffer: (): Buffer => {
        if (filled) grow();
        return buffer;
      },
    },
  } as object);
  const gate = new ReadGate(socket);
  (accepted as unknown as SocketWithHandle)._handle = null;

  return {
    socket,
    gate,
    shrink: () => {
      const possible = bufferSymbol !== undefined && shrinks < MAX_SHRINKS;
      if (step === 0 || !possible || socket.destroyed || socket.writableLength > 0) return;
      returnRoom();
      shrinks += 1;
      filled = false;
      buffer = Buffer.allocUnsafeSlow(SMALLEST_BYTES);
      view = buffer;
      handle.useUserBuffer(buffer);
      (socket as unknown as Record<symbol, unknown>)[bufferSymbol] = buffer;
    },
  };
}

const NOTHING = Buffer.alloc(0);

/**
 * Two reasons not to read, each ended on its own: what was written is not flushed yet, and the service wants no more.
 * A class, and without listeners until it closes for the first time: ten thousand idle connections would pay for them.
 */
class ReadGate {
  readonly #socket: Socket;
  #flushing = false;
  #held = false;
  #whenFlushed: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Backpressure: what the peer does not take, we do not read. */
  pauseUntilFlushed(): void {
    const socket = this.#socket;
    this.#flushing = true;
    this.#whenFlushed ??= this.#listen();
    socket.pause();
    // There is no 'drain' below the high-water mark: an empty write comes back when all before it are done.
    if (!socket.writableNeedDrain && !socket.writableEnded) socket.write(NOTHING, this.#whenFlushed);
  }

  #listen(): () => void {
    const whenFlushed = (): void => {
      if (!this.#flushing) return;
      this.#flushing = false;
      if (!this.#held) this.#socket.resume();
    };
    this.#socket.on('drain', whenFlushed);
    // After `end` there is no 'drain'.
    this.#socket.on('finish', whenFlushed);
    return whenFlushed;
  }

  hold(): void {
    this.#held = true;
    this.#socket.pause();
  }

  release(): void {
    if (!this.#held) return;
    this.#held = false;
    if (!this.#flushing) this.#socket.resume();
  }
}
