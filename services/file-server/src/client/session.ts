/** What every client command begins with: where the server is, who asks, and how a request is tried again. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Endpoint } from '@small-servers/shared/config/endpoint';
import { backoffMs } from './backoff.ts';
import { Connection } from './connection.ts';
import { readToken } from './environment.ts';
import { interrupted, mayPass } from './failures.ts';

export interface SessionConfig {
  readonly timeoutMs: number;
  readonly tokenFile: string;
}

/** @throws AppError USAGE_INVALID for a token that can't be had */
export function connector(
  endpoint: Endpoint,
  { timeoutMs, tokenFile }: SessionConfig,
  signal: AbortSignal,
): () => Promise<Connection> {
  const token = readToken(tokenFile);
  return async () => {
    if (signal.aborted) throw interrupted();
    const connection = await Connection.open({ endpoint, timeoutMs, token, signal });
    signal.addEventListener('abort', () => connection.destroy(interrupted()), { once: true });
    return connection;
  };
}

/** Runs `work` on one connection, and closes it. */
export async function withConnection<T>(
  connect: () => Promise<Connection>,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await connect();
  try {
    return await work(connection);
  } finally {
    connection.close();
  }
}

/** The same for what changes nothing on the server, so that it may be asked again on a new connection. */
export async function askAgain<T>(
  connect: () => Promise<Connection>,
  { retries, signal }: { readonly retries: number; readonly signal: AbortSignal },
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  let hasConnected = false;
  for (let attempt = 1; ; attempt++) {
    try {
      return await withConnection(connect, (connection) => {
        hasConnected = true;
        return work(connection);
      });
    } catch (error) {
      if (!hasConnected || attempt > retries || !mayPass(error) || signal.aborted) throw error;
      await delay(backoffMs(attempt), undefined, { signal }).catch(() => {});
    }
  }
}

/** One connection for many questions, dialled anew only when it is gone. */
export function keepOpen(connect: () => Promise<Connection>): () => Promise<Connection> {
  let connection: Connection | undefined;
  return async () => {
    if (connection?.isOpen !== true) connection = await connect();
    return connection;
  };
}
