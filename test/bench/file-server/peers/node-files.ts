/**
 * What Node can do: GET of our protocol and nothing else. No checks, no digests, no limits, paths as they come.
 * Large files go through three 1 MiB buffers that are read ahead of the socket; small ones are read in one piece.
 *
 *   node node-files.ts PORT ROOT
 */
import { closeSync, fstatSync, openSync, read, readSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { promisify } from 'node:util';

const BUFFERS = 3;
const BUFFER_BYTES = 1024 ** 2;
/** Files up to here are read at once, in the loop: shorter than a trip to the thread pool. */
const SMALL_BYTES = 64 * 1024;

const readAsync = promisify(read);
const [port, root] = [Number(process.argv[2]), process.argv[3] ?? '.'];

async function sendLarge(socket: Socket, fd: number, size: number): Promise<void> {
  const free: (Promise<void> | undefined)[] = [];
  const buffers = Array.from({ length: Math.min(BUFFERS, Math.ceil(size / BUFFER_BYTES)) }, () =>
    Buffer.allocUnsafeSlow(BUFFER_BYTES),
  );
  for (let offset = 0, turn = 0; offset < size && !socket.destroyed; turn = (turn + 1) % buffers.length) {
    await free[turn];
    const buffer = buffers[turn] ?? Buffer.alloc(0);
    const { bytesRead } = await readAsync(fd, buffer, 0, Math.min(buffer.length, size - offset), offset);
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.write(buffer.subarray(0, bytesRead), () => resolve()); // Errors end the socket, and the loop with it.
    free[turn] = promise;
    offset += bytesRead;
  }
  await Promise.all(free);
}

async function answer(socket: Socket, line: string): Promise<void> {
  const fd = openSync(`${root}/${line.slice('GET '.length)}`, 'r');
  try {
    const { size } = fstatSync(fd);
    const head = `DATA ${size}\r\n`;
    const end = '\r\nOK\r\n';
    if (size <= SMALL_BYTES) {
      const reply = Buffer.allocUnsafe(head.length + size + end.length);
      reply.write(head, 0, 'latin1');
      readSync(fd, reply, head.length, size, 0);
      reply.write(end, head.length + size, 'latin1');
      socket.write(reply);
    } else {
      socket.write(head, 'latin1');
      await sendLarge(socket, fd, size);
      socket.write(end, 'latin1');
    }
  } finally {
    closeSync(fd);
  }
}

createServer({ noDelay: true }, (socket) => {
  let held = '';
  let busy = false;
  const next = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    for (let end = held.indexOf('\r\n'); end !== -1; end = held.indexOf('\r\n')) {
      const line = held.slice(0, end);
      held = held.slice(end + 2);
      await answer(socket, line);
    }
    busy = false;
  };
  socket.setEncoding('latin1');
  socket.on('error', () => socket.destroy());
  socket.on('data', (text: string) => {
    held += text;
    next().catch(() => socket.destroy());
  });
}).listen(port, '127.0.0.1');
