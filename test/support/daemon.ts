/** A real daemon: its entry point spawned as users spawn it, on a free port, its records read as they come. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const repository = fileURLToPath(new URL('../../', import.meta.url));

/** The runtime that the workspace pins, whatever runs the tests. */
export const nodePath = `${repository}node_modules/node/bin/node`;

export interface LogRecord {
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface DaemonOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Runs the command line below another program: `['prlimit', '--nofile=64']`. */
  readonly under?: readonly string[];
}

export class Daemon {
  readonly process: ChildProcess;
  readonly records: LogRecord[] = [];
  stderr = '';
  readonly #waiting = new Set<() => void>();
  readonly #exited: Promise<{ code: number | null; signal: string | null }>;

  constructor(service: string, args: readonly string[], { env = {}, under = [] }: DaemonOptions = {}) {
    const command = [...under, nodePath, `${repository}services/${service}/src/bin.js`, ...args];
    this.process = spawn(command[0] ?? nodePath, command.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, ...env },
    });
    this.process.stderr?.on('data', (text) => {
      this.stderr += text;
    });
    createInterface({ input: this.process.stdout ?? process.stdin }).on('line', (line) => {
      this.records.push(JSON.parse(line) as LogRecord);
      for (const look of this.#waiting) look();
    });
    this.#exited = once(this.process, 'close').then(([code, signal]) => ({ code, signal }));
  }

  /** The `count`-th record of an event, as soon as it is there; fails when the daemon ends without it. */
  async record(event: string, count = 1, matches: (record: LogRecord) => boolean = () => true): Promise<LogRecord> {
    const { promise, resolve } = Promise.withResolvers<LogRecord>();
    const look = (): void => {
      const found = this.records.filter((record) => record.event === event && matches(record))[count - 1];
      if (found !== undefined) resolve(found);
    };
    this.#waiting.add(look);
    look();
    const ended = this.#exited.then(({ code }) => {
      look();
      throw new Error(`ended with ${code} before its ${event} record; stderr: ${this.stderr}`);
    });
    try {
      return await Promise.race([promise, ended]);
    } finally {
      this.#waiting.delete(look);
      ended.catch(() => {});
    }
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** Sends a signal and resolves to how the process ended. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<{ code: number | null; signal: string | null }> {
    this.process.kill(signal);
    return this.#exited;
  }

  exited(): Promise<{ code: number | null; signal: string | null }> {
    return this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL');
  }
}

/** Starts a service on a free port of 127.0.0.1 without an admin socket, and waits until it listens. */
export async function startDaemon(
  service: string,
  args: readonly string[] = [],
  options: DaemonOptions = {},
): Promise<Daemon & { readonly port: number }> {
  const daemon = new Daemon(service, ['serve', '--port', '0', '--admin-socket', 'off', ...args], options);
  const { port } = await daemon.record('listening');
  return Object.assign(daemon, { port: Number(port) });
}

/** Runs a command of a program to its end. */
export async function runProgram(
  service: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(nodePath, [`${repository}services/${service}/src/bin.js`, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, ...env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  return { code: code as number | null, stdout, stderr };
}
