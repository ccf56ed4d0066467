/** The settings that every daemon has, whatever it serves. */
import { fileURLToPath } from 'node:url';
import { choice, duration, text } from '../config/kinds.ts';
import { type ConfigOf, setting } from '../config/settings.ts';
import { logLevels } from './log.ts';

/** Sockets live in `run/` of the workspace, wherever the daemon was started from. */
const runFolder = fileURLToPath(new URL('../../../run/', import.meta.url));

/**
 * Where a Unix socket's name ends: `sun_path` holds 108 bytes with the final NUL on Linux, 104 on BSD
 * and macOS.
 */
export const MAX_SOCKET_PATH_BYTES = 103;

const socketPath = text({
  allowed: `a path of at most ${MAX_SOCKET_PATH_BYTES} bytes for a Unix socket, or off`,
  placeholder: 'PATH|off',
  accepts: (value) => value !== '' && Buffer.byteLength(value) <= MAX_SOCKET_PATH_BYTES,
});

export function daemonSettings(service: string) {
  return {
    logLevel: setting(choice(...logLevels), {
      default: 'info',
      group: 'Running',
      help: 'least urgent level that is logged; debug has a record for each connection opened',
      live: true,
    }),
    drainTimeoutMs: setting(duration({ min: 1, off: true }), {
      default: 5_000,
      group: 'Running',
      help: 'on a stop, time for what is in flight to end; off cuts at once',
      live: true,
    }),
    adminSocket: setting(socketPath, {
      default: { derive: () => defaultSocket(service), from: `run/${service}.sock` },
      group: 'Running',
      help: 'Unix socket for health and readiness, or off',
    }),
  } as const;
}

export type DaemonConfig = ConfigOf<ReturnType<typeof daemonSettings>>;

/** A checkout so deep that no socket fits below it goes without one. */
function defaultSocket(service: string): string {
  const path = `${runFolder}${service}.sock`;
  return Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES ? path : 'off';
}
