/** Time limits for waits that have none of their own, or one of minutes. */
import { formatDurationMs } from '../config/units.ts';

/** A wait took longer than was allowed. The kernel and the resolver give up on their own only much later. */
export class TooLong extends Error {
  readonly code = 'ETIMEDOUT';

  constructor(what: string, timeoutMs: number) {
    super(`${what} ${formatDurationMs(timeoutMs)}`);
  }
}

/** Ctrl-C. */
export class Interrupted extends Error {
  readonly code = 'EINTR';

  constructor() {
    super('interrupted');
  }
}

/**
 * What the work gives, unless the signal ends the wait; the work itself goes on unheard.
 *
 * @throws Interrupted
 */
export async function unlessInterrupted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const interrupt = (): void => reject(new Interrupted());
  if (signal.aborted) interrupt();
  signal.addEventListener('abort', interrupt);
  try {
    return await Promise.race([work, ended]);
  } finally {
    signal.removeEventListener('abort', interrupt);
  }
}

/**
 * The same, and not for longer than the limit.
 *
 * @throws TooLong
 * @throws Interrupted
 */
export async function within<T>(work: Promise<T>, timeoutMs: number, signal: AbortSignal): Promise<T> {
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new TooLong('no answer within', timeoutMs)), timeoutMs);
  try {
    return await unlessInterrupted(Promise.race([work, ended]), signal);
  } finally {
    clearTimeout(timer);
  }
}
