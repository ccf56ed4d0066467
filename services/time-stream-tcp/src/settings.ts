/** The settings of time-stream-tcp: those of every daemon, those of every TCP listener, and its own. */
import { count, duration, size, toggle } from '@small-servers/shared/config/kinds';
import { type ConfigOf, setting } from '@small-servers/shared/config/settings';
import { daemonSettings } from '@small-servers/shared/daemon/settings';
import { tcpSettings } from '@small-servers/shared/server/tcp-settings';
import { zoneKind } from './zones.ts';

/** 7000 + 37, the well-known port of time. */
const DEFAULT_PORT = 7037;

export const settings = {
  ...tcpSettings(DEFAULT_PORT),
  clientZone: setting(zoneKind, {
    default: { derive: () => Temporal.Now.timeZoneId(), from: "the server's zone" },
    group: 'Service',
    help: 'time zone of stamps that name none',
    live: true,
  }),
  maxOffsetMs: setting(duration({ off: true }), {
    default: 1_000,
    group: 'Service',
    help: 'a clock that is further off is logged as wrong',
    live: true,
  }),
  maxErrors: setting(count({ off: true }), {
    default: 10,
    group: 'Limits',
    help: 'close a connection after so many lines that are neither a time nor a command',
    live: true,
  }),
  maxLineBytes: setting(size({ min: 64, max: 64 * 1024 }), {
    default: 512,
    group: 'Limits',
    help: 'close a connection that sends a longer line; holds for connections from then on',
    live: true,
  }),
  stampRecords: setting(count({ off: true }), {
    default: 100,
    group: 'Limits',
    help: 'stamp records a second that one connection may put into the log, ten seconds of them at once; the rest is counted',
    live: true,
  }),
  print: setting(toggle(), {
    default: false,
    group: 'Service',
    help: 'a plain line for each stamp on stdout, for watching in the foreground; not under pm2',
  }),
  ...daemonSettings('time-stream-tcp'),
} as const;

export type TimeStreamConfig = ConfigOf<typeof settings>;
