/** What a server holds for peers that read slowly: many of them on one large file, and its resident set meanwhile. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import type { Placement } from '../support/cores.ts';
import { reasonOf } from '../support/missing.ts';
import { runLoad } from '../support/process.ts';
import type { Workspace } from '../support/workspace.ts';
import type { Content } from './content.ts';
import { startContender } from './measure.ts';
import type { FilePeer } from './peers.ts';

export const SLOW_READERS = 100;
const BYTES_PER_SECOND = 1024 ** 2;
const DURATION_MS = 3_000;
const SAMPLE_INTERVAL_MS = 50;

export interface MemoryFigures {
  readonly peer: string;
  /** Resident set of the server before anybody came, in bytes. */
  readonly idleBytes: number;
  /** The largest growth of it that was seen, in bytes for one reader. */
  readonly bytesPerReader: number;
}

export interface MemoryReport {
  readonly figures: readonly MemoryFigures[];
  readonly missing: ReadonlyMap<string, string>;
}

export async function measureSlowReaders(
  load: string,
  content: Content,
  workspace: Workspace,
  placement: Placement,
  peers: readonly FilePeer[],
  progress: (line: string) => void,
): Promise<MemoryReport> {
  const figures: MemoryFigures[] = [];
  const missing = new Map<string, string>();
  for (const peer of peers) {
    progress(`slow readers: ${peer.name}`);
    try {
      // A server of its own: one that has worked before holds memory that it would use again.
      const { running, port } = await startContender(workspace, placement, peer, content.root);
      try {
        const idleBytes = residentBytes(running.pid);
        const args = [peer.protocol, port, content.large, SLOW_READERS, BYTES_PER_SECOND, DURATION_MS];
        const command = { program: load, args: ['slow-readers', ...args.map(String)] };
        const loaded = runLoad(workspace, placement.load(command));
        const most = await largestUntil(loaded, () => residentBytes(running.pid));
        figures.push({ peer: peer.name, idleBytes, bytesPerReader: (most - idleBytes) / SLOW_READERS });
      } catch (error) {
        missing.set(peer.name, running.ended() ?? `failed under load: ${reasonOf(error)}`);
      } finally {
        await running.stop();
      }
    } catch (error) {
      missing.set(peer.name, reasonOf(error));
    }
  }
  return { figures, missing };
}

async function largestUntil(done: Promise<unknown>, sample: () => number): Promise<number> {
  const watch = { over: false };
  const over = done.finally(() => {
    watch.over = true;
  });
  let largest = sample();
  while (!watch.over) {
    await Promise.race([over, delay(SAMPLE_INTERVAL_MS)]);
    largest = Math.max(largest, sample());
  }
  await over;
  return largest;
}

function residentBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kib === undefined) throw new Error(`the system does not say how much memory process ${pid} has`);
  return Number(kib) * 1024;
}
