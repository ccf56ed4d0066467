/** The settings that every daemon has, whatever it serves. */
import { join } from 'node:path';
import { choice, duration, text } from '../config/kinds.ts';
import { type ConfigOf, setting } from '../config/settings.ts';
import { logLevels } from './log-levels.ts';
import { MAX_SOCKET_PATH_BYTES, runFolder } from './state-folder.ts';

/** Each process has a socket of its own beside it, with its pid in the name. */
const MAX_PATH_BYTES = MAX_SOCKET_PATH_BYTES - '.4194304.next'.length;

const socketPath = text({
  allowed: `a path of at most ${MAX_PATH_BYTES} bytes for a Unix socket, or off`,
  placeholder: 'PATH|off',
  accepts: (value) => value !== '' && Buffer.byteLength(value) <= MAX_PATH_BYTES,
});

const logPath = text({
  allowed: 'the path of a file, or off',
  placeholder: 'PATH|off',
  accepts: (value) => value !== '',
});

export function daemonSettings(service: string) {
  return {
    logLevel: setting(choice(...logLevels), {
      default: 'info',
      group: 'Running',
      help: 'least urgent level that is logged; debug has a record for each connection opened',
      live: true,
    }),
    logFile: setting(logPath, {
      default: 'off',
      group: 'Running',
      help: 'file that records are added to in place of stdout; a renamed one is begun anew',
    }),
    drainTimeoutMs: setting(duration({ min: 1, off: true }), {
      default: 5_000,
      group: 'Running',
      help: 'on a stop, time for what is in flight to end; off cuts at once',
      live: true,
    }),
    adminSocket: setting(socketPath, {
      default: { derive: () => join(runFolder, `${service}.sock`), from: `run/${service}.sock` },
      group: 'Running',
      help: 'Unix socket for health and readiness, or off',
    }),
  } as const;
}

export type DaemonConfig = ConfigOf<ReturnType<typeof daemonSettings>>;
