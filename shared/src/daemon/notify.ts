/** Telling systemd where a start, a reload or a stop stands: sd_notify(3), over the socket that NOTIFY_SOCKET names. */
import { nativeGaps } from '../native/linux.ts';
import { type SendFailure, sendUnixDatagram } from '../native/unix-datagram.ts';
import type { Log } from './log.ts';

export interface ServiceManager {
  ready(): void;
  reloading(): void;
  stopping(): void;
}

const silent: ServiceManager = { ready: () => {}, reloading: () => {}, stopping: () => {} };

type Send = (path: string, text: string) => SendFailure | undefined;

/** Who is told; nobody without NOTIFY_SOCKET. A message that can't be sent is a record, and no end of the service. */
export function serviceManager(
  log: Log,
  path: string | undefined = process.env.NOTIFY_SOCKET,
  send: Send = sendUnixDatagram,
): ServiceManager {
  if (path === undefined || path === '') return silent;
  const tell = (...lines: readonly string[]): void => {
    const failure = send(path, `${lines.join('\n')}\n`);
    if (failure === undefined) return;
    const why = failure === 'not-sent' ? `${path} does not take it` : nativeGaps[failure];
    log.warn({ event: 'notify-failed', gap: failure, message: lines[0] }, `the service manager was not told: ${why}`);
  };
  return {
    ready: () => tell('READY=1'),
    // systemd orders reloads by this time; both clocks are CLOCK_MONOTONIC.
    reloading: () => tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}`),
    stopping: () => tell('STOPPING=1'),
  };
}
