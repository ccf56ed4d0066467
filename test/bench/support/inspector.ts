/** Garbage collection in a Node server from outside, so that what is measured carries no code for it. */
import { setTimeout as delay } from 'node:timers/promises';

import type { RunningPeer } from './process.ts';

const OPEN_TIMEOUT_MS = 5_000;
const POLL_MS = 25;

/**
 * Opens the inspector of a Node process (SIGUSR1) and collects all its garbage. Start the process with
 * `--inspect-port=127.0.0.1:0`, so that it takes a free port. The inspector adds some 100 KiB to the process.
 */
export async function collectThroughInspector(peer: RunningPeer): Promise<void> {
  process.kill(peer.pid, 'SIGUSR1');
  const socket = new WebSocket(await inspectorAddress(peer));
  try {
    const answered = new Promise<void>((resolve, reject) => {
      socket.addEventListener('message', () => resolve());
      socket.addEventListener('error', () => reject(new Error('the inspector did not answer')));
      socket.addEventListener('close', () => reject(new Error('the inspector hung up')));
    });
    socket.addEventListener('open', () => {
      socket.send(JSON.stringify({ id: 1, method: 'HeapProfiler.collectGarbage' }));
    });
    await answered;
  } finally {
    socket.close();
  }
}

/** Node prints `Debugger listening on ws://...` to stderr. */
async function inspectorAddress(peer: RunningPeer): Promise<string> {
  for (const giveUpAt = performance.now() + OPEN_TIMEOUT_MS; performance.now() < giveUpAt; await delay(POLL_MS)) {
    const address = /Debugger listening on (ws:\S+)/.exec(peer.stderr())?.[1];
    if (address !== undefined) return address;
  }
  throw new Error('the inspector did not open');
}
