/** A file server that says what the test wants: lines in, bytes out. Nothing in it knows the protocol. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { crc32 } from 'node:zlib';
import { formatCrc32 } from '../../src/client/range.ts';

export interface ScriptedServer {
  readonly port: number;
  /** The lines of all connections, in the order they came. */
  readonly lines: string[];
  connections: number;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Called for each line; what it returns is sent. The socket is there for what is no reply. */
export type Script = (line: string, socket: Socket, server: ScriptedServer) => string | Uint8Array | undefined;

/** @param greeting sent on each connection before anything was asked */
export async function startScripted(script: Script, greeting = ''): Promise<ScriptedServer> {
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    server.connections += 1;
    sockets.add(socket);
    let held = '';
    socket.on('error', () => {});
    if (greeting !== '') socket.write(greeting);
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (bytes: Buffer) => {
      held += bytes.toString('latin1');
      for (let end = held.indexOf('\n'); end !== -1; end = held.indexOf('\n')) {
        const line = held.slice(0, end).replace(/\r$/, '');
        held = held.slice(end + 1);
        server.lines.push(line);
        const answer = script(line, socket, server);
        if (answer !== undefined && !socket.destroyed) socket.write(answer);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const server: ScriptedServer = {
    port: (listener.address() as AddressInfo).port,
    lines: [],
    connections: 0,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
  return server;
}

/** Says the same again and again, as long as somebody takes it. */
export function withoutEnd(socket: Socket, text: string): void {
  const part = Buffer.from(text.repeat(Math.ceil(65_536 / text.length)), 'latin1');
  const more = (): void => {
    while (!socket.destroyed && socket.write(part));
    if (!socket.destroyed) socket.once('drain', more);
  };
  more();
}

export const TIME = '2026-01-02T03:04:05.678Z';

/** The fields of an entry that is fine. */
export function entryFields(sizeBytes: number, type = 'file', etag = 'e1'): string {
  return `type=${type} size=${sizeBytes} mtime=${TIME} etag=${etag}`;
}

export const item = (path: string, sizeBytes: number, type = 'file', etag = 'e1'): string =>
  `ITEM path=${path} ${entryFields(sizeBytes, type, etag)}\r\n`;

/** A whole answer to GET. */
export function content(bytes: Uint8Array, { crc = formatCrc32(crc32(bytes)), etag = 'e1' } = {}): Buffer {
  return Buffer.concat([
    Buffer.from(`DATA ${bytes.length} etag=${etag}\r\n`),
    bytes,
    Buffer.from(`\r\nOK crc32=${crc}\r\n`),
  ]);
}
