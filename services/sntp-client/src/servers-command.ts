/** `sntp-client servers`: whom the daemon asks, where they are, and what they said last. */
import { clientCommand } from '@small-servers/shared/cli/client-command';
import { reportProblems } from '@small-servers/shared/cli/program';
import { formatTable } from '@small-servers/shared/cli/table';
import { formatOffset, formatSeconds } from '@small-servers/shared/clock/display';
import { systemCode } from '@small-servers/shared/errors';
import { parseAddress } from '@small-servers/shared/inet/address';
import { readConfigured } from './configured.ts';
import { type RememberedPoll, readPolls } from './poll-memory.ts';
import { resolveName } from './resolve.ts';
import { formatServerName, type ServerName } from './server-name.ts';

interface ServerRow {
  readonly server: string;
  readonly nts: boolean;
  readonly addresses: readonly string[];
  /** The resolver's word when there are none. */
  readonly unresolved?: string;
  readonly last?: RememberedPoll;
}

/** Looking a name up without a network can take the resolver half a minute; the table does not wait that long. */
const LOOK_UP_MS = 3_000;

export const serversCommand = clientCommand({
  name: 'servers',
  describe: 'the configured servers, their addresses and last results',
  operands: [],
  settings: {},
  examples: [['SNTP_CLIENT_SERVERS=ntp://192.0.2.1 sntp-client servers', 'what a variable would do']],
  parseOperands: () => undefined,
  run: async ({ json, print }) => {
    const { config, problems } = await readConfigured();
    if (problems.length > 0) return reportProblems('sntp-client', problems);
    const polls = config.stateFile === 'off' ? new Map<string, RememberedPoll>() : await readPolls(config.stateFile);
    const rows = await Promise.all(config.servers.map((name) => describeServer(name, polls)));
    print(json ? `${JSON.stringify({ servers: rows })}\n` : tableOf(rows, Date.now()));
    return 0;
  },
});

async function describeServer(name: ServerName, polls: ReadonlyMap<string, RememberedPoll>): Promise<ServerRow> {
  const server = formatServerName(name);
  const last = polls.get(server);
  return { server, nts: name.scheme === 'nts', ...(await addressesOf(name.host)), ...(last && { last }) };
}

async function addressesOf(host: string): Promise<Pick<ServerRow, 'addresses' | 'unresolved'>> {
  if (parseAddress(host).ok) return { addresses: [host] };
  const late = Promise.withResolvers<Pick<ServerRow, 'addresses' | 'unresolved'>>();
  const timer = setTimeout(() => late.resolve({ addresses: [], unresolved: 'no answer yet' }), LOOK_UP_MS);
  const found = resolveName(host).then(
    (addresses) => ({ addresses }),
    (error: unknown) => ({ addresses: [], unresolved: systemCode(error) ?? 'unknown' }),
  );
  return Promise.race([found, late.promise]).finally(() => clearTimeout(timer));
}

function tableOf(rows: readonly ServerRow[], nowMs: number): string {
  const header = ['server', 'NTS', 'addresses', 'last poll', 'result', 'offset', 'bound', 'delay', 'stratum'];
  return formatTable(
    header,
    rows.map((row) => cells(row, nowMs)),
  );
}

function cells({ server, nts, addresses, unresolved, last }: ServerRow, nowMs: number): readonly string[] {
  const where = addresses.length > 0 ? addresses.join(' ') : `none (${unresolved})`;
  const shown = (value: number | undefined, format: (value: number) => string): string =>
    value === undefined ? '-' : format(value);
  return [
    server,
    nts ? 'yes' : 'no',
    where,
    last === undefined ? 'never' : `${Math.round((nowMs - Date.parse(last.lastPollAt)) / 1000)} s ago`,
    last?.result === undefined ? '-' : [last.result, last.reason].filter(Boolean).join(': '),
    shown(last?.offsetSeconds, formatOffset),
    shown(last?.boundSeconds, formatSeconds),
    shown(last?.delaySeconds, formatSeconds),
    shown(last?.stratum, String),
  ];
}
