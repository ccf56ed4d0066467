/** `nettool ports`: who listens on the fleet's ports and on this host's well-known ones. */
import { userInfo } from 'node:os';
import { formatTable } from '../cli/table.ts';
import { toggle } from '../config/kinds.ts';
import { setting } from '../config/settings.ts';
import { formatAddress } from '../inet/address.ts';
import { type Listener, listListeners, type Transport } from '../system/listeners.ts';
import type { Answer, Verb } from './verb.ts';

/** 7000 + the well-known port of each protocol (design of the ports, docs/nettool.md). */
export const fleetPorts: readonly { service: string; port: number; transport: Transport }[] = [
  { service: 'echo-tcp', port: 7007, transport: 'tcp' },
  { service: 'udp-echo', port: 7007, transport: 'udp' },
  { service: 'time-stream-tcp', port: 7037, transport: 'tcp' },
  { service: 'file-server', port: 7021, transport: 'tcp' },
];
const LAST_WELL_KNOWN_PORT = 1023;

const settings = {
  all: setting(toggle(), { default: false, group: 'Request', help: 'every listening port' }),
} as const;

export const ports: Verb<typeof settings, void> = {
  name: 'ports',
  describe: "who listens on the fleet's ports and on this host's well-known ones",
  operands: [],
  settings,
  examples: [
    ['nettool ports', 'the fleet and the well-known ports'],
    ['nettool ports --all', 'every listener of this host'],
  ],
  parseOperands: () => {},
  answer: async (_operands, { all }) => answerFor(await listListeners(), all),
};

/** The answer from a list of listeners; `undefined` where the system gives none. */
export function answerFor(listeners: readonly Listener[] | undefined, all: boolean): Answer {
  if (listeners === undefined) {
    const problem = 'this system has no /proc/net to read listeners from';
    return { report: { problem }, text: `${problem}; try "lsof -nP -iTCP -sTCP:LISTEN"\n`, failed: true };
  }
  const fleet = fleetPorts.map(({ service, port, transport }) => ({
    service,
    port,
    transport,
    listeners: listeners.filter((one) => one.port === port && one.transport === transport),
  }));
  const isFleet = new Set(fleet.flatMap((row) => row.listeners));
  const others = listeners.filter((one) => !isFleet.has(one) && (all || one.port <= LAST_WELL_KNOWN_PORT));
  const rows = [
    ...fleet.flatMap(({ service, port, transport, listeners: on }) =>
      on.length === 0 ? [[`${port}/${transport}`, service, '-', 'nobody listens']] : on.map((one) => row(one, service)),
    ),
    ...others.map((one) => row(one, '')),
  ];
  return {
    report: {
      fleet: fleet.map((entry) => ({ ...entry, listeners: entry.listeners.map(reportOf) })),
      others: others.map(reportOf),
    },
    text: formatTable(['PORT', 'SERVICE', 'ADDRESS', 'PROCESS'], rows),
  };
}

function row(one: Listener, service: string): string[] {
  return [`${one.port}/${one.transport}`, service, formatAddress(one.address), processes(one)];
}

function processes({ holders, uid }: Listener): string {
  if (holders.length > 0) return holders.map(({ pid, command }) => `${pid} ${command}`).join(', ');
  // Only root may look into the processes of others; as root, a socket without a process belongs to the kernel.
  return userInfo().uid === 0 ? 'the kernel' : `not shown to this user (user id ${uid})`;
}

function reportOf({ transport, address, port, uid, holders }: Listener) {
  return { transport, address: formatAddress(address), port, uid, processes: holders };
}
