/** Asking a daemon over its admin socket. */
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Listener } from './service.ts';

/** Body of `/readyz`. */
export interface Readiness {
  readonly service: string;
  readonly pid: number;
  readonly state: 'ready' | 'draining';
  /** Run by pm2, or another parent that listens for its word. */
  readonly supervised?: boolean;
  readonly uptimeSeconds: number;
  readonly listeners: readonly Listener[];
  /** Of a service without listeners: its last exchange with others that worked. */
  readonly lastExchangeMs?: number | undefined;
}

const PATIENCE_MS = 2_000;

/** The body of a page as text; `undefined` when nobody answers on the socket, or not in time. */
export async function askAdmin(socketPath: string, path: string): Promise<string | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const signal = AbortSignal.timeout(PATIENCE_MS);
  request({ socketPath, path, signal }, (response) => resolve(text(response)))
    .on('error', reject)
    .end();
  return promise.catch(() => undefined);
}

/** What `/readyz` says, or `undefined` when no daemon answers. */
export async function askReadiness(socketPath: string): Promise<Readiness | undefined> {
  const body = await askAdmin(socketPath, '/readyz');
  try {
    return body === undefined ? undefined : (JSON.parse(body) as Readiness);
  } catch {
    return undefined;
  }
}
