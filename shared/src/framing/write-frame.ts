import type { Writable } from 'node:stream';

/**
 * Writes the parts of a frame, as an encoder returned them, so that they leave together: under `cork`, without joining
 * them in memory. Returns what `write` does: false means that the stream's buffer is full, and to wait for `drain`.
 */
export function writeFrame(stream: Writable, parts: readonly Uint8Array[]): boolean {
  stream.cork();
  for (const part of parts) stream.write(part);
  stream.uncork();
  return !stream.writableNeedDrain;
}
