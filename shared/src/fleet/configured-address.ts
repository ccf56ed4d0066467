/** Where a service would listen, and whether it could. */
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { variablePrefix } from '../config/settings.ts';
import { listenError, type Remedies } from '../server/listen-error.ts';
import type { Transport } from '../system/listeners.ts';
import type { FleetService } from './workspace.ts';

const execFileAsync = promisify(execFile);

export interface ConfiguredAddress {
  readonly host: string;
  readonly port: number;
}

/** Every setting by name, as `--print-config --json` and the admin socket's `/config` have it. */
export type PrintedSettings = Readonly<
  Record<string, { readonly value: unknown; readonly text: string; readonly origin: string }>
>;

export interface Configuration {
  /** `undefined` when the service listens nowhere, or its configuration is wrong. */
  readonly address?: ConfiguredAddress;
  /** `undefined` when the configuration is wrong. */
  readonly settings?: PrintedSettings;
  /** What the service says is wrong with its configuration. */
  readonly problems?: string;
}

/** Asks the service itself (`--print-config --json`), with the environment of now. */
export async function askConfiguration({ app }: FleetService): Promise<Configuration> {
  try {
    const { stdout } = await execFileAsync(app.interpreter, [app.script, ...app.args, '--print-config', '--json'], {
      env: { ...process.env, ...app.env },
    });
    const settings = JSON.parse(stdout) as PrintedSettings;
    const { host, port } = settings;
    if (host === undefined || port === undefined) return { settings };
    return { settings, address: { host: String(host.value), port: Number(port.value) } };
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string };
    return { problems: stderr.trim() || message };
  }
}

type Bind = (address: ConfiguredAddress) => Promise<() => void>;

/** Takes a port for a moment, without sharing it; resolves to what gives it back. */
const bind: Readonly<Record<Transport, Bind>> = {
  tcp: async ({ host, port }) => {
    const server = createServer();
    server.listen({ host, port });
    await once(server, 'listening');
    return () => server.close();
  },
  udp: async ({ host, port }) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.bind({ address: host, port });
    await once(socket, 'listening');
    return () => socket.close();
  },
};

/** The fleet's commands take no flags of a service. */
function remedies(name: string): Remedies {
  const file = `in the section "${name}" of the configuration file`;
  const prefix = variablePrefix(name);
  return { port: `${prefix}PORT=NUMBER, or "port" ${file}`, host: `${prefix}HOST=ADDRESS, or "host" ${file}` };
}

/**
 * Why the service could not have its address, in one line that names the holder; `undefined` when it
 * could. A service that shares its port (SO_REUSEPORT) would not notice by itself that somebody else's
 * copy of it has the port already.
 */
export async function whyTaken(
  { name, manifest }: FleetService,
  address: ConfiguredAddress,
): Promise<string | undefined> {
  const { transport } = manifest;
  try {
    const giveBack = await bind[transport](address);
    giveBack();
    return undefined;
  } catch (error) {
    return (await listenError({ transport, address: address.host, port: address.port }, error, remedies(name))).message;
  }
}
