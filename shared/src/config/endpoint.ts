/** `HOST:PORT` as client commands take it: `127.0.0.1:7007`, `localhost:7007`, `[::1]:7007`. */

import { type Problem, quote } from './problems.ts';
import { parseCount } from './units.ts';

export interface Endpoint {
  /** An address without brackets, or a host name. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
}

export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(?:%[\w.-]+)?)\]|([^\s:[\]\p{C}]+)):(\d+)$/u.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = parseCount(match?.[3] ?? '');
  return host === undefined || port === undefined || port < 1 || port > 65_535 ? undefined : { host, port };
}

export function endpointProblem(text: string): Problem {
  const what = `${quote(text)} is not allowed`;
  const expected = 'expected HOST:PORT with a port from 1 to 65535, such as 127.0.0.1:7007 or [::1]:7007';
  return { subject: 'HOST:PORT', origin: 'command line', what, expected };
}

export function formatHostPort({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
