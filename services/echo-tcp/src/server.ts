/** The echo server: what arrives goes back. Everything else is the listener's. */
import type { ServiceContext } from '@small-servers/shared/daemon/run';
import { listenTcp, type TcpListener } from '@small-servers/shared/server/tcp';
import type { TcpConnection, TcpHandler } from '@small-servers/shared/server/tcp-connection';
import { greetingLine, payloadPreview } from './protocol.ts';
import type { settings } from './settings.ts';

/** Listens and echoes until the signal is aborted. */
export function createServer({ config, log, signal }: ServiceContext<typeof settings>): Promise<TcpListener> {
  const greeting = greetingLine(config.greeting);

  const echo = (connection: TcpConnection): TcpHandler => {
    if (greeting !== undefined) connection.write(greeting);
    if (!config.logPayload) return { onBytes: (bytes) => connection.write(bytes) };
    const { id: conn, peer } = connection;
    return {
      onBytes: (bytes) => {
        const preview = payloadPreview(bytes);
        log.info({ event: 'payload', conn, peer, bytes: bytes.length, preview }, `${peer} sent ${preview}`);
        connection.write(bytes);
      },
    };
  };
  return listenTcp({ config, log, signal, serve: echo });
}
