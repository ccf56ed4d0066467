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
 *   idle connection gets a small one again (`shrink`).
 */
import { Socket } from 'node:net';

export type ReadingMode = 'onread' | 'data';

/** Called for each read. The bytes are the reader's: they may be written to the socket, not kept. */
export type OnBytes = (bytes: Uint8Array) => void;

export interface Reading {
  /** The socket to write to, end and listen on. */
  readonly socket: Socket;
  /** Gives a large buffer back; to be called when nothing moved for a while. */
  shrink(): void;
}

export const SMALLEST_BUFFER_BYTES = 1024;
export const LARGEST_BUFFER_BYTES = 64 * 1024;

/** Each time a read fills the buffer it grows by this factor: 1, 8, 64 KiB. */
const GROWTH_FACTOR = 8;

/** The part of a TCP handle that has no public name. */
interface TcpHandle {
  useUserBuffer(buffer: Uint8Array): void;
}

interface SocketWithHandle {
  _handle: TcpHandle | null;
}

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
  const pauseUntilFlushed = flushGate(socket);
  socket.on('data', (bytes: Buffer) => {
    onBytes(bytes);
    if (socket.writableLength > 0) pauseUntilFlushed();
  });
  socket.resume();
  return { socket, shrink: () => {} };
}

function readIntoOwnBuffer(accepted: Socket, handle: TcpHandle, onBytes: OnBytes): Reading {
  let buffer = Buffer.allocUnsafeSlow(SMALLEST_BUFFER_BYTES);
  let filled = false;

  const socket: Socket = new Socket({
    handle,
    allowHalfOpen: true,
    onread: {
      // The second argument is the buffer as the stream knows it, which `shrink` replaces behind its back.
      callback: (bytesRead: number): boolean => {
        filled = bytesRead === buffer.length;
        onBytes(filled ? buffer : buffer.subarray(0, bytesRead));
        if (socket.writableLength === 0) return true;
        pauseUntilFlushed();
        return false;
      },
      // Asked once by the constructor, then after each callback, for the buffer of the next read.
      buffer: (): Buffer => {
        if (filled && buffer.length < LARGEST_BUFFER_BYTES) {
          buffer = Buffer.allocUnsafeSlow(buffer.length * GROWTH_FACTOR);
        }
        return buffer;
      },
    },
  } as object);
  const pauseUntilFlushed = flushGate(socket);
  (accepted as unknown as SocketWithHandle)._handle = null;

  return {
    socket,
    shrink: () => {
      if (buffer.length === SMALLEST_BUFFER_BYTES || socket.destroyed || socket.writableLength > 0) return;
      buffer = Buffer.allocUnsafeSlow(SMALLEST_BUFFER_BYTES);
      filled = false;
      handle.useUserBuffer(buffer);
    },
  };
}

const NOTHING = Buffer.alloc(0);

/**
 * Backpressure: what the peer does not take, we do not read. The function that it gives pauses the
 * socket until everything written is flushed.
 */
function flushGate(socket: Socket): () => void {
  let paused = false;
  const resume = (): void => {
    if (!paused) return;
    paused = false;
    socket.resume();
  };
  socket.on('drain', resume);
  // After `end` there is no 'drain'.
  socket.on('finish', resume);
  return () => {
    paused = true;
    socket.pause();
    // Nor is there one below the high-water mark: an empty write comes back when all before it are done.
    if (!socket.writableNeedDrain && !socket.writableEnded) socket.write(NOTHING, resume);
  };
}
