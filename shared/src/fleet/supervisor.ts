/**
 * pm2, by its command line: it is a tool beside us (AGPL-3.0) and never imported. Every call costs a
 * process, so callers ask seldom.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isAlive } from '../daemon/process-alive.ts';
import { AppError } from '../errors.ts';
import type { App, Workspace } from './workspace.ts';

const execFileAsync = promisify(execFile);

/** What pm2 says of one process. */
export interface SupervisedProcess {
  /** pm2's own number for it; a name may have several while one process replaces another. */
  readonly id: number;
  readonly name: string;
  readonly pid: number;
  /** pm2's word: `online`, `stopped`, `errored`, `launching`, `waiting restart`. */
  readonly status: string;
  readonly restarts: number;
  readonly startedAtMs: number;
}

interface ListedProcess {
  readonly name: string;
  readonly pid?: number;
  readonly pm_id: number;
  readonly pm2_env: { readonly status: string; readonly restart_time: number; readonly pm_uptime?: number };
}

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const LONGEST_CALL_MS = 120_000;

export class Supervisor {
  readonly #workspace: Workspace;

  constructor(workspace: Workspace) {
    this.#workspace = workspace;
  }

  /** The pid of pm2's daemon, or `undefined` when none runs; asking never starts one. */
  async daemonPid(): Promise<number | undefined> {
    const text = await readFile(join(this.#workspace.pm2Home, 'pm2.pid'), 'utf8').catch(() => '');
    const pid = Number.parseInt(text, 10);
    return Number.isInteger(pid) && isAlive(pid) ? pid : undefined;
  }

  /** Every process that pm2 knows; none when its daemon does not run. */
  async list(): Promise<readonly SupervisedProcess[]> {
    if ((await this.daemonPid()) === undefined) return [];
    const output = await this.#pm2(['jlist']);
    const listed = JSON.parse(output.slice(output.indexOf('['))) as readonly ListedProcess[];
    return listed.map(({ name, pid = 0, pm_id: id, pm2_env: { status, restart_time, pm_uptime = 0 } }) => ({
      id,
      name,
      pid,
      status,
      restarts: restart_time,
      startedAtMs: pm_uptime,
    }));
  }

  async start(names: readonly string[]): Promise<void> {
    await this.#pm2(['start', this.#workspace.ecosystemFile, '--only', names.join(','), '--update-env']);
  }

  /**
   * Starts one more process of an app under the same name. pm2 does that for a script alone, so the
   * app's options are given as flags; a test holds the two forms together.
   */
  async startBeside(app: App): Promise<void> {
    const flags = {
      '--name': app.name,
      '--cwd': app.cwd,
      '--interpreter': app.interpreter,
      '--kill-timeout': String(app.kill_timeout),
      '--stop-exit-codes': app.stop_exit_codes.join(','),
      '--output': app.out_file,
      '--error': app.error_file,
    };
    const switches = ['--force', '--no-pmx', '--no-vizion', '--merge-logs'];
    await this.#pm2(['start', app.script, ...switches, ...Object.entries(flags).flat(), '--', ...app.args], app.env);
  }

  async stop(names: readonly string[]): Promise<void> {
    await this.#pm2(['stop', ...names]);
  }

  /** Stops processes, by name or by pm2's number, and forgets them. */
  async remove(names: readonly (string | number)[]): Promise<void> {
    await this.#pm2(['delete', ...names.map(String)]);
  }

  /** Ends every process, drained as by a stop, and then pm2's daemon itself. */
  async kill(): Promise<void> {
    await this.#pm2(['kill']);
  }

  async #pm2(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
    const { root, pm2Home } = this.#workspace;
    const script = join(root, 'node_modules', 'pm2', 'bin', 'pm2');
    try {
      const { stdout } = await execFileAsync(process.execPath, [script, '--silent', ...args], {
        cwd: root,
        env: { ...process.env, ...env, PM2_HOME: pm2Home, PM2_DISABLE_VERSION_CHECK: 'true' },
        maxBuffer: MAX_OUTPUT_BYTES,
        timeout: LONGEST_CALL_MS,
      });
      return stdout;
    } catch (error) {
      const { stderr = '', message } = error as { stderr?: string; message: string };
      throw new AppError('SUPERVISOR_FAILED', `pm2 ${args[0]} failed: ${stderr.trim() || message}`, { cause: error });
    }
  }
}
