/** What every client command begins with: where the server is, who asks, and how a request is tried again. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Endpoint } from '@small-servers/shared/config/endpoint';
import { AppError } from '@small-servers/shared/errors';
import { backoffMs } from './backoff.ts';
import { Connection, type KnownServer } from './connection.ts';
import { readToken } from './environment.ts';
import { interrupted, mayPass, Unreachable } from './failures.ts';

export interface SessionConfig {
  readonly timeoutMs: number;
  readonly tokenFile: string;
}

/**
 * How to reach the server. The first failure to is final: a wrong address is likelier than a pause of the server.
 *
 * @throws AppError USAGE_INVALID for a token that can't be had
 */
export function connector(
  endpoint: Endpoint,
  { timeoutMs, tokenFile }: SessionConfig,
  signal: AbortSignal,
): () => Promise<Connection> {
  const token = readToken(tokenFile);
  const server: KnownServer = { hasAnswered: false, unanswered: 0 };
  let wasReached = false;
  return async () => {
    if (signal.aborted) throw interrupted();
    try {
      const connection = await Connection.open({ endpoint, timeoutMs, token, signal, server });
      wasReached = true;
      signal.addEventListener('abort', () => connection.destroy(interrupted()), { once: true });
      return connection;
    } catch (error) {
      if (signal.aborted) throw interrupted();
      throw wasReached || !(error instanceof AppError) ? error : new Unreachable(error);
    }
  };
}

export interface KeptConnection {
  (): Promise<Connection>;
  close(): void;
}

/** One connection for many questions, dialled anew only when it is gone. */
export function keepOpen(connect: () => Promise<Connection>): KeptConnection {
  let connection: Connection | undefined;
  const ask = async (): Promise<Connection> => {
    if (connection?.isOpen !== true) connection = await connect();
    return connection;
  };
  return Object.assign(ask, { close: () => connection?.close() });
}

/** Dials, but for the first time: then it hands over the connection that `keepOpen` has, if that is still good. */
export function handOver(kept: KeptConnection, connect: () => Promise<Connection>): () => Promise<Connection> {
  let isHandedOver = false;
  return () => {
    const dial = isHandedOver ? connect : kept;
    isHandedOver = true;
    return dial();
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

/** Runs `work`, then closes the connection that `keepOpen` has, if there is one. */
export async function closing<T>(connect: KeptConnection, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    connect.close();
  }
}

export interface Patience {
  /** Further attempts. */
  readonly retries: number;
  readonly signal: AbortSignal;
}

/** For what may be done twice without harm: does it again after a cut, or when the server is busy. */
export async function again<T>({ retries, signal }: Patience, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt > retries || !mayPass(error) || signal.aborted) throw error;
      await delay(backoffMs(attempt), undefined, { signal }).catch(() => {});
    }
  }
}
