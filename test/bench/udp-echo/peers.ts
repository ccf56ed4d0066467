/** Who takes part: our server, the limit, and what people would use in its place. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import type { Command } from '../support/cores.ts';
import { compileC, needProgram } from '../support/programs.ts';
import type { EchoPeer } from '../support/throughput.ts';
import type { Workspace } from '../support/workspace.ts';

/** The peer that ratios refer to. */
export const REFERENCE_PEER = 'c-mmsg';
/** The peers that the targets are about, by their way of reading. */
export const OUR_PEERS = { batch: 'udp-echo', dgram: 'udp-echo-dgram' } as const;
/** What the dgram way is to be level with. */
export const PLAIN_PEER = 'node-dgram';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Our server with every guard on; the rate that it allows a source is far above what one core can do. */
function ourService(io: keyof typeof OUR_PEERS) {
  return (_workspace: Workspace, port: number): Command => ({
    program: process.execPath,
    args: [
      here('../../../services/udp-echo/src/bin.js'),
      ...['serve', '--host', '127.0.0.1', '--port', String(port), '--io', io],
      ...['--rate-per-source', '100000000', '--deny', '192.0.2.0/24', '--admin-socket', 'off'],
    ],
  });
}

export const echoPeers: readonly EchoPeer[] = [
  {
    name: REFERENCE_PEER,
    command: async (workspace, port) => ({
      program: await compileC(here('echo-mmsg.c'), workspace.path('echo-mmsg')),
      args: [String(port)],
    }),
  },
  { name: OUR_PEERS.batch, command: ourService('batch') },
  { name: OUR_PEERS.dgram, command: ourService('dgram') },
  {
    name: PLAIN_PEER,
    command: (_workspace, port) => ({
      program: process.execPath,
      args: [here('peers/node-dgram.ts'), String(port)],
    }),
  },
  {
    name: 'bun',
    command: (_workspace, port) => ({ program: needProgram('bun'), args: [here('peers/echo-bun.js'), String(port)] }),
  },
  {
    name: 'socat',
    command: (_workspace, port) => ({
      program: needProgram('socat'),
      // One process that sends each datagram back to whom it came from: forking one a peer loses the next datagrams.
      args: ['-b65536', `UDP4-RECVFROM:${port},bind=127.0.0.1,reuseaddr,fork`, 'PIPE'],
    }),
    forks: true,
  },
  {
    name: 'xinetd',
    command: (workspace, port) => {
      const configuration = workspace.path('xinetd-udp.conf');
      writeFileSync(configuration, readFileSync(here('peers/xinetd.conf'), 'utf8').replace('@PORT@', String(port)));
      const log = workspace.path('xinetd-udp.log');
      const pidFile = workspace.path('xinetd-udp.pid');
      return {
        program: needProgram('xinetd'),
        args: ['-dontfork', '-f', configuration, '-filelog', log, '-pidfile', pidFile],
      };
    },
  },
];
