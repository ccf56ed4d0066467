/** What a connection costs while nobody uses it: thousands open, one message each, then the growth of the server. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { collectThroughInspector } from '../support/inspector.ts';
import { reasonOf } from '../support/missing.ts';
import { acceptsTcp, freeTcpPort, type RunningPeer, startPeer } from '../support/process.ts';
import { renderTable } from '../support/table.ts';
import type { Workspace } from '../support/workspace.ts';
import type { TcpEchoPeer } from './peers.ts';

export const IDLE_CONNECTION_COUNTS = [5_000, 10_000];
/** What the issue asks of our server, in bytes for one connection. */
export const IDLE_TARGET_BYTES = 8 * 1024;

const MESSAGE = Buffer.alloc(64, 'idle connection ');
/** Connections opened at once: below every backlog, so that no SYN waits for its retransmission. */
const OPENED_AT_ONCE = 100;
const SETTLE_POLL_MS = 500;
const SETTLED_POLLS = 4;
const SETTLE_LIMIT_MS = 20_000;
const SETTLED_BYTES = 128 * 1024;

export interface IdleFigures {
  readonly peer: string;
  readonly connections: number;
  /** Growth of the resident set over the connections, once it stopped changing by itself. */
  readonly settledBytes: number;
  /** The same after garbage was collected on demand; undefined where there is none to collect. */
  readonly collectedBytes: number | undefined;
}

export interface IdleReport {
  readonly figures: readonly IdleFigures[];
  readonly missing: ReadonlyMap<string, string>;
}

export async function measureIdleMemory(
  workspace: Workspace,
  peers: readonly TcpEchoPeer[],
  progress: (line: string) => void,
): Promise<IdleReport> {
  const figures: IdleFigures[] = [];
  const missing = new Map<string, string>();
  for (const peer of peers) {
    for (const connections of IDLE_CONNECTION_COUNTS) {
      if (missing.has(peer.name)) continue;
      progress(`idle connections: ${peer.name}, ${connections}`);
      try {
        figures.push(await measureOne(workspace, peer, connections));
      } catch (error) {
        missing.set(peer.name, reasonOf(error));
      }
    }
  }
  return { figures, missing };
}

async function measureOne(workspace: Workspace, peer: TcpEchoPeer, connections: number): Promise<IdleFigures> {
  const port = await freeTcpPort();
  const command = await peer.command(workspace, port);
  const variables = peer.collectGarbage === 'inspector' ? { NODE_OPTIONS: '--inspect-port=127.0.0.1:0' } : {};
  const running = await startPeer(workspace, { ...command, variables: { ...command.variables, ...variables } }, () =>
    acceptsTcp(port),
  );
  const sockets: Socket[] = [];
  try {
    const before = await settledBytes(running.pid);
    await openConnections(port, connections, sockets);
    const perConnection = async () => ((await settledBytes(running.pid)) - before) / connections;
    const settled = await perConnection();
    const collects = await collectGarbage(peer, running);
    return {
      peer: peer.name,
      connections,
      settledBytes: settled,
      collectedBytes: collects ? await perConnection() : undefined,
    };
  } catch (error) {
    throw new Error(running.ended() ?? reasonOf(error), { cause: error });
  } finally {
    for (const socket of sockets) socket.destroy();
    await running.stop();
  }
}

async function openConnections(port: number, count: number, sockets: Socket[]): Promise<void> {
  while (sockets.length < count) {
    const batch = Math.min(OPENED_AT_ONCE, count - sockets.length);
    await Promise.all(Array.from({ length: batch }, () => exchangeOne(port, sockets)));
  }
  const open = sockets.filter((socket) => !socket.destroyed && socket.readable).length;
  if (open < count) throw new Error(`only ${open} of ${count} connections stayed open`);
}

async function exchangeOne(port: number, sockets: Socket[]): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'connect');
  socket.on('error', () => socket.destroy());
  let received = 0;
  const back = new Promise<void>((resolve, reject) => {
    socket.on('data', (bytes) => {
      received += bytes.length;
      if (received >= MESSAGE.length) resolve();
    });
    socket.once('close', () => reject(new Error(`connection ${sockets.length} was closed by the server`)));
  });
  socket.write(MESSAGE);
  await back;
}

async function collectGarbage(peer: TcpEchoPeer, running: RunningPeer): Promise<boolean> {
  if (peer.collectGarbage === 'inspector') {
    await collectThroughInspector(running);
    return true;
  }
  if (peer.collectGarbage === 'SIGUSR2') {
    process.kill(running.pid, 'SIGUSR2');
    return true;
  }
  return false;
}

/** The resident set in bytes, once it has stayed the same for two seconds, or after twenty. */
async function settledBytes(pid: number): Promise<number> {
  let steady = 0;
  let last = residentBytes(pid);
  for (const giveUpAt = performance.now() + SETTLE_LIMIT_MS; steady < SETTLED_POLLS && performance.now() < giveUpAt; ) {
    await delay(SETTLE_POLL_MS);
    const now = residentBytes(pid);
    steady = Math.abs(now - last) <= SETTLED_BYTES ? steady + 1 : 0;
    last = now;
  }
  return last;
}

function residentBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kib === undefined) throw new Error(`the system does not say how much memory process ${pid} has`);
  return Number(kib) * 1024;
}

export function renderIdleMemory(report: IdleReport): string {
  const kib = (bytes: number | undefined) => (bytes === undefined ? '-' : (bytes / 1024).toFixed(1));
  return renderTable(
    [
      { title: 'server', align: 'left' },
      { title: 'connections', align: 'right' },
      { title: 'KiB each, settled', align: 'right' },
      { title: 'KiB each, collected', align: 'right' },
    ],
    report.figures.map((row) => [row.peer, String(row.connections), kib(row.settledBytes), kib(row.collectedBytes)]),
    report.missing,
  );
}
