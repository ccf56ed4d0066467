/** `top`: the traffic of every service as it moves, on a terminal until q; elsewhere one frame. */
import { setTimeout as delay } from 'node:timers/promises';
import { exitCodes } from '../errors.ts';
import { lookAt } from './look.ts';
import { adminSocketPath } from './round-trip.ts';
import type { FleetContext } from './start.ts';
import type { Supervisor } from './supervisor.ts';
import { renderFrame, ServiceHistory } from './top-frame.ts';
import type { Workspace } from './workspace.ts';

const INTERVAL_MS = 1_000;

/** A frame that is printed and not shown is as wide as the smallest terminal in use. */
const PRINTED = { columns: 80, rows: Number.POSITIVE_INFINITY };

// xterm's control sequences, which every terminal of today knows.
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

const CTRL_C = '\x03';

export async function top({ workspace, supervisor, print }: FleetContext): Promise<number> {
  const services = workspace.services.map(({ name }) => new ServiceHistory(name));
  if (process.stdout.isTTY && process.stdin.isTTY) {
    await showUntilQuit(workspace, supervisor, services);
    return exitCodes.success;
  }
  await look(workspace, services);
  await delay(INTERVAL_MS);
  await look(workspace, services);
  print(
    `${renderFrame(services, PRINTED, { nowMs: Date.now(), hint: '', silence: await silenceOf(supervisor) }).join('\n')}\n`,
  );
  return services.every(({ latest }) => latest !== undefined) ? exitCodes.success : exitCodes.failed;
}

async function look(workspace: Workspace, services: readonly ServiceHistory[]): Promise<void> {
  await Promise.all(
    services.map(async (service) => service.add(await lookAt(adminSocketPath(workspace, service.name)))),
  );
}

/** Why nothing is heard of a service: without pm2 none was started. */
const silenceOf = async (supervisor: Supervisor): Promise<string> =>
  (await supervisor.daemonPid()) === undefined ? 'not started' : 'does not answer';

/** The terminal is given back as it was, however this ends. */
async function showUntilQuit(
  workspace: Workspace,
  supervisor: Supervisor,
  services: readonly ServiceHistory[],
): Promise<void> {
  const { stdin, stdout } = process;
  const quit = new AbortController();
  const stop = (): void => quit.abort();
  let silence = await silenceOf(supervisor);
  const draw = (): void => {
    const { columns, rows } = stdout;
    const lines = renderFrame(services, { columns, rows }, { nowMs: Date.now(), hint: 'q quits', silence });
    stdout.write(`${HOME}${lines.map((line) => `${line}${CLEAR_LINE}`).join('\r\n')}${CLEAR_BELOW}`);
  };
  const onKey = (keys: string): void => {
    if (/[qQ]/.test(keys) || keys.includes(CTRL_C)) stop();
  };
  const restore = (): void => {
    stdin.setRawMode(false);
    stdout.write(LEAVE);
  };
  process.once('exit', restore);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, stop);
  stdout.write(ENTER);
  stdin.setRawMode(true).setEncoding('utf8').on('data', onKey).on('end', stop).resume();
  stdout.on('resize', draw);
  while (!quit.signal.aborted) {
    await look(workspace, services);
    silence = await silenceOf(supervisor);
    if (quit.signal.aborted) break;
    draw();
    await delay(INTERVAL_MS, undefined, { signal: quit.signal }).catch(() => {});
  }
  stdout.off('resize', draw);
  stdin.off('data', onKey).pause();
  process.off('exit', restore);
  restore();
}
