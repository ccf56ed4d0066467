/** The echo server: what arrives goes back. Everything else is the listener's. */
import type { ServiceContext } from '@small-servers/shared/daemon/run';
import { listenUdp, type UdpListener } from '@small-servers/shared/server/udp';
import { echo } from './protocol.ts';
import type { settings } from './settings.ts';

/** Listens and echoes until the signal is aborted. */
export function createServer({
  config,
  log,
  signal,
  inheritedFd,
}: ServiceContext<typeof settings>): Promise<UdpListener> {
  return listenUdp({ config, log, signal, inheritedFd, answer: echo });
}
