/** Why a listener could not be opened, in one line for the person who can mend it. */

import { AppError, systemCode } from '../errors.ts';
import { portHolder, type Transport } from '../system/listeners.ts';
import { formatEndpoint } from './peer.ts';

interface Wanted {
  readonly transport: Transport;
  /** As it was asked for: an address or a host name. */
  readonly address: string;
  readonly port: number;
}

/** How the person who reads the error chooses another port or address: in words that go behind "with". */
export interface Remedies {
  readonly port: string;
  readonly host: string;
}

const flags: Remedies = { port: '--port', host: '--host' };

/** The error to throw when a socket from the supervisor is not of the kind that the service needs. */
export function inheritedError(transport: Transport, fd: number, cause: unknown): AppError {
  const { message } = cause instanceof Error ? cause : new Error(String(cause));
  const wanted = { tcp: 'ListenStream=', udp: 'ListenDatagram=' }[transport];
  return new AppError(
    'LISTEN_FAILED',
    `descriptor ${fd} from the supervisor can't be used (${message}); the service needs a ${transport} socket: ${wanted}`,
    { cause },
  );
}

/** The error to throw in place of what listen(2) or bind(2) said. */
export async function listenError(wanted: Wanted, cause: unknown, remedies: Remedies = flags): Promise<AppError> {
  const { transport, address, port } = wanted;
  const endpoint = `${formatEndpoint(address, port)}/${transport}`;
  const options = { cause };
  switch (systemCode(cause)) {
    case 'EADDRINUSE': {
      // The system says which address of a host name it tried.
      const { address: tried = address } = cause as { address?: string };
      const holder = await portHolder({ transport, address: tried, port });
      const who = holder === undefined ? 'another process' : `${holder.command} (pid ${holder.pid})`;
      return new AppError(
        'ADDRESS_IN_USE',
        `${endpoint} is in use by ${who}; stop it or choose another port with ${remedies.port}`,
        options,
      );
    }
    case 'EACCES':
    case 'EPERM': {
      const message = `${endpoint}: permission denied; ports below 1024 are for root, choose another with ${remedies.port}`;
      return new AppError('PERMISSION_DENIED', message, options);
    }
    case 'EADDRNOTAVAIL': {
      const message = `${address} is no address of this machine; see the addresses with "ip addr" and choose one with ${remedies.host}`;
      return new AppError('ADDRESS_NOT_AVAILABLE', message, options);
    }
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new AppError(
        'NAME_NOT_FOUND',
        `${address} has no address; check the name given with ${remedies.host}`,
        options,
      );
    default: {
      const { message } = cause instanceof Error ? cause : new Error(String(cause));
      return new AppError('LISTEN_FAILED', `${endpoint}: ${message}`, options);
    }
  }
}
