/** Runs nettool as users run it, in a process of its own, or its verbs in this process, which takes far less time. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { vi } from 'vitest';
import { nodePath, repository } from '../../../test/support/daemon.ts';
import { parseCommandLine } from '../../src/config/command-line.ts';
import { AppError } from '../../src/errors.ts';
import { verbs } from '../../src/nettool/verbs.ts';

export const nettoolPath = `${repository}shared/src/nettool/bin.js`;

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

/** The entry point, the pinned runtime, its own environment. */
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

/** The same command in this process, with what it writes caught. */
export async function nettoolInside(args: readonly string[]): Promise<Run> {
  const program = { name: 'nettool', version: '0', describe: '', commands: verbs };
  const written = { stdout: '', stderr: '' };
  const catchWrites = (name: 'stdout' | 'stderr') =>
    vi.spyOn(process[name], 'write').mockImplementation((chunk) => {
      written[name] += String(chunk);
      return true;
    });
  const spies = [catchWrites('stdout'), catchWrites('stderr')];
  // Each command listens for Ctrl-C and for errors of its output, and means to be the only one of its process.
  const interrupts = process.listeners('SIGINT');
  const outputs = [process.stdout, process.stderr].map((stream) => ({ stream, before: stream.listeners('error') }));
  try {
    const parsed = await parseCommandLine(program, args);
    const command = verbs.find(({ name }) => parsed.kind === 'command' && parsed.command === name);
    if (parsed.kind !== 'command' || command === undefined) throw new Error('not a command line of a verb');
    const code = await command.run({ ...parsed, program: program.name });
    return { code, ...written };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { code: error.exitCode, ...written, stderr: `nettool: ${error.message}\n` };
  } finally {
    for (const spy of spies) spy.mockRestore();
    for (const listener of process.listeners('SIGINT')) {
      if (!interrupts.includes(listener)) process.removeListener('SIGINT', listener);
    }
    for (const { stream, before } of outputs) {
      for (const listener of stream.listeners('error')) {
        if (!before.includes(listener)) stream.removeListener('error', listener as () => void);
      }
    }
  }
}

/** The object that `--json` prints; fails on anything else on stdout. */
export async function nettoolJson(args: readonly string[], run = nettool): Promise<Record<string, unknown>> {
  const { stdout, stderr } = await run([...args, '--json']);
  if (!/^\{.*\}\n$/.test(stdout)) throw new Error(`no single line of JSON: ${stdout}${stderr}`);
  return JSON.parse(stdout) as Record<string, unknown>;
}
