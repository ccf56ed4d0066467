/** A UDP socket that talks with one endpoint: what others send does not reach it, and refusals do. */
import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { connectionError } from '@small-servers/shared/client/connect';
import type { Endpoint } from '@small-servers/shared/config/endpoint';

/** Room for the replies of a burst; the system may grant less. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 ** 2;

/** @throws AppError NAME_NOT_FOUND, HOST_UNREACHABLE, CONNECTION_LOST */
export async function openProbeSocket(endpoint: Endpoint): Promise<Socket> {
  try {
    const { address, family } = await lookup(endpoint.host);
    const type = family === 4 ? 'udp4' : 'udp6';
    const socket = createSocket({ type, recvBufferSize: RECEIVE_BUFFER_BYTES });
    socket.connect(endpoint.port, address);
    await once(socket, 'connect');
    return socket;
  } catch (error) {
    throw connectionError(endpoint, error);
  }
}
