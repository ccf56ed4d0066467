/** Programs of the machine: finding them, and building peers with them. */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

import { PeerMissing, reasonOf } from './missing.ts';

const run = promisify(execFile);

/** Superuser programs (xinetd) are often outside a user's PATH. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The path of a program, or undefined when it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_FOLDERS];
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

/** The path of a program; throws {@link PeerMissing} when it is not installed. */
export function needProgram(name: string): string {
  const path = findProgram(name);
  if (path === undefined) throw new PeerMissing(`${name} is not installed`);
  return path;
}

/** Compiles one C file into `output`; throws {@link PeerMissing} without a compiler or when it refuses. */
export async function compileC(source: string, output: string): Promise<string> {
  await build(needProgram('cc'), ['-O2', '-o', output, source]);
  return output;
}

/** Builds one Go file into `output`; throws {@link PeerMissing} without Go or when it refuses. */
export async function buildGo(source: string, output: string, cacheFolder: string): Promise<string> {
  await build(needProgram('go'), ['build', '-o', output, source], { GOCACHE: cacheFolder, GO111MODULE: 'off' });
  return output;
}

async function build(compiler: string, args: string[], variables: Record<string, string> = {}): Promise<void> {
  try {
    await run(compiler, args, { env: { ...process.env, ...variables } });
  } catch (error) {
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
    throw new PeerMissing(`${compiler} failed: ${stderr.trim().split('\n')[0] || reasonOf(error)}`, { cause: error });
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
