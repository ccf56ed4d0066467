/**
 * Proof that a service serves: its own address from its admin socket, then one real exchange with it
 * by its own client command. What pm2 calls "online" is only a process that has not ended yet.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { formatHostPort } from '../config/endpoint.ts';
import { variablePrefix } from '../config/settings.ts';
import type { Listener } from '../daemon/service.ts';
import type { FleetService, Workspace } from './workspace.ts';

const execFileAsync = promisify(execFile);

const CHECK_TIMEOUT_MS = 10_000;

/** The known name of a service's admin socket, where its variable does not say otherwise. */
export function adminSocketPath({ runFolder }: Workspace, name: string): string {
  return process.env[`${variablePrefix(name)}ADMIN_SOCKET`] ?? join(runFolder, `${name}.sock`);
}

/** Where to reach a listener from this machine: a wildcard address is no place to connect to. */
export function reachable({ address, port }: Listener): { readonly host: string; readonly port: number } {
  // `::` takes IPv4 too, and a machine without IPv6 has no ::1.
  const wildcard = address === '0.0.0.0' || address === '::';
  return { host: wildcard ? '127.0.0.1' : address, port };
}

/** Fills `{host}`, `{port}` and `{endpoint}` in. */
export function fillIn(template: string, target: { readonly host: string; readonly port: number }): string {
  const values: Readonly<Record<string, string>> = {
    host: target.host,
    port: String(target.port),
    endpoint: formatHostPort(target),
  };
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}

export interface RoundTrip {
  readonly roundTripMs: number;
  /** What the client command has to say of it. */
  readonly note: string | undefined;
}

/** One exchange; throws an Error whose message says what the client command said. */
export async function makeRoundTrip({ app, manifest }: FleetService, listener: Listener): Promise<RoundTrip> {
  const target = reachable(listener);
  const args = (manifest.check ?? []).map((part) => fillIn(part, target));
  try {
    const { stdout } = await execFileAsync(app.interpreter, [app.script, ...args], { timeout: CHECK_TIMEOUT_MS });
    const said: unknown = JSON.parse(stdout);
    const note = manifest.note === undefined ? undefined : valueAt(said, manifest.note);
    return {
      roundTripMs: Number(valueAt(said, manifest.latency ?? '')),
      note: typeof note === 'string' ? note : undefined,
    };
  } catch (error) {
    const { stderr = '', stdout = '', message } = error as { stderr?: string; stdout?: string; message: string };
    throw new Error(stderr.trim() || stdout.trim() || message, { cause: error });
  }
}

function valueAt(value: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], value);
}
