/** The echo server: what arrives goes back. Everything else is the listener's. */
import type { ServiceContext } from '@small-servers/shared/daemon/run';
import type { Service } from '@small-servers/shared/daemon/service';
import { listenTcp } from '@small-servers/shared/server/tcp';
import type { TcpConnection, TcpHandler } from '@small-servers/shared/server/tcp-connection';
import { greetingLine, payloadPreview } from './protocol.ts';
import type { EchoConfig, settings } from './settings.ts';

/** Listens and echoes until the signal is aborted. */
export async function createServer(context: ServiceContext<typeof settings>): Promise<Service<EchoConfig>> {
  const { log, signal, inheritedFd } = context;
  let { config } = context;

  const echo = (connection: TcpConnection): TcpHandler => {
    const greeting = greetingLine(config.greeting);
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
  const listener = await listenTcp({ config, log, signal, inheritedFd, serve: echo });
  return {
    listeners: listener.listeners,
    closed: listener.closed,
    handOver: () => listener.handOver(),
    metrics: () => listener.metrics(),
    reconfigure: (next) => {
      config = next;
      listener.reconfigure(next);
    },
  };
}
