/** An echo on the listener of this project with a debug log written in one of several ways: `server.ts PORT WAY FILE`. */
import { openSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { LineWriter } from '@small-servers/shared/daemon/line-writer';
import { createLog } from '@small-servers/shared/daemon/log';
import type { LogLevel } from '@small-servers/shared/daemon/log-levels';
import { listenTcp } from '@small-servers/shared/server/tcp';
import { destination } from 'pino';

interface Lines {
  write(line: string): void;
}

/** Every way gets the same lines; what they may lose differs (docs/performance/log-writing.md). */
const ways: Readonly<Record<string, 'log-file' | ((fd: number) => Lines)>> = {
  'no-log': () => ({ write: () => {} }),
  discard: () => ({ write: () => {} }),
  'each-line': (fd) => destination({ fd, sync: true }),
  info: (fd) => new LineWriter({ write: (bytes) => writeSync(fd, bytes) }),
  // As services are run by the fleet.
  'info-file': 'log-file',
  file: 'log-file',
  batched: (fd) => new LineWriter({ write: (bytes) => writeSync(fd, bytes) }),
  'async-4k': (fd) => destination({ fd, sync: false, minLength: 4096 }),
  worker: (fd) => {
    const code = `const { writeSync } = require('fs'); const { parentPort } = require('worker_threads');
      parentPort.on('message', (line) => writeSync(${fd}, line));`;
    const worker = new Worker(code, { eval: true });
    worker.unref();
    return { write: (line) => worker.postMessage(line) };
  },
};

const levels: Readonly<Record<string, LogLevel>> = { 'no-log': 'fatal', info: 'info', 'info-file': 'info' };

const [port = '', way = '', file = ''] = process.argv.slice(2);
const open = ways[way];
if (open === undefined) throw new Error(`there is no way ${way}; there are ${Object.keys(ways).join(', ')}`);
const level = levels[way] ?? 'debug';
const log = createLog({
  ...{ service: 'echo-tcp', level },
  ...(open === 'log-file' ? { file } : { stream: open(openSync(file, 'a')) }),
});
await listenTcp({
  config: {
    host: '127.0.0.1',
    port: Number(port),
    backlog: 4096,
    reusePort: false,
    noDelay: true,
    keepAliveMs: 0,
    recvBufferBytes: 0,
    sendBufferBytes: 0,
    io: 'onread',
    maxConnections: 0,
    maxConnectionsPerSource: 0,
    minRateBytes: 8,
    slowPeers: 'make-room',
    idleTimeoutMs: 600_000,
    maxLifetimeMs: 0,
    allow: [],
    deny: [],
    drainTimeoutMs: 1_000,
  },
  log,
  signal: new AbortController().signal,
  serve: (connection) => ({ onBytes: (bytes) => connection.write(bytes) }),
});
