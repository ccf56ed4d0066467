/** A fleet of its own under a real pm2: its own state folder, free ports, nothing left at the end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Settings, variablePrefix } from '@small-servers/shared/config/settings';
import { nodePath, repository } from './daemon.ts';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** No test may ask the Internet; where nothing listens, sntp-client is without a network, and up all the same. */
const NO_TIME_SERVER = 'ntp://127.0.0.1:1';

export class TestFleet {
  /** SMALL_SERVERS_STATE, and what the processes of this fleet are known by. */
  readonly state: string;
  readonly #root: string;
  readonly #env: Record<string, string>;

  private constructor(root: string, state: string, env: Record<string, string>) {
    this.#root = root;
    this.state = state;
    this.#env = env;
  }

  /** `below` is put under the temporary folder, for paths of a certain length. */
  static async create({
    below = '',
    env = {},
  }: {
    below?: string;
    env?: Record<string, string>;
  } = {}): Promise<TestFleet> {
    const root = await mkdtemp(join(tmpdir(), 'fleet-'));
    const state = join(root, below);
    const places = { SMALL_SERVERS_STATE: state, SNTP_CLIENT_SERVERS: NO_TIME_SERVER };
    return new TestFleet(root, state, { ...(await freePorts()), ...places, ...env });
  }

  /** The port that a service is told to take. */
  port(service: string): number {
    return Number(this.#env[portVariable(service)]);
  }

  /** `pnpm start` and so on, without pnpm. */
  run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    return this.runFile('shared/src/fleet/bin.js', args, env);
  }

  async runFile(file: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    const child = spawn(nodePath, [`${repository}${file}`, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: this.environment(env),
    });
    const ended = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        ended[stream] += text;
      });
    }
    // pm2's daemon may hold our pipes: the process's own end is what counts.
    const [code] = await once(child, 'exit');
    child.stdout.destroy();
    child.stderr.destroy();
    return { code: code as number | null, ...ended };
  }

  environment(env: Readonly<Record<string, string>> = {}): Record<string, string> {
    return { PATH: process.env.PATH ?? '', HOME: this.#root, ...this.#env, ...env };
  }

  /** Every record of a service's log; lines that are none (a stack) are left out. */
  async records(service: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const text = await readFile(join(this.state, 'logs', `${service}.log`), 'utf8');
    return text.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
  }

  /** The command line of each process that has this fleet's state folder in its environment. */
  async processes(): Promise<ReadonlyMap<number, string>> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
    const found = await Promise.all(
      pids.map(async (pid) => {
        // A process may end while it is looked at; a zombie has no environment any more.
        const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
        const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
        const ours = environment.split('\0').includes(`SMALL_SERVERS_STATE=${this.state}`);
        return ours ? ([[pid, command.replaceAll('\0', ' ').trim()]] as const) : [];
      }),
    );
    return new Map(found.flat());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if ((await this.processes()).size > 0) await this.run(['stop']);
    for (const pid of (await this.processes()).keys()) process.kill(pid, 'SIGKILL');
    await rm(this.#root, { recursive: true, force: true });
  }
}

/** The services of ecosystem.config.js, in its order. */
export async function serviceNames(): Promise<readonly string[]> {
  const { apps } = (await import(`${repository}ecosystem.config.js`)) as { apps: readonly { name: string }[] };
  return apps.map(({ name }) => name);
}

const portVariable = (service: string): string => `${variablePrefix(service)}PORT`;

/**
 * A port that nobody has, for each service that listens on one. Services whose default is the same (over TCP
 * and over UDP) share one here too, so that a document's `7007` stays one number.
 */
async function freePorts(): Promise<Record<string, string>> {
  const variables: Record<string, string> = {};
  const byDefault = new Map<unknown, string>();
  for (const name of await serviceNames()) {
    const { settings } = (await import(`${repository}services/${name}/src/settings.ts`)) as { settings: Settings };
    if (settings.port === undefined) continue;
    const port = byDefault.get(settings.port.default) ?? String(await freePort());
    byDefault.set(settings.port.default, port);
    variables[portVariable(name)] = port;
  }
  return variables;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
