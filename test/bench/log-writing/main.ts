/** What a debug log costs a server whose connections are short, by the way the log is written. */
import { fileURLToPath } from 'node:url';
import { runEchoBench } from '../support/echo-bench.ts';
import type { BenchOptions } from '../support/options.ts';
import { acceptsTcp, freeTcpPort } from '../support/process.ts';
import type { EchoPeer, LoadCase } from '../support/throughput.ts';

/** The same server with a log that holds nothing back: below its level no record is made. */
const REFERENCE = 'no-log';
const TARGET_RATIO = 0.9;

const loadCases: readonly LoadCase[] = [
  { name: 'connections of 64 B, 50 at a time', load: [50, 64], targetRatio: TARGET_RATIO },
];

const ways = [REFERENCE, 'info', 'info-file', 'discard', 'file', 'batched', 'each-line', 'async-4k', 'worker'];

const peers: readonly EchoPeer[] = ways.map((name) => ({
  name,
  command: (workspace, port) => ({
    program: process.execPath,
    args: [fileURLToPath(new URL('server.ts', import.meta.url)), String(port), name, workspace.path(`${name}.log`)],
  }),
}));

export function run(options: BenchOptions): Promise<void> {
  const setup = {
    peers,
    referencePeer: REFERENCE,
    cases: loadCases,
    loadSource: fileURLToPath(new URL('connect-load.c', import.meta.url)),
    freePort: freeTcpPort,
    isReady: acceptsTcp,
  };
  return runEchoBench('log-writing', options, setup, () => ({}));
}
