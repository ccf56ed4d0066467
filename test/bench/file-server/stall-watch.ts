/**
 * Preloaded into a server (`node --import`): writes a line to STALL_FILE for each time that its event loop was busy
 * with one thing for longer than LEAST_STALL_MS.
 *
 * A timer that comes late tells the same of a loop that was held up and of a process that had no core. The run queue's
 * account of the main thread tells them apart, so `ownMs` is the delay without the time that others had the core.
 */
import { appendFileSync, openSync, readSync } from 'node:fs';

export interface Stall {
  /** When it was over, milliseconds since 1970. */
  readonly at: number;
  readonly wallMs: number;
  readonly ownMs: number;
}

const INTERVAL_MS = 2;
const LEAST_STALL_MS = 5;

const file = process.env.STALL_FILE;
if (file !== undefined) {
  const schedstat = openSync('/proc/self/schedstat', 'r');
  const text = Buffer.alloc(80);
  /** Nanoseconds that the main thread waited for a core: the second of three figures. */
  const waitedNs = () => Number(text.toString('latin1', 0, readSync(schedstat, text, 0, text.length, 0)).split(' ')[1]);
  let last = performance.now();
  let waited = waitedNs();
  setInterval(() => {
    const now = performance.now();
    const waitedNow = waitedNs();
    const wallMs = now - last - INTERVAL_MS;
    if (wallMs > LEAST_STALL_MS) {
      const ownMs = Math.max(0, wallMs - (waitedNow - waited) / 1e6);
      const stall: Stall = { at: performance.timeOrigin + now, wallMs, ownMs };
      appendFileSync(file, `${JSON.stringify(stall)}\n`);
    }
    last = performance.now();
    waited = waitedNow;
  }, INTERVAL_MS).unref();
}
