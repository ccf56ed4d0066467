/** The settings of echo-tcp: those of every daemon, those of every TCP listener, and two of its own. */
import { text, toggle } from '@small-servers/shared/config/kinds';
import { type ConfigOf, setting } from '@small-servers/shared/config/settings';
import { daemonSettings } from '@small-servers/shared/daemon/settings';
import { tcpSettings } from '@small-servers/shared/server/tcp-settings';

/** 7000 + 7, the well-known port of echo. */
const DEFAULT_PORT = 7007;

export const settings = {
  ...tcpSettings(DEFAULT_PORT),
  greeting: setting(text({ allowed: 'one line of text of at most 1024 characters', placeholder: 'TEXT' }), {
    default: '',
    group: 'Service',
    help: 'a line to send first, such as "Hello, Client."',
    live: true,
  }),
  logPayload: setting(toggle(), {
    default: false,
    group: 'Service',
    help: 'log an escaped preview of what arrives, one record a read',
    live: true,
  }),
  ...daemonSettings('echo-tcp'),
} as const;

export type EchoConfig = ConfigOf<typeof settings>;
