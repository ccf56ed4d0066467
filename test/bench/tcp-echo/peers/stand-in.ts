/** Stands in for our service's fast path until it is there. Usage: node stand-in.ts PORT */
import { createServer, Socket, type SocketConstructorOpts } from 'node:net';

const INITIAL_BYTES = 2 * 1024;
const MOST_BYTES = 64 * 1024;

type AdoptingOptions = SocketConstructorOpts & { handle: unknown };

createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (accepted) => {
  const owner = accepted as Socket & { _handle: unknown };
  const handle = owner._handle;
  owner._handle = null;
  let buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  let lastRead = 0;
  let socket: Socket | undefined;
  const adopted: Socket = new Socket({
    handle,
    allowHalfOpen: true,
    onread: {
      buffer: () => {
        if (socket === undefined) return buffer;
        const grows = lastRead === buffer.length && buffer.length < MOST_BYTES;
        if (grows || socket.writableLength > 0) {
          buffer = Buffer.allocUnsafeSlow(grows ? Math.min(MOST_BYTES, buffer.length * 4) : buffer.length);
        }
        return buffer;
      },
      callback: (length, bytes) => {
        lastRead = length;
        return adopted.write(length === bytes.length ? bytes : (bytes as Buffer).subarray(0, length));
      },
    },
  } as AdoptingOptions);
  socket = adopted; // The buffer function runs once inside the constructor, before there is a socket.
  adopted.on('drain', () => adopted.resume());
  adopted.on('end', () => adopted.end());
  adopted.on('error', () => adopted.destroy());
  adopted.resume();
}).listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
