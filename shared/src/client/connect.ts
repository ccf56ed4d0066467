/** A TCP connection with a deadline, and errors that say what to try next. */
import { once } from 'node:events';
import { connect, type Socket, type SocketConstructorOpts } from 'node:net';
import { type Endpoint, formatHostPort } from '../config/endpoint.ts';
import { AppError, type ErrorCode, systemCode } from '../errors.ts';

const connectErrors: Readonly<Record<string, { readonly code: ErrorCode; readonly message: string }>> = {
  ECONNREFUSED: { code: 'CONNECTION_REFUSED', message: 'connection refused: nothing listens there; is the server up?' },
  ENOTFOUND: { code: 'NAME_NOT_FOUND', message: 'the name has no address; check its spelling' },
  EAI_AGAIN: { code: 'NAME_NOT_FOUND', message: 'the name could not be looked up now; is there a network?' },
  EHOSTUNREACH: { code: 'HOST_UNREACHABLE', message: 'the host can not be reached from here' },
  ENETUNREACH: { code: 'HOST_UNREACHABLE', message: 'the network can not be reached from here' },
  ETIMEDOUT: { code: 'CONNECTION_TIMED_OUT', message: 'no answer; a firewall may drop what is sent there' },
  ECONNRESET: { code: 'CONNECTION_LOST', message: 'the far end reset the connection' },
};

/** What a socket's error means to the person who asked for `endpoint`. */
export function connectionError(endpoint: Endpoint, cause: unknown): AppError {
  const known = connectErrors[systemCode(cause) ?? ''];
  const { message } = cause instanceof Error ? cause : new Error(String(cause));
  const text = `${formatHostPort(endpoint)}: ${known?.message ?? message}`;
  return new AppError(known?.code ?? 'CONNECTION_LOST', text, { cause });
}

/**
 * Connects, without Nagle's delay. `options` are those of the socket itself, such as `onread`.
 *
 * @param timeoutMs 0 leaves it to the system, which tries for some two minutes
 *
 * @throws AppError CONNECTION_REFUSED, CONNECTION_TIMED_OUT, HOST_UNREACHABLE, NAME_NOT_FOUND, CONNECTION_LOST
 */
export async function connectTcp(
  endpoint: Endpoint,
  timeoutMs: number,
  signal?: AbortSignal,
  options: SocketConstructorOpts = {},
): Promise<Socket> {
  const socket = connect({ ...options, ...endpoint, noDelay: true });
  const deadline = timeoutMs === 0 ? undefined : AbortSignal.timeout(Math.ceil(timeoutMs));
  const signals = [deadline, signal].filter((one) => one !== undefined);
  try {
    await once(socket, 'connect', { signal: AbortSignal.any(signals) });
    return socket;
  } catch (error) {
    socket.destroy();
    if (deadline?.aborted) {
      const message = `${formatHostPort(endpoint)}: no answer in ${timeoutMs} ms; a firewall may drop what is sent there`;
      throw new AppError('CONNECTION_TIMED_OUT', message, { cause: error });
    }
    throw connectionError(endpoint, error);
  }
}
