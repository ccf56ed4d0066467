/**
 * The fleet: every service that `pnpm start` runs under pm2. A new service is one more line.
 *
 * docs/decisions/0003-pm2-fork-mode.md says why each option is as it is. State (logs/, run/) lives
 * beside this file, or in the folder that SMALL_SERVERS_STATE names.
 */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url));
const state = resolve(root, process.env.SMALL_SERVERS_STATE ?? '');

/** pm2 ends a process this long after the polite signal; far above every --drain-timeout in use. */
const KILL_TIMEOUT_MS = 60_000;

/** So that `reload` can run the new process beside the old one; only these systems balance by it. */
const shareable = ['linux', 'freebsd'].includes(process.platform);

/** What a server is started with. */
const serve = ['serve', ...(shareable ? ['--reuse-port'] : [])];

const service = (name, args, logFile = `${state}/logs/${name}.log`) => ({
  name,
  cwd: root,
  script: `${root}services/${name}/src/bin.js`,
  // A service writes its own log; pm2 adds what is printed before that begins.
  args: [...args, '--log-file', logFile],
  // Absolute: a `node` or `bun` found on PATH may be any version.
  interpreter: `${root}node_modules/node/bin/node`,
  exec_mode: 'fork',
  instances: 1,
  kill_timeout: KILL_TIMEOUT_MS,
  // A crash is restarted, a wrong configuration (exit code 78) is not. No restart_delay and no backoff:
  // with either, pm2 shows a service that it gave up on as "waiting restart" for ever.
  autorestart: true,
  stop_exit_codes: [78],
  pmx: false,
  vizion: false,
  merge_logs: true,
  out_file: logFile,
  error_file: logFile,
  env: { NODE_COMPILE_CACHE: `${state}/run/compile-cache` },
});

export const apps = [
  service('echo-tcp', serve),
  service('udp-echo', serve),
  service('time-stream-tcp', serve),
  service('file-server', serve),
  service('sntp-client', ['watch']),
];
