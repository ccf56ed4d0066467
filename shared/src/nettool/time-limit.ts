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
 * What the work gives, unless it takes too long or the signal ends the wait; the work itself goes on unheard.
 *
 * @throws TooLong
 * @throws Interrupted
 */
export async function within<T>(work: Promise<T>, timeoutMs: number, signal: AbortSignal): Promise<T> {
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new TooLong('no answer within', timeoutMs)), timeoutMs);
  const interrupt = (): void => reject(new Interrupted());
  if (signal.aborted) interrupt();
  signal.addEventListener('abort', interrupt);
  try {
    return await Promise.race([work, ended]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', interrupt);
  }
}
