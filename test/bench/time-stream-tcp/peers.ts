/** Who takes part: our server with and without a record for each stamp, and readline in its place. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { askAdmin } from '@small-servers/shared/daemon/admin-client';
import type { Command } from '../support/cores.ts';
import type { Workspace } from '../support/workspace.ts';

/** The peer that ratios refer to. */
export const REFERENCE_PEER = 'readline';
/** The peers that the target is about. */
export const OUR_PEERS = ['time-stream-tcp', 'time-stream-tcp-warn'];

export interface TimePeer {
  readonly name: string;
  command(workspace: Workspace, port: number): Command;
  /** Stamps that it has taken since it started. */
  taken(workspace: Workspace, port: number): Promise<number>;
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Its log goes to a file, as under pm2; a terminal or nothing at all would cost something else. */
function intoFile(workspace: Workspace, name: string, args: readonly string[]): Command {
  const script = `exec "$0" "$@" > '${workspace.path(`${name}.log`)}'`;
  return { program: 'sh', args: ['-c', script, process.execPath, ...args] };
}

function ours(name: string, level: string): TimePeer {
  const socket = (workspace: Workspace): string => workspace.path(`${name}.sock`);
  return {
    name,
    command: (workspace, port) =>
      intoFile(workspace, name, [
        here('../../../services/time-stream-tcp/src/bin.js'),
        ...['serve', '--port', String(port), '--client-zone', 'UTC', '--log-level', level],
        ...['--admin-socket', socket(workspace)],
      ]),
    taken: async (workspace) => {
      const families = JSON.parse((await askAdmin(socket(workspace), '/metrics.json')) ?? '[]') as Family[];
      return families.find((family) => family.name === 'small_servers_time_stamps_total')?.samples?.[0]?.value ?? 0;
    },
  };
}

interface Family {
  readonly name: string;
  readonly samples?: readonly { readonly value: number }[];
}

function readline(name: string, args: readonly string[]): TimePeer {
  return {
    name,
    command: (workspace, port) => intoFile(workspace, name, [here('peers/readline.ts'), String(port), ...args]),
    taken: async (_workspace, port) => {
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      socket.end('COUNT\n');
      return Number(await text(socket));
    },
  };
}

export const timePeers: readonly TimePeer[] = [
  readline(REFERENCE_PEER, []),
  readline('readline-log', ['log']),
  ours('time-stream-tcp', 'info'),
  ours('time-stream-tcp-warn', 'warn'),
];
