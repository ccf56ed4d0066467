/**
 * A token bucket: a source may send `rate` datagrams a second, and a burst of as many as one second allows. Pure; the
 * two numbers of a bucket (tokens and when they were counted) are kept by whoever has many of them.
 */

/** Datagrams that a source may send at once after a second of silence; at least one. */
export const burstOf = (ratePerSecond: number): number => Math.max(1, ratePerSecond);

/** Tokens now, in a bucket that held `tokens` at `countedAtMs`. A clock that stood still or went back adds none. */
export function refill(tokens: number, countedAtMs: number, nowMs: number, ratePerSecond: number): number {
  const elapsedMs = Math.max(0, nowMs - countedAtMs);
  return Math.min(burstOf(ratePerSecond), tokens + (elapsedMs * ratePerSecond) / 1000);
}
