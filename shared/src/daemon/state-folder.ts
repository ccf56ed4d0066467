/** Where a fleet keeps its state: `logs/` and `run/` below SMALL_SERVERS_STATE, or below the checkout. */
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const workspaceRoot = fileURLToPath(new URL('../../../', import.meta.url));

// An empty variable is an unset one; a relative path starts at the checkout, as in ecosystem.config.js.
export const stateFolder = resolve(workspaceRoot, process.env.SMALL_SERVERS_STATE ?? '');

/** Where a Unix socket's path ends: `sun_path` holds 108 bytes with its NUL on Linux, 104 on macOS. */
export const MAX_SOCKET_PATH_BYTES = 103;

/** The longest name below `run/`: a service's with the longest pid that Linux gives. */
const LONGEST_SOCKET_NAME = 'time-stream-tcp.4194304.sock.next';

/**
 * The folder of sockets: `run/`, or, below a path so long that no socket fits under it, a folder of
 * the same owner in the system's place for temporary files.
 */
export const runFolder = chooseRunFolder(join(stateFolder, 'run'));

function chooseRunFolder(beside: string): string {
  if (Buffer.byteLength(join(beside, LONGEST_SOCKET_NAME)) <= MAX_SOCKET_PATH_BYTES) return beside;
  const digest = createHash('sha256').update(beside).digest('hex').slice(0, 12);
  return join(tmpdir(), `small-servers-${process.getuid?.() ?? 0}-${digest}`);
}
