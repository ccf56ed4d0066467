/** The settings of udp-echo: those of every daemon and those of every UDP listener. */
import type { ConfigOf } from '@small-servers/shared/config/settings';
import { daemonSettings } from '@small-servers/shared/daemon/settings';
import { udpSettings } from '@small-servers/shared/server/udp-settings';

/** 7000 + 7, the well-known port of echo. */
const DEFAULT_PORT = 7007;

export const settings = {
  ...udpSettings(DEFAULT_PORT),
  ...daemonSettings('udp-echo'),
} as const;

export type EchoConfig = ConfigOf<typeof settings>;
