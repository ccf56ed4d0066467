/** Runs nettool as users run it: its entry point, the pinned runtime, its own environment. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { nodePath, repository } from '../../../test/support/daemon.ts';

export const nettoolPath = `${repository}shared/src/nettool/main.ts`;

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  /** Standard input; without it there is none. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export async function nettool(args: readonly string[], { input, env = {} }: RunOptions = {}): Promise<Run> {
  const child = spawn(nodePath, [nettoolPath, ...args], {
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, ...env },
  });
  child.stdin?.end(input);
  const [stdout, stderr, [code]] = await Promise.all([
    child.stdout ? text(child.stdout) : '',
    child.stderr ? text(child.stderr) : '',
    once(child, 'close'),
  ]);
  return { code: code as number | null, stdout, stderr };
}

/** The object that `--json` prints; fails on anything else on stdout. */
export async function nettoolJson(args: readonly string[], options: RunOptions = {}): Promise<Record<string, unknown>> {
  const { stdout, stderr } = await nettool([...args, '--json'], options);
  if (!/^\{.*\}\n$/.test(stdout)) throw new Error(`no single line of JSON: ${stdout}${stderr}`);
  return JSON.parse(stdout) as Record<string, unknown>;
}
