/** Who takes part: our server, the limit, what people would use in its place, and what Node alone can do. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { fileURLToPath } from 'node:url';

import type { Command } from '../support/cores.ts';
import { needProgram } from '../support/programs.ts';
import type { Workspace } from '../support/workspace.ts';

/** The peer that most ratios refer to: sendfile in a C server. */
export const REFERENCE_PEER = 'nginx';
export const OUR_PEER = 'file-server';

export interface ServeOptions {
  readonly port: number;
  readonly root: string;
  /** Where `stall-watch.ts` writes, for servers in Node. */
  readonly stallFile: string;
}

export interface FilePeer {
  readonly name: string;
  /** As `load.c` calls it; rsync is loaded with its own client. */
  readonly protocol: 'file' | 'http' | 'ftp' | 'rsync';
  /** How it is started in the foreground; throws PeerMissing when it cannot be. */
  command(workspace: Workspace, options: ServeOptions): Command;
  /** It forks a process for every connection: there is no one process whose time and memory tell anything. */
  readonly forks?: true;
  /** It runs with `stall-watch.ts`. */
  readonly watched?: true;
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
export const ourProgram = here('../../../services/file-server/src/bin.js');

/** A Node program whose event loop is watched from inside. */
function nodeCommand(stallFile: string, args: readonly string[]): Command {
  return {
    program: process.execPath,
    args: ['--import', here('stall-watch.ts'), ...args],
    variables: { STALL_FILE: stallFile },
  };
}

/** Writes a peer's configuration with this run's values in it; `FOLDER` is one that it may fill. */
function configure(name: string, workspace: Workspace, { port, root }: ServeOptions): string {
  const { username, gid } = userInfo();
  const values: Record<string, string> = {
    PORT: String(port),
    ROOT: root,
    FOLDER: workspace.folder,
    USER: username,
    GROUP: String(gid),
  };
  const text = readFileSync(here(`peers/${name}`), 'utf8').replaceAll(/@([A-Z]+)@/g, (_, key) => values[key] ?? '');
  const path = workspace.path(name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

export const filePeers: readonly FilePeer[] = [
  {
    name: REFERENCE_PEER,
    protocol: 'http',
    command: (workspace, options) => ({
      program: needProgram('nginx'),
      args: ['-p', workspace.folder, '-c', configure('nginx.conf', workspace, options), '-e', 'stderr'],
    }),
  },
  {
    // As users run it, with a record of every transfer; but for the limits, since all load comes from one address.
    name: OUR_PEER,
    protocol: 'file',
    watched: true,
    command: (_workspace, { port, root, stallFile }) =>
      nodeCommand(stallFile, [
        ourProgram,
        ...['serve', '--host', '127.0.0.1', '--port', String(port), '--root', root, '--writable'],
        ...['--max-connections', 'off', '--max-connections-per-source', 'off', '--admin-socket', 'off'],
      ]),
  },
  {
    name: 'node-files',
    protocol: 'file',
    watched: true,
    command: (_workspace, { port, root, stallFile }) =>
      nodeCommand(stallFile, [here('peers/node-files.ts'), String(port), root]),
  },
  {
    name: 'vsftpd',
    protocol: 'ftp',
    forks: true,
    command: (workspace, options) => {
      const program = needProgram('vsftpd');
      mkdirSync(workspace.path('vsftpd-empty'), { recursive: true });
      return { program, args: [configure('vsftpd.conf', workspace, options)] };
    },
  },
  {
    name: 'rsync',
    protocol: 'rsync',
    forks: true,
    command: (workspace, options) => ({
      program: needProgram('rsync'),
      args: [
        ...['--daemon', '--no-detach', `--config=${configure('rsyncd.conf', workspace, options)}`],
        ...[`--port=${options.port}`, '--address=127.0.0.1'],
      ],
    }),
  },
  {
    name: 'python-http',
    protocol: 'http',
    command: (_workspace, { port, root }) => ({
      program: needProgram('python3'),
      args: ['-m', 'http.server', '--protocol', 'HTTP/1.1', '--bind', '127.0.0.1', '--directory', root, String(port)],
    }),
  },
];
