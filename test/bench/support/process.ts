/** Starting the processes of a bench and waiting for what they have to say. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import type { Command } from './cores.ts';
import { PeerMissing } from './missing.ts';
import { killGroup, type Workspace } from './workspace.ts';

const START_TIMEOUT_MS = 10_000;
const RETRY_MS = 25;
/** Of what a process writes to stderr, enough for the reason of a failure. */
const KEPT_STDERR_CHARS = 16_384;

export interface RunningPeer {
  readonly pid: number;
  /** Its last words when it ended by itself, undefined while it runs. */
  ended(): string | undefined;
  /** Its processor time so far in seconds, known to 10 ms; NaN where the system does not say. */
  cpuSeconds(): number;
  /** How long in seconds its main thread was ready to run and did not; NaN where the system does not say. */
  waitedSeconds(): number;
  /** The last that it wrote to stderr. */
  stderr(): string;
  /** Kills it and what it forked, and waits until it is gone. */
  stop(): Promise<void>;
}

/**
 * Starts a server and waits until `isReady` says so.
 * Throws {@link PeerMissing} when it exits or is not ready within ten seconds.
 */
export async function startPeer(
  workspace: Workspace,
  command: Command,
  isReady: () => Promise<boolean>,
): Promise<RunningPeer> {
  const child = spawnIn(workspace, command, 'ignore');
  const readStderr = keepStderr(child);
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const stop = async () => {
    killGroup(child);
    await exited;
  };
  const ended = () => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) return undefined;
    return `the server ended: ${lastLine(readStderr()) || 'it said nothing'}`;
  };
  const giveUpAt = performance.now() + START_TIMEOUT_MS;
  while (!(await isReady())) {
    const lastWords = ended();
    if (lastWords !== undefined) throw new PeerMissing(lastWords);
    if (performance.now() > giveUpAt) {
      await stop();
      throw new PeerMissing(
        `not ready after ${START_TIMEOUT_MS / 1000} s: ${lastLine(readStderr()) || 'it said nothing'}`,
      );
    }
    await delay(RETRY_MS);
  }
  if (child.pid === undefined) throw new PeerMissing(`${command.program} could not be started`);
  const { pid } = child;
  return {
    pid,
    cpuSeconds: () => cpuSecondsOf(pid),
    waitedSeconds: () => waitedSecondsOf(pid),
    ended,
    stderr: readStderr,
    stop,
  };
}

/** Runs a load generator to its end and returns what it printed; throws with its stderr when it failed. */
export async function runLoad(workspace: Workspace, command: Command): Promise<string> {
  const child = spawnIn(workspace, command, 'pipe');
  const readStderr = keepStderr(child);
  let stdout = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  const [code, signal] = await once(child, 'close');
  if (code !== 0) throw new Error(lastLine(readStderr()) || `the load generator ended with ${signal ?? code}`);
  return stdout;
}

/** A TCP port of the loopback that is free now. A peer takes it an instant later, so a thief is unlikely, not ruled out. */
export async function freeTcpPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
}

/** Whether something accepts TCP connections on this port of the loopback. */
export async function acceptsTcp(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** utime and stime of proc_pid_stat(5), in ticks of 10 ms on every Linux that Node runs on. */
function cpuSecondsOf(pid: number): number {
  const stat = readProc(pid, 'stat');
  // The name of the program, in brackets, may have spaces of its own; the times are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? Number.NaN) + Number(fields[12] ?? Number.NaN)) / 100;
}

/** The second figure of schedstat: nanoseconds on a run queue. */
function waitedSecondsOf(pid: number): number {
  return Number(readProc(pid, 'schedstat').split(' ')[1] ?? Number.NaN) / 1e9;
}

/** Empty where there is no such file. */
function readProc(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}

function spawnIn(workspace: Workspace, command: Command, stdout: 'ignore' | 'pipe'): ChildProcess {
  const child = spawn(command.program, command.args, {
    cwd: workspace.folder,
    env: { ...process.env, ...command.variables },
    stdio: ['ignore', stdout, 'pipe'],
    detached: true, // A group of its own, so that what it forks can be ended with it.
  });
  workspace.adopt(child);
  return child;
}

function keepStderr(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-KEPT_STDERR_CHARS);
  });
  child.once('error', (error) => {
    text += error.message;
  });
  return () => text;
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
