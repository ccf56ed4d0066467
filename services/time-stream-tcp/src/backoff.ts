/** How long to wait before the next attempt to connect. Pure. */

const FIRST_MS = 500;
const LONGEST_MS = 30_000;

/**
 * Twice as long each time, up to half a minute, less a random part of up to a half: the clients of a server that was
 * down do not come back all at once.
 *
 * @param attempt from 0
 * @param random from 0 to 1
 */
export function backoffMs(attempt: number, random: number): number {
  // The exponent is bounded so that years without a server end in no Infinity.
  const fullMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 20));
  return fullMs * (1 - random / 2);
}
