/** What the tests of UDP share: a log that is kept, sources made from text, sockets that talk. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createLog, type Log } from '../../src/daemon/log.ts';
import type { LogLevel } from '../../src/daemon/log-levels.ts';
import { SourceAddress, SourceReader } from '../../src/server/source-address.ts';

export interface LogRecord {
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

/** A real log whose records are kept in place of being written. */
export function keptLog(level: LogLevel = 'trace'): { readonly log: Log; readonly records: LogRecord[] } {
  const records: LogRecord[] = [];
  const stream = { write: (line: string) => void records.push(JSON.parse(line) as LogRecord) };
  return { log: createLog({ service: 'test', level, stream }), records };
}

const reader = new SourceReader();

/** A source as the hot path sees it. */
export function source(address: string, port = 40_000): SourceAddress {
  const made = new SourceAddress();
  reader.read(address, port, made);
  return made;
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** A bound socket that keeps what it gets. */
export interface Client extends AsyncDisposable {
  readonly socket: Socket;
  readonly port: number;
  readonly received: { readonly bytes: Buffer; readonly from: string }[];
  send(bytes: Uint8Array, port: number, host?: string): void;
  /** Resolves when so many datagrams are here. */
  arrived(count: number): Promise<void>;
}

export async function openClient(host = '127.0.0.1', port = 0): Promise<Client> {
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 4 * 1024 ** 2 });
  const received: Client['received'] = [];
  const waiting = new Set<() => void>();
  socket.on('message', (bytes, peer) => {
    received.push({ bytes, from: `${peer.address} ${peer.port}` });
    for (const look of waiting) look();
  });
  socket.on('error', () => {});
  socket.bind(port, host);
  await once(socket, 'listening');
  return {
    socket,
    port: socket.address().port,
    received,
    send: (bytes, to, at = host) => socket.send(bytes, to, at),
    arrived: (count) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = (): void => {
        if (received.length < count) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
      return promise;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}
