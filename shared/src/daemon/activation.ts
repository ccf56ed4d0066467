/**
 * A listening socket handed over by the supervisor, by the protocol of sd_listen_fds(3): `LISTEN_FDS` sockets stand
 * at descriptors from 3 on, and are meant for the process that `LISTEN_PID` names.
 */
import { AppError } from '../errors.ts';

const FIRST_DESCRIPTOR = 3;

/**
 * The descriptor to listen on, or `undefined` when none was handed to this process. The variables are taken out of
 * `env`, so that no child takes them as its own.
 *
 * @throws AppError USAGE_INVALID when several were handed over: a service listens on one
 */
export function takeInheritedDescriptor(
  env: Record<string, string | undefined> = process.env,
  pid: number = process.pid,
): number | undefined {
  const { LISTEN_PID: forPid, LISTEN_FDS: count } = env;
  delete env.LISTEN_PID;
  delete env.LISTEN_FDS;
  delete env.LISTEN_FDNAMES;
  if (count === undefined || count === '0' || forPid !== String(pid)) return undefined;
  if (count !== '1') {
    const message = `LISTEN_FDS is ${JSON.stringify(count)}: a service takes one socket; for IPv4 and IPv6 together use one with ListenStream=[::]:PORT and BindIPv6Only=both`;
    throw new AppError('USAGE_INVALID', message);
  }
  return FIRST_DESCRIPTOR;
}
