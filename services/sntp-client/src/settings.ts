/** The settings of sntp-client: whom to ask, how often, what to believe. */
import { join } from 'node:path';
import { choice, duration, listOf, text } from '@small-servers/shared/config/kinds';
import { type ConfigOf, setting } from '@small-servers/shared/config/settings';
import { daemonSettings } from '@small-servers/shared/daemon/settings';
import { runFolder } from '@small-servers/shared/daemon/state-folder';
import type { Policy } from './acceptance.ts';
import { parseServerName, type ServerName, serverKind } from './server-name.ts';

/** docs/decisions/0801-default-servers.md: their operators offer NTS to everybody. */
export const defaultServers: readonly ServerName[] = [
  'nts://time.cloudflare.com',
  'nts://nts.netnod.se',
  'nts://ptbtime1.ptb.de',
  'nts://ntppool1.time.nl',
].flatMap((name) => parseServerName(name) ?? []);

/** What every command that asks a server has. */
export const exchangeSettings = {
  timeoutMs: setting(duration({ min: 1, max: 60_000 }), {
    default: 2_000,
    group: 'Service',
    help: 'time to wait for a reply',
  }),
  maxRootDistanceMs: setting(duration({ min: 1, max: 15_999 }), {
    default: 1_500,
    group: 'Limits',
    help: 'how far a server may be from its reference clock (root delay / 2 + root dispersion)',
  }),
  maxDelayMs: setting(duration({ min: 0.001, max: 60_000 }), {
    default: 3_000,
    group: 'Limits',
    help: 'longest time under way, both ways together, of a reply that is used',
  }),
  ntsCa: setting(text({ allowed: 'the path of a PEM file', placeholder: 'FILE' }), {
    default: '',
    group: 'Service',
    help: 'certificates to trust for NTS beside those of Node',
  }),
  timestamps: setting(choice('kernel', 'user'), {
    default: 'kernel',
    group: 'Service',
    help: 'who takes the time of a reply: the kernel, where it can be asked (Linux), or this process',
  }),
} as const;

type ExchangeConfig = ConfigOf<typeof exchangeSettings>;

export function policyOf({ maxRootDistanceMs, maxDelayMs }: ExchangeConfig): Policy {
  return { maxRootDistanceSeconds: maxRootDistanceMs / 1000, maxDelaySeconds: maxDelayMs / 1000 };
}

const DAY_MS = 86_400_000;

const statePath = text({
  allowed: 'a path, or off',
  placeholder: 'PATH|off',
  accepts: (value) => value !== '',
});

export const settings = {
  servers: setting(listOf(serverKind()), {
    default: defaultServers,
    group: 'Service',
    help: 'servers to poll; four or more, so that one that is wrong is found out',
  }),
  minPollMs: setting(duration({ min: 16_000, max: DAY_MS }), {
    default: 64_000,
    group: 'Service',
    help: 'shortest time between two polls of a server',
  }),
  maxPollMs: setting(duration({ min: 16_000, max: DAY_MS }), {
    default: 1_024_000,
    group: 'Service',
    help: 'longest time between two polls of a server; less than --min-poll counts as that',
  }),
  ...exchangeSettings,
  stateFile: setting(statePath, {
    default: { derive: () => join(runFolder, 'sntp-client.json'), from: 'run/sntp-client.json' },
    group: 'Running',
    help: 'where the last poll of each server is remembered over restarts, or off',
  }),
  ...daemonSettings('sntp-client'),
} as const;

export type WatchConfig = ConfigOf<typeof settings>;
