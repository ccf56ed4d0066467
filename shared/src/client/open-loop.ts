/**
 * An open-loop schedule: message k is due at start + k * interval, whether or not earlier ones have
 * come back. A closed loop, which sends when the last reply is in, stops asking just when the far end
 * is slow, and so leaves the slow moments out of its own figures ("coordinated omission").
 */
export interface OpenLoopOptions {
  /** Messages a second, over all connections. */
  readonly rate: number;
  /** Stop after this many; Infinity for no end. */
  readonly count: number;
  /** Stop after this time; Infinity for no end. */
  readonly durationMs: number;
  readonly signal: AbortSignal;
  /** Sends message `index`. */
  send(index: number): void;
  /** Monotonic clock in milliseconds. */
  readonly clock?: () => number;
}

/** Without a count and a duration. */
const DEFAULT_COUNT = 10;

/** How many messages are asked for; 0 for a count or duration that is not given. Infinity for no end. */
export function plannedMessages({
  count,
  durationMs,
  rate,
}: {
  count: number;
  durationMs: number;
  rate: number;
}): number {
  if (count === 0 && durationMs === 0) return DEFAULT_COUNT;
  const inTime = durationMs === 0 ? Number.POSITIVE_INFINITY : Math.ceil((durationMs * rate) / 1000);
  return Math.min(count === 0 ? Number.POSITIVE_INFINITY : count, inTime);
}

/** Most messages handed over in one turn when late: then replies, timers and Ctrl-C have theirs. */
const MAX_BURST_MESSAGES = 64;

export interface OpenLoopResult {
  readonly sent: number;
  readonly durationMs: number;
  /** The longest time that a message was handed over after it was due: this program's own delay. */
  readonly maxLatenessMs: number;
}

/** Sends on schedule until the count, the duration or the signal ends it. */
export async function runOpenLoop(options: OpenLoopOptions): Promise<OpenLoopResult> {
  const { rate, count, durationMs, signal, send, clock = () => performance.now() } = options;
  const intervalMs = 1000 / rate;
  const total = Math.min(count, Math.ceil(durationMs / intervalMs));
  const startMs = clock();
  let sent = 0;
  let maxLatenessMs = 0;

  const { promise, resolve } = Promise.withResolvers<void>();
  let timer: NodeJS.Timeout | undefined;
  let turn: NodeJS.Immediate | undefined;
  const wake = (): void => {
    for (let burst = 0; sent < total && !signal.aborted; burst++) {
      const latenessMs = clock() - startMs - sent * intervalMs;
      if (latenessMs < 0) {
        timer = setTimeout(wake, -latenessMs);
        return;
      }
      if (burst === MAX_BURST_MESSAGES) {
        turn = setImmediate(wake);
        return;
      }
      maxLatenessMs = Math.max(maxLatenessMs, latenessMs);
      send(sent);
      sent += 1;
    }
    resolve();
  };
  const interrupt = (): void => {
    clearTimeout(timer);
    clearImmediate(turn);
    resolve();
  };
  signal.addEventListener('abort', interrupt, { once: true });
  wake();
  await promise;
  signal.removeEventListener('abort', interrupt);
  return { sent, durationMs: clock() - startMs, maxLatenessMs };
}
