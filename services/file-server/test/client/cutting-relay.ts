/** Passes bytes between a client and a server, and cuts connections where the test wants them cut. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Cut {
  /** Cut when so many bytes went to the client. */
  readonly down?: number;
  /** Cut when so many bytes went to the server. */
  readonly up?: number;
  /** By a reset and not by an end. */
  readonly reset?: boolean;
}

export interface CuttingRelay {
  readonly port: number;
  /** How many connections were cut. */
  cuts: number;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The first connection gets the first cut, and so on; those after the last are passed whole. */
export async function startRelay(targetPort: number, cuts: readonly Cut[]): Promise<CuttingRelay> {
  const sockets = new Set<Socket>();
  const waiting = [...cuts];
  const listener = createServer((client) => {
    const server = connect({ port: targetPort, host: '127.0.0.1' });
    const { down = Number.POSITIVE_INFINITY, up = Number.POSITIVE_INFINITY, reset = false } = waiting.shift() ?? {};
    const cut = (): void => {
      relay.cuts += 1;
      // A reset throws away what the client has not read yet, an end does not.
      if (reset) client.resetAndDestroy();
      else client.destroySoon();
      server.destroy();
    };
    for (const [from, to, limit] of [
      [client, server, up],
      [server, client, down],
    ] as const) {
      let passed = 0;
      sockets.add(from);
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        to.destroySoon();
      });
      from.on('data', (bytes: Buffer) => {
        const room = limit - passed;
        passed += bytes.length;
        if (bytes.length < room) {
          if (!to.write(bytes)) {
            from.pause();
            to.once('drain', () => from.resume());
          }
        } else if (passed - bytes.length < limit || limit === 0) {
          to.write(bytes.subarray(0, room), cut);
        }
      });
    }
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const relay: CuttingRelay = {
    port: (listener.address() as AddressInfo).port,
    cuts: 0,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
  return relay;
}
