/** Who takes part: our server, the limit, and what people would use in its place. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import type { Command } from '../support/cores.ts';
import { buildGo, compileC, needProgram } from '../support/programs.ts';
import type { EchoPeer } from '../support/throughput.ts';
import type { Workspace } from '../support/workspace.ts';

export interface TcpEchoPeer extends EchoPeer {
  /** How its garbage is collected on demand, where there is any. */
  readonly collectGarbage?: 'inspector' | 'SIGUSR2';
}

/** The peer that ratios refer to. */
export const REFERENCE_PEER = 'c-epoll';
/** The peer that the targets are about. */
export const OUR_PEER = 'echo-tcp';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Our server as users run it, but for the limits: the load is thousands of connections from one address. */
function ourService(readingMode: 'onread' | 'data') {
  return (_workspace: Workspace, port: number): Command => ({
    program: process.execPath,
    args: [
      here('../../../services/echo-tcp/src/bin.js'),
      ...['serve', '--host', '127.0.0.1', '--port', String(port), '--io', readingMode],
      ...['--max-connections', 'off', '--max-connections-per-source', 'off', '--admin-socket', 'off'],
    ],
  });
}

function nodePeer(script: string) {
  return (_workspace: Workspace, port: number): Command => ({
    program: process.execPath,
    args: [here(script), String(port)],
  });
}

export const echoPeers: readonly TcpEchoPeer[] = [
  {
    name: REFERENCE_PEER,
    command: async (workspace, port) => ({
      program: await compileC(here('echo-epoll.c'), workspace.path('echo-epoll')),
      args: [String(port)],
    }),
  },
  { name: OUR_PEER, command: ourService('onread'), collectGarbage: 'inspector' },
  { name: 'echo-tcp-data', command: ourService('data'), collectGarbage: 'inspector' },
  {
    name: 'bun',
    command: (_workspace, port) => ({ program: needProgram('bun'), args: [here('peers/echo-bun.js'), String(port)] }),
    collectGarbage: 'SIGUSR2',
  },
  {
    name: 'go-net',
    command: async (workspace, port) => ({
      program: await buildGo(here('peers/echo.go'), workspace.path('echo-go'), workspace.path('go-cache')),
      args: [String(port)],
      variables: { GOMAXPROCS: '1' },
    }),
    collectGarbage: 'SIGUSR2',
  },
  { name: 'node-pipe', command: nodePeer('peers/node-pipe.ts'), collectGarbage: 'inspector' },
  { name: 'node-data', command: nodePeer('peers/node-data.ts'), collectGarbage: 'inspector' },
  {
    name: 'socat',
    forks: true,
    command: (_workspace, port) => ({
      program: needProgram('socat'),
      args: [`TCP4-LISTEN:${port},bind=127.0.0.1,reuseaddr,backlog=4096,nodelay,fork`, 'PIPE'],
    }),
  },
  {
    name: 'xinetd',
    forks: true,
    command: (workspace, port) => {
      const configuration = workspace.path('xinetd.conf');
      writeFileSync(configuration, readFileSync(here('peers/xinetd.conf'), 'utf8').replace('@PORT@', String(port)));
      const log = workspace.path('xinetd.log');
      const pidFile = workspace.path('xinetd.pid');
      return {
        program: needProgram('xinetd'),
        args: ['-dontfork', '-f', configuration, '-filelog', log, '-pidfile', pidFile],
      };
    },
  },
];
