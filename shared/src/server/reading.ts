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
 *   still refers to them: the buffer is then the write's, and reading goes on in a fresh one. Reusing
 *   it would send bytes that arrived later in place of the earlier ones.
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
  socket.on('data', (bytes: Buffer) => {
    onBytes(bytes);
    if (socket.writableNeedDrain) pauseUntilDrained(socket);
  });
  socket.resume();
  return { socket, shrink: () => {} };
}

function readIntoOwnBuffer(accepted: Socket, handle: TcpHandle, onBytes: OnBytes): Reading {
  let buffer = Buffer.allocUnsafeSlow(SMALLEST_BUFFER_BYTES);
  let filled = false;
  let pending = false;

  const socket: Socket = new Socket({
    handle,
    allowHalfOpen: true,
    onread: {
      callback: (bytesRead: number, bytes: Uint8Array): boolean => {
        filled = bytesRead === bytes.length;
        onBytes(filled ? bytes : bytes.subarray(0, bytesRead));
        pending = socket.writableLength > 0;
        if (!socket.writableNeedDrain) return true;
        pauseUntilDrained(socket);
        return false;
      },
      // Asked once by the constructor, then after each callback, for the buffer of the next read.
      buffer: (): Buffer => {
        const grow = filled && buffer.length < LARGEST_BUFFER_BYTES;
        if (grow || pending) {
          buffer = Buffer.allocUnsafeSlow(grow ? buffer.length * GROWTH_FACTOR : buffer.length);
        }
        return buffer;
      },
    },
  } as object);
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

/** Backpressure: what the peer does not take, we do not read. */
function pauseUntilDrained(socket: Socket): void {
  socket.pause();
  socket.once('drain', () => socket.resume());
}
