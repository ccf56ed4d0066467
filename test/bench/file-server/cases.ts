/** What is measured, and by which command for which server. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import type { Command } from '../support/cores.ts';
import type { BenchOptions } from '../support/options.ts';
import { needProgram } from '../support/programs.ts';
import { type Content, LARGE_BYTES, TREE, TREE_FILES } from './content.ts';
import type { BenchCase, Contender, Step } from './measure.ts';
import { OUR_PEER, ourProgram, REFERENCE_PEER } from './peers.ts';

/** Rows beside those that are named for their server. */
export const FIRST_READ_ROW = `${OUR_PEER}, first read`;

/** Names of the cases, which the targets refer to. */
export const caseNames = {
  download: 'download of 1 GiB',
  upload: 'upload of 1 GiB',
  getSmall: (connections: number) => `get of 1 KiB files, ${plural(connections)}`,
  putSmall: (connections: number) => `put of 1 KiB files, ${plural(connections)}`,
  getTree: `the whole tree: ${TREE_FILES} files of 1 KiB to disk`,
  putTree: `the whole tree: ${TREE_FILES} files of 1 KiB from disk`,
} as const;

export const CONNECTION_COUNTS = [1, 8];

/** Untimed at the start of a run of gets: just-in-time compilers compile. */
const WARM_UP_MS = 300;

function plural(connections: number): string {
  return connections === 1 ? '1 connection' : `${connections} connections`;
}

/** @param load path of the compiled `load.c` */
export function benchCases(load: string, content: Content, options: BenchOptions): readonly BenchCase[] {
  const loadWith = (...args: (string | number)[]): Command => ({ program: load, args: args.map(String) });
  const ours = (...args: string[]): Command => ({ program: process.execPath, args: [ourProgram, ...args] });
  const rsync = (...args: string[]): Command => ({ program: needProgram('rsync'), args: ['-a', '-W', ...args] });
  const module = ({ port }: Contender, name: string) => `rsync://127.0.0.1:${port}/files/${name}`;
  const durationMs = Math.round(options.seconds * 1000);
  const tree = [TREE.folders, TREE.files, TREE.bytes];

  const download: BenchCase = {
    name: caseNames.download,
    unit: 'bytes',
    reference: REFERENCE_PEER,
    cleanUp: () => content.clear(),
    steps: (contender) => {
      const { peer, port } = contender;
      if (peer.protocol === 'rsync') {
        const command = rsync(module(contender, content.large), `${content.downloads}/`);
        const check = () => expectBytes(`${content.downloads}/${content.large}`, LARGE_BYTES);
        return [{ row: peer.name, command, units: LARGE_BYTES, check }];
      }
      const command = loadWith('get', peer.protocol, port, content.large, LARGE_BYTES);
      const first: Step = { row: FIRST_READ_ROW, prepare: () => content.touchLarge(), command };
      return [...(peer.name === OUR_PEER ? [first] : []), { row: peer.name, command }];
    },
  };

  const upload: BenchCase = {
    name: caseNames.upload,
    unit: 'bytes',
    reference: 'vsftpd',
    cleanUp: () => content.clear(),
    steps: (contender) => {
      const { peer, port } = contender;
      const [source, target] = [content.path(content.large), `${content.uploads}/${content.large}`];
      if (peer.protocol === 'rsync') {
        const command = rsync(source, module(contender, `${content.uploads}/`));
        return [
          { row: peer.name, command, units: LARGE_BYTES, check: () => expectBytes(content.path(target), LARGE_BYTES) },
        ];
      }
      if (!takesUploads(contender)) return [];
      const command = loadWith('put', peer.protocol, port, source, target, content.sha256);
      return [{ row: peer.name, command, check: () => expectBytes(content.path(target), LARGE_BYTES) }];
    },
  };

  const getSmall = (connections: number): BenchCase => ({
    name: caseNames.getSmall(connections),
    unit: 'files',
    reference: REFERENCE_PEER,
    steps: ({ peer, port }) =>
      // Python's server waits 40 ms for every file: it sends head and body in two pieces and Nagle's algorithm holds one.
      peer.protocol === 'rsync' || peer.name === 'python-http'
        ? []
        : [
            {
              row: peer.name,
              command: loadWith(
                'get-small',
                peer.protocol,
                port,
                content.tree,
                ...tree,
                connections,
                durationMs,
                WARM_UP_MS,
              ),
            },
          ],
  });

  const putSmall = (connections: number): BenchCase => ({
    name: caseNames.putSmall(connections),
    unit: 'files',
    reference: 'vsftpd',
    cleanUp: () => content.clear(),
    steps: (contender) => {
      const { peer, port } = contender;
      if (!takesUploads(contender)) return [];
      const command = loadWith('put-small', peer.protocol, port, content.uploads, ...tree, connections, durationMs);
      return [{ row: peer.name, command }];
    },
  });

  const getTree: BenchCase = {
    name: caseNames.getTree,
    unit: 'files',
    reference: 'rsync',
    cleanUp: () => content.clear(),
    steps: (contender) => {
      const { peer, port } = contender;
      const target = `${content.downloads}/${content.tree}`;
      const check = () => expectTree(target);
      if (peer.protocol === 'rsync') {
        const command = rsync(module(contender, content.tree), `${content.downloads}/`);
        return [{ row: peer.name, command, units: TREE_FILES, check }];
      }
      if (peer.name !== OUR_PEER) return [];
      const command = ours('get', '-r', `127.0.0.1:${port}`, content.tree, target);
      return [{ row: peer.name, command, units: TREE_FILES, check }];
    },
  };

  const putTree: BenchCase = {
    name: caseNames.putTree,
    unit: 'files',
    reference: 'rsync',
    cleanUp: () => content.clear(),
    steps: (contender) => {
      const { peer, port } = contender;
      const [source, target] = [content.path(content.tree), `${content.uploads}/${content.tree}`];
      const check = () => expectTree(content.path(target));
      if (peer.protocol === 'rsync') {
        const command = rsync(source, module(contender, `${content.uploads}/`));
        return [{ row: peer.name, command, units: TREE_FILES, check }];
      }
      if (peer.name !== OUR_PEER) return [];
      const command = ours('put', '-r', `127.0.0.1:${port}`, source, target);
      return [{ row: peer.name, command, units: TREE_FILES, check }];
    },
  };

  return [download, upload, ...CONNECTION_COUNTS.map(getSmall), ...CONNECTION_COUNTS.map(putSmall), getTree, putTree];
}

/** Python's server and the stand-in only give. */
function takesUploads({ peer }: Contender): boolean {
  return peer.name === OUR_PEER || peer.protocol === 'ftp' || peer.name === REFERENCE_PEER;
}

function expectBytes(path: string, bytes: number): void {
  const { size } = statSync(path);
  if (size !== bytes) throw new Error(`the file that was moved has ${size} bytes, not ${bytes}`);
}

function expectTree(folder: string): void {
  const sizes = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(join(entry.parentPath, entry.name)).size);
  const whole = sizes.filter((size) => size === TREE.bytes).length;
  if (whole !== TREE_FILES || sizes.length !== TREE_FILES) {
    throw new Error(`${whole} of ${TREE_FILES} files came whole, and ${sizes.length - whole} others are there`);
  }
}
