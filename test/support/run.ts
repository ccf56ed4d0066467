/** Runs a real program to its end, with bytes on its standard input. */
import { spawn } from 'node:child_process';
import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export interface Ran {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Collects what the program prints. Its input ends after `input`. */
export async function runWith(input: Uint8Array | string, command: string, ...args: string[]): Promise<Ran> {
  const child = spawn(command, args, { stdio: 'pipe' });
  const out: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (bytes: Buffer) => out.push(bytes));
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  // A program may end before it has read everything.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code] = await once(child, 'close');
  return { code: code as number | null, stdout: Buffer.concat(out), stderr };
}

/** Streams `parts` through the program; the hashes and the length of what went in and what came out. */
export async function hashThrough(
  parts: Iterable<Uint8Array>,
  command: string,
  ...args: string[]
): Promise<{ sent: string; received: string; receivedBytes: number }> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const [sent, received]: Hash[] = [createHash('sha256'), createHash('sha256')];
  let receivedBytes = 0;
  child.stdout.on('data', (bytes: Buffer) => {
    received?.update(bytes);
    receivedBytes += bytes.length;
  });
  const hashed = function* (): Generator<Uint8Array> {
    for (const part of parts) {
      sent?.update(part);
      yield part;
    }
  };
  const ended = once(child, 'close');
  await pipeline(Readable.from(hashed(), { objectMode: true }), child.stdin);
  await ended;
  return { sent: sent?.digest('hex') ?? '', received: received?.digest('hex') ?? '', receivedBytes };
}
