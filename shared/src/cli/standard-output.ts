/**
 * Standard output of a command that prints and ends. To a pipe Node writes what its reader has no room for later, and
 * `process.exit` would lose it.
 */
import { exitCodes, systemCode } from '../errors.ts';

/**
 * Ends the program when nothing can be printed any more. A reader that has seen enough (`| head`) is no error. That
 * nobody reads its complaints is no reason to end.
 */
export function endWithoutOutput(program: string, readerLeft: number): void {
  process.stdout.on('error', (error) => {
    if (systemCode(error) === 'EPIPE') process.exit(readerLeft);
    process.stderr.write(`${program}: standard output: ${error.message}\n`);
    process.exit(exitCodes.failed);
  });
  process.stderr.on('error', () => {});
}

/** Resolves when what was written is with the reader, or when it was told that it can't be. */
export async function written(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writableLength > 0) {
    await new Promise<void>((resolve) => {
      stream.write('', () => resolve());
    });
  }
  // The event comes after the write that failed: whoever ends the process now would end it without.
  if (stream.errored !== null) await new Promise((resolve) => setImmediate(resolve));
}
